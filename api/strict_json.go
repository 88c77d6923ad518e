package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

// strictJSON is encoding/json that refuses what PostgreSQL cannot store and what Go
// would mend or ignore in silence. huma calls it twice: for its validation, and then
// for the operation's own type, whose members the walk holds the body against.
var strictJSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, into any) error {
		if !utf8.Valid(data) {
			return badBody{unreadableBody, "", "The body is not valid UTF-8."}
		}
		if what := badEscape(data); what != "" {
			return badBody{db.ValidationFailed, "", what}
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
		}
		if t := reflect.TypeOf(into).Elem(); t.Kind() != reflect.Interface { // err, if any, is of a member's own
			body := walk{json.NewDecoder(bytes.NewReader(data))}
			if wrong := body.value("", t); wrong != nil {
				return badBody{db.ValidationFailed, wrong.field, wrong.sentence()}
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

// walk goes through a body that Go has taken, for what Go does not mind.
type walk struct{ *json.Decoder }

// misfit is what is wrong with a member.
type misfit struct{ field, what string }

// within names the member from one level up.
func (m *misfit) within(outer string) *misfit {
	switch {
	case m == nil:
		return nil
	case m.field == "" || m.field[0] == '[':
		return &misfit{outer + m.field, m.what}
	}
	return &misfit{outer + "." + m.field, m.what}
}

func (m *misfit) sentence() string {
	if m.field == "" {
		return "The body: " + m.what + "."
	}
	return m.field + ": " + m.what + "."
}

// value looks at the next value, of the member name, of which t is the type, or nil for
// a member that is unknown: huma has refused that one.
func (w walk) value(name string, t reflect.Type) *misfit {
	token, err := w.Token()
	if err != nil {
		return &misfit{"", "expected JSON"} // never: Go has taken it
	}
	t, clears := bare(t)
	switch v := token.(type) {
	case nil:
		if !clears { // to Go it would look like one that was left out
			return &misfit{"", "null is no value here: leave it out"}
		}
	case string:
		if t == reflect.TypeFor[uuid.UUID]() && !isID(v) {
			return &misfit{"", noID}
		}
		if t == reflect.TypeFor[uuid.UUID]() && name == "id" && isNil(v) {
			return &misfit{"", anID}
		}
	case json.Delim:
		if v == '[' {
			return w.array(t)
		}
		return w.object(t)
	}
	return nil
}

func (w walk) array(t reflect.Type) *misfit {
	if t != nil && t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	for i := 0; w.More(); i++ {
		if wrong := w.value("", t); wrong != nil {
			return wrong.within(fmt.Sprintf("[%d]", i))
		}
	}
	w.Token() // the bracket
	return nil
}

// object refuses a name that comes twice: Go would lay the second value over what the
// first one left, and huma has looked at the second alone.
func (w walk) object(t reflect.Type) *misfit {
	members, seen := membersOf(t), map[string]bool{}
	for w.More() {
		token, _ := w.Token()
		name, _ := token.(string)
		if seen[name] {
			return &misfit{name, "the member is given more than once"}
		}
		seen[name] = true
		if wrong := w.value(name, members[name]); wrong != nil {
			return wrong.within(name)
		}
	}
	w.Token() // the brace
	return nil
}

// bare is the type of a value without what says that it may be left out or cleared.
func bare(t reflect.Type) (_ reflect.Type, clears bool) {
	if t == nil {
		return nil, true
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if c, ok := reflect.Zero(t).Interface().(clearing); ok {
		return c.clears(), true
	}
	return t, false
}

// members has, by type, what membersOf gave.
var members sync.Map

// membersOf gives the types of a struct's members by their names in JSON.
func membersOf(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	if known, ok := members.Load(t); ok {
		return known.(map[string]reflect.Type)
	}
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		out[name] = t.Field(i).Type
	}
	members.Store(t, out)
	return out
}

// badEscape finds an escape of what is no character: PostgreSQL cannot store U+0000,
// and Go would mend half of a surrogate pair.
func badEscape(data []byte) string {
	for i := bytes.IndexByte(data, '\\'); i >= 0 && i < len(data)-1; i++ {
		if data[i] != '\\' {
			continue
		}
		unit, ok := escapedUnit(data[i:])
		switch {
		case !ok:
			i++ // the escaped character
			continue
		case unit == 0:
			return "The body holds the character U+0000, which cannot be stored."
		case utf16.IsSurrogate(unit):
			low, _ := escapedUnit(data[i+6:])
			if utf16.DecodeRune(unit, low) == utf8.RuneError {
				return "The body holds half of a surrogate pair, which is no character."
			}
			i += 6
		}
		i += 5
	}
	return ""
}

// escapedUnit is the UTF-16 code unit that data begins with as an escape.
func escapedUnit(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return rune(unit), err == nil
}

func kindName(err *json.UnmarshalTypeError) string {
	if name := err.Type.Kind().String(); name == "int64" || name == "int32" || name == "int" {
		return "an integer, written without fraction or exponent"
	}
	return "a value of another type"
}
