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

const aMark = "a byte order mark (U+FEFF), which JSON does not allow"

// jsonText reads a JSON text in memory token by token. It rejects duplicate names in an object, invalid
// UTF-8 and unpaired surrogates.
type jsonText struct {
	jsontext.Decoder
	text bytes.Buffer
}

var jsonTexts = sync.Pool{New: func() any { return new(jsonText) }}

// readText returns a reader at the beginning of data, which the caller must release.
func readText(data []byte, options ...jsontext.Options) *jsonText {
	t := jsonTexts.Get().(*jsonText)
	t.text = *bytes.NewBuffer(data)
	t.Reset(&t.text, options...)
	return t
}

// release returns the reader to the pool without the text, which may be megabytes.
func (t *jsonText) release() {
	t.text = bytes.Buffer{}
	t.Reset(&t.text)
	jsonTexts.Put(t)
}

// grammarOnly are the options for the grammar alone.
var grammarOnly = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// isJSON reports whether data is one JSON text by the grammar alone.
func isJSON(data []byte) bool { return jsontext.Value(data).IsValid(grammarOnly...) }

// badEscape returns the violation of an escape in data, or "": PostgreSQL cannot store U+0000, and
// encoding/json would replace an unpaired surrogate by U+FFFD. Invalid JSON is left to the caller.
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
			return "The body contains the character U+0000, which cannot be stored."
		case err == nil:
		case errors.Is(err, io.EOF) || !isJSON(data):
			return ""
		default:
			return "The body contains an unpaired surrogate, which is not a character."
		}
	}
}
