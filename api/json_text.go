package api

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

var byteOrderMark = []byte("\ufeff")

const aMark = "a byte order mark (U+FEFF), which JSON has not: leave it out"

// jsonText reads a JSON text in memory token by token. It refuses a name that comes twice
// in an object, and half of a surrogate pair.
type jsonText struct {
	jsontext.Decoder
	text bytes.Buffer
}

var jsonTexts = sync.Pool{New: func() any { return new(jsonText) }}

// readText begins to read data. The caller releases it.
func readText(data []byte, options ...jsontext.Options) *jsonText {
	t := jsonTexts.Get().(*jsonText)
	t.text = *bytes.NewBuffer(data)
	t.Reset(&t.text, options...)
	return t
}

// release ends the reading, and forgets the text.
func (t *jsonText) release() {
	t.text = bytes.Buffer{}
	t.Reset(&t.text)
	jsonTexts.Put(t)
}

// isJSON tells whether data is one whole JSON text by the grammar alone.
func isJSON(data []byte) bool {
	return jsontext.Value(data).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// badEscape finds an escape of what is no character: PostgreSQL cannot store U+0000,
// and encoding/json would mend half of a surrogate pair.
func badEscape(data []byte) string {
	if !bytes.Contains(data, []byte(`\u`)) {
		return ""
	}
	t := readText(data, jsontext.AllowDuplicateNames(true))
	defer t.release()
	for {
		token, err := t.ReadToken()
		switch {
		case err == nil && token.Kind() == '"' && strings.Contains(token.String(), "\x00"):
			return "The body holds the character U+0000, which cannot be stored."
		case err == nil:
		case errors.Is(err, io.EOF) || !isJSON(data):
			return ""
		default:
			return "The body holds half of a surrogate pair, which is no character."
		}
	}
}
