package texts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"regexp"
	"unicode"
	"unicode/utf8"
)

// isHTML reports whether the body is a web page and not a gateway's answer.
func isHTML(contentType string, body []byte) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "text/html" || kind == "application/xhtml+xml" || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// isGarbage reports whether the body is neither empty, nor JSON, nor a short text.
func isGarbage(body []byte) bool {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0 || json.Valid(body):
		return false
	case body[0] == '{' || body[0] == '[' || !utf8.Valid(body):
		return true
	}
	return bytes.ContainsFunc(body, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) })
}

// code matches the error code of a refusal, which is stored: a machine-readable word.
var code = regexp.MustCompile(`^[a-z][a-z0-9_]{0,34}$`)

// refusal returns the reason to store: the status, and the code of a JSON answer.
func refusal(status int, body []byte) string {
	reason := fmt.Sprintf("refused_%d", status)
	var said struct {
		Code  json.RawMessage `json:"code"`
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil {
		return reason
	}
	for _, raw := range []json.RawMessage{said.Code, said.Error} {
		var word string
		if json.Unmarshal(raw, &word) == nil && code.MatchString(word) {
			return reason + "_" + word
		}
	}
	return reason
}
