package api

import (
	"encoding/json"
	"strings"
	"testing"
)

// The walk goes by what json.Valid has found to be JSON: whatever that is, it ends where
// the text does.
func FuzzWalkGoesThroughAnyJSON(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, ` [ ] `, `{"a":{},"b":[{}, []],"c":""}`, `"\\"`, `"\"}]"`, `{"\"":"\\\\\""}`, `{"a" : -1.5e+7 , "b":[true,false,null]}`,
		"\t{\r\n\"a\" :\n[1 ,\t2\r,3 ]\n}\n", `"\u0041\ud83d\ude00"`, `-0`, `[[[[[[]]]]]]`, `{"a,b":":","c":",]}"}`, `null`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			t.Skip("no JSON")
		}
		w := walk{[]byte(text)}
		if wrong := w.value("", bodyMember{}, true); wrong != nil {
			if !strings.HasSuffix(wrong.what, "more than once") {
				t.Errorf("%s: %s", text, wrong.sentence())
			}
		} else if c := w.peek(); c != 0 {
			t.Errorf("%s: it stops before %q", text, w.rest)
		}
	})
}
