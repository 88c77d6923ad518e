package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// strictJSON is encoding/json that refuses what PostgreSQL cannot store or Go would
// mend in silence: bytes that are no UTF-8, and U+0000.
var strictJSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, into any) error {
		if !utf8.Valid(data) {
			return badBody{unreadableBody, "", "The body is not valid UTF-8."}
		}
		if bytes.Contains(data, []byte(`\u0000`)) && hasNUL(data) {
			return badBody{db.ValidationFailed, "", "The body holds the character U+0000, which cannot be stored."}
		}
		err := json.Unmarshal(data, into)
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			return badBody{unreadableBody, "", fmt.Sprintf("The body is not one whole JSON text: see byte %d.", syntax.Offset)}
		case errors.As(err, &kind) && kind.Field == "":
			return badBody{db.ValidationFailed, "", "The body holds a number that is too large."}
		case errors.As(err, &kind):
			return badBody{db.ValidationFailed, kind.Field, fmt.Sprintf("%s: expected %s.", kind.Field, kindName(kind))}
		case err == nil && bytes.Contains(data, []byte("null")):
			if field := nullIn(data, reflect.TypeOf(into)); field != "" {
				return badBody{db.ValidationFailed, field, field + ": null is no value here: leave it out."}
			}
		}
		return err
	},
}

// badBody is what is wrong with a body. huma keeps no more of it than its text, from
// which problemOfDetail takes it again.
type badBody struct {
	code          db.Code
	field, detail string
}

func (b badBody) Error() string {
	return strings.Join([]string{string(b.code), b.field, b.detail}, "\x1f")
}

// badBodyIn gives what badBody said.
func badBodyIn(message string) (*Problem, bool) {
	parts := strings.Split(message, "\x1f")
	if len(parts) != 3 {
		return nil, false
	}
	return problem(db.Code(parts[0]), parts[1], parts[2]), true
}

// nullIn finds a member that is null where only an edit that can clear it may be: to
// Go it would look like one that was left out.
func nullIn(data []byte, into reflect.Type) string {
	var body any
	if into = into.Elem(); into.Kind() == reflect.Interface || json.Unmarshal(data, &body) != nil {
		return ""
	}
	return nullAt(body, into, "")
}

func nullAt(value any, t reflect.Type, at string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			if field := nullAt(item, t.Elem(), fmt.Sprintf("%s[%d]", at, i)); field != "" {
				return field
			}
		}
	case map[string]any:
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			member, sent := v[name]
			field := strings.TrimPrefix(at+"."+name, ".")
			switch {
			case sent && member == nil && !t.Field(i).Type.Implements(reflect.TypeFor[clearing]()):
				return field
			case sent:
				if field := nullAt(member, t.Field(i).Type, field); field != "" {
					return field
				}
			}
		}
	}
	return ""
}

// hasNUL tells an escape of U+0000 from an escaped backslash before "u0000".
func hasNUL(data []byte) bool {
	for i := 0; i+5 < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(data[i:], []byte(`\u0000`)) {
			return true
		}
		i++ // the escaped character
	}
	return false
}

func kindName(err *json.UnmarshalTypeError) string {
	if name := err.Type.Kind().String(); name == "int64" || name == "int32" || name == "int" {
		return "an integer, written without fraction or exponent"
	}
	return "a value of another type"
}

// outOfTime refuses a time that cannot be told again: in some time zone, the year has
// more or less than four digits. The year 1, Go's zero, would look like no time.
func outOfTime(at *huma.PathBuffer, name string, t *time.Time) []error {
	if t == nil || t.Year() >= 1900 && t.Year() <= 9998 {
		return nil
	}
	field := strings.TrimPrefix(at.With(name), "body.")
	return []error{problem(db.ValidationFailed, field, field+": expected a time between the years 1900 and 9998.")}
}

// strictQuery refuses a query that is malformed, names a parameter twice, or names
// one and gives it nothing: none of it would be looked at.
func strictQuery(ctx huma.Context, next func(huma.Context)) {
	u := ctx.URL()
	if u.RawQuery == "" {
		next(ctx)
		return
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		writeProblem(ctx, problem(db.ValidationFailed, "", "The query string is malformed."))
		return
	}
	for name, values := range query {
		if len(values) > 1 {
			writeProblem(ctx, problem(db.ValidationFailed, name, "The parameter is given more than once."))
			return
		}
		if !utf8.ValidString(values[0]) || bytes.ContainsRune([]byte(values[0]), 0) {
			writeProblem(ctx, problem(db.ValidationFailed, name, "The parameter is not valid text."))
			return
		}
	}
	for name, values := range query {
		if values[0] == "" && knows(ctx.Operation(), name) {
			writeProblem(ctx, problem(db.ValidationFailed, name, "The parameter has no value."))
			return
		}
	}
	next(ctx)
}

func knows(op *huma.Operation, parameter string) bool {
	for _, p := range op.Parameters {
		if p.In == "query" && p.Name == parameter {
			return true
		}
	}
	return false
}

// refuseBody guards the operations that take no body: an empty object is taken for
// none, since many clients send one; anything else would be ignored.
func refuseBody(ctx huma.Context, next func(huma.Context)) {
	if ctx.Header("Content-Length") == "0" {
		next(ctx)
		return
	}
	const enough = 64
	body, err := io.ReadAll(io.LimitReader(bodyReader(ctx), enough))
	if err != nil {
		writeProblem(ctx, problem(unreadableBody, "", "The body ended before it was whole."))
		return
	}
	var object map[string]json.RawMessage
	if len(body) == enough || len(bytes.TrimSpace(body)) > 0 && (json.Unmarshal(body, &object) != nil || object == nil || len(object) > 0) {
		writeProblem(ctx, problem(unknownField, "", "This operation takes no body."))
		return
	}
	next(ctx)
}

func bodyReader(ctx huma.Context) io.Reader {
	if r := ctx.BodyReader(); r != nil {
		return r
	}
	return http.NoBody
}
