package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
			return problem(unreadableBody, "", "The body is not valid UTF-8.")
		}
		if bytes.Contains(data, []byte(`\u0000`)) && hasNUL(data) {
			return problem(db.ValidationFailed, "", "The body holds the character U+0000, which cannot be stored.")
		}
		err := json.Unmarshal(data, into)
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			return problem(unreadableBody, "", fmt.Sprintf("The body is not one whole JSON text: see byte %d.", syntax.Offset))
		case errors.As(err, &kind):
			return problem(db.ValidationFailed, kind.Field, fmt.Sprintf("%s: expected %s.", kind.Field, kindName(kind)))
		}
		return err
	},
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
	if len(bytes.TrimSpace(body)) > 0 && (json.Unmarshal(body, &object) != nil || object == nil || len(object) > 0) {
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
