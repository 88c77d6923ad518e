package api

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// The walk reads any text that encoding/json accepts to its end.
func FuzzWalkGoesThroughAnyJSON(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, ` [ ] `, `{"a":{},"b":[{}, []],"c":""}`, `"\\"`, `"\"}]"`, `{"\"":"\\\\\""}`,
		`{"a" : -1.5e+7 , "b":[true,false,null]}`,
		"\t{\r\n\"a\" :\n[1 ,\t2\r,3 ]\n}\n", `"\u0041\ud83d\ude00"`, `-0`,
		`[[[[[[]]]]]]`, `{"a,b":":","c":",]}"}`, `null`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) || badEscape([]byte(text)) != "" {
			t.Skip("no JSON")
		}
		w := walk{readText([]byte(text))}
		if wrong := w.value("", bodyMember{}, true); wrong != nil {
			if !strings.HasSuffix(wrong.what, "more than once") {
				t.Errorf("%s: %s", text, wrong.sentence())
			}
		} else if token, err := w.ReadToken(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: the reader stops before %v, %v", text, token, err)
		}
	})
}
