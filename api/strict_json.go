package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// strictJSON is encoding/json plus checks for what PostgreSQL cannot store, and what Go would silently
// fix or ignore. huma calls it twice: for its validation, and for the operation's own type, which the
// walk compares with the body.
var strictJSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, into any) error {
		if bytes.HasPrefix(data, byteOrderMark) {
			return badBody{unreadableBody, "", "The body begins with " + aMark + "."}
		}
		if !utf8.Valid(data) {
			return badBody{unreadableBody, "", "The body is not valid UTF-8."}
		}
		if what := badEscape(data); what != "" {
			return badBody{db.ValidationFailed, "", what}
		}
		err := json.Unmarshal(data, into)
		if bad, ok := badJSON(err); ok {
			return bad
		}
		if value, ok := into.(*any); ok {
			*value = withoutNulls(*value)
			return err
		}
		// err, if any, is from a member's own type
		if wrong := violationIn(data, reflect.TypeOf(into).Elem()); wrong != nil {
			return wrong.badBody()
		}
		return err
	},
}

// withoutNulls prepares a value for huma's validation: null members count as omitted, and so does a
// null body. The walk over the operation's own type checks where null is allowed.
func withoutNulls(value any) any {
	switch v := value.(type) {
	case nil:
		return object{}
	case object:
		for name, inner := range v {
			if inner == nil {
				delete(v, name)
			} else {
				v[name] = withoutNulls(inner)
			}
		}
	case []any:
		for i, inner := range v {
			if inner != nil {
				v[i] = withoutNulls(inner)
			}
		}
	}
	return value
}

// object is a JSON object in encoding/json.
type object = map[string]any

// badJSON translates an error of json.Unmarshal, unless it comes from a member's own type.
func badJSON(err error) (_ badBody, ok bool) {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		what := fmt.Sprintf("The body is not one complete JSON text: see byte %d.", syntax.Offset)
		return badBody{unreadableBody, "", what}, true
	}
	kind, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return badBody{}, false
	case kind.Field == "":
		return badBody{db.ValidationFailed, "", "The body contains a number that is too large."}, true
	}
	return badBody{db.ValidationFailed, kind.Field, fmt.Sprintf("%s: expected %s.", kind.Field, kindName(kind))}, true
}

// badBody is the error for an invalid body. huma keeps only its text, from which problemOfDetail
// restores it.
type badBody struct {
	code          db.Code
	field, detail string
}

func (b badBody) Error() string {
	return strings.Join([]string{string(b.code), b.field, b.detail}, "\x1f")
}

// badBodyIn restores a problem from the text of a badBody.
func badBodyIn(message string) (*Problem, bool) {
	parts := strings.Split(message, "\x1f")
	if len(parts) != 3 {
		return nil, false
	}
	return problem(db.Code(parts[0]), parts[1], parts[2]), true
}

func kindName(err *json.UnmarshalTypeError) string {
	if name := err.Type.Kind().String(); name == "int64" || name == "int32" || name == "int" {
		return "an integer, written without fraction or exponent"
	}
	return "a value of another type"
}
