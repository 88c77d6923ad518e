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
		t, body := reflect.TypeOf(into).Elem(), walk{data} // err, if any, is of a member's own
		if wrong := body.value("", bodyMember{t: t}, t.Kind() == reflect.Pointer); wrong != nil {
			return wrong.badBody()
		}
		return err
	},
}

var byteOrderMark = []byte("\ufeff")

const aMark = "a byte order mark (U+FEFF), which JSON has not: leave it out"

// withoutNulls is a value as huma shall see it: a member that is null is one that was
// left out, and so is a body. Where null means something, or is one too many, the walk
// over the operation's own type sees it.
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

// object is a JSON object as encoding/json has it.
type object = map[string]any

// badJSON tells what json.Unmarshal did not take, unless a member's own type refused it.
func badJSON(err error) (_ badBody, ok bool) {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return badBody{unreadableBody, "", fmt.Sprintf("The body is not one whole JSON text: see byte %d.", syntax.Offset)}, true
	}
	kind, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return badBody{}, false
	case kind.Field == "":
		return badBody{db.ValidationFailed, "", "The body holds a number that is too large."}, true
	}
	return badBody{db.ValidationFailed, kind.Field, fmt.Sprintf("%s: expected %s.", kind.Field, kindName(kind))}, true
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

// walk goes through a body that Go has taken, for what Go does not mind. That it is
// JSON is known, so that what is between two values need not be told apart: the tokens
// of a json.Decoder made 34 of the 216 allocations of a charge.
type walk struct{ rest []byte }

// peek gives the first byte of the next value, name or bracket; 0 at the end.
func (w *walk) peek() byte {
	for i, c := range w.rest {
		if strings.IndexByte(" \t\r\n,:", c) < 0 {
			w.rest = w.rest[i:]
			return c
		}
	}
	return 0
}

// take gives the next n bytes.
func (w *walk) take(n int) []byte {
	taken := w.rest[:n]
	w.rest = w.rest[n:]
	return taken
}

// quoted takes a string, which peek has found.
func (w *walk) quoted() []byte {
	end := 1
	for w.rest[end] != '"' {
		if w.rest[end] == '\\' {
			end++
		}
		end++
	}
	return w.take(end + 1)
}

// unquote gives the text of a string.
func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var text string
	json.Unmarshal(quoted, &text)
	return text
}

// number takes one, or a literal.
func (w *walk) number() {
	end := bytes.IndexAny(w.rest, " \t\r\n,]}")
	if end < 0 {
		end = len(w.rest)
	}
	w.take(end)
}

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

// unknown is what is wrong with a member that is none.
const unknown = "there is no such member"

func (m *misfit) badBody() badBody {
	if m.what == unknown {
		return badBody{unknownField, m.field, ""}
	}
	return badBody{db.ValidationFailed, m.field, m.sentence()}
}

func (m *misfit) sentence() string {
	if m.field == "" {
		return "The body: " + m.what + "."
	}
	return m.field + ": " + m.what + "."
}

// value looks at the next value, of the member name. nullable says whether it may be null,
// which Go takes for left out.
func (w *walk) value(name string, m bodyMember, nullable bool) *misfit {
	t, _ := bare(m.t)
	switch w.peek() {
	case '[':
		return w.array(t)
	case '{':
		return w.object(t)
	case '"':
		return oddString(name, w.quoted(), t, m.rule)
	case 'n':
		if !nullable {
			return &misfit{"", "null is no value here: leave it out"}
		}
		w.number()
	default:
		w.number()
	}
	return nil
}

// oddString looks at a string that has to have a form.
func oddString(name string, quoted []byte, t reflect.Type, rule *textRule) *misfit {
	if rule != nil && !rule.holds(unquote(quoted)) {
		return &misfit{"", rule.otherwise}
	}
	switch t {
	case reflect.TypeFor[uuid.UUID]():
		if v := unquote(quoted); !isID(v) {
			return &misfit{"", noID}
		} else if name == "id" && isNil(v) {
			return &misfit{"", anID}
		}
	case reflect.TypeFor[Time]():
		if _, wrong := parseTime(unquote(quoted)); wrong != "" {
			return &misfit{"", wrong}
		}
	}
	return nil
}

func (w *walk) array(t reflect.Type) *misfit {
	if t != nil && t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	w.take(1)
	for i := 0; w.peek() != ']'; i++ {
		if wrong := w.value("", bodyMember{t: t}, t == nil); wrong != nil {
			return wrong.within(fmt.Sprintf("[%d]", i))
		}
	}
	w.take(1)
	return nil
}

// object refuses a name that comes twice: Go would lay the second value over what the
// first one left, and huma has looked at the second alone. In an edit, null is not left
// out: it clears, or is refused.
func (w *walk) object(t reflect.Type) *misfit {
	members, seen, isEdit := membersOf(t), map[string]bool{}, isEdit(t)
	w.take(1)
	for w.peek() != '}' {
		name := unquote(w.quoted())
		if seen[name] {
			return &misfit{name, "the member is given more than once"}
		}
		seen[name] = true
		m, known := members[name]
		if !known && members != nil { // and null, since huma let it through
			return &misfit{name, unknown}
		}
		_, clears := bare(m.t)
		if wrong := w.value(name, m, clears || !isEdit); wrong != nil {
			return wrong.within(name)
		}
	}
	w.take(1)
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

// edit is the body of a PATCH.
type edit interface{ isEdit() }

func isEdit(t reflect.Type) bool { return t != nil && t.Implements(reflect.TypeFor[edit]()) }

// bodyMember is one of a struct.
type bodyMember struct {
	t    reflect.Type
	rule *textRule // nil: none
}

// members has, by type, what membersOf gave.
var members sync.Map

// membersOf gives a struct's members by their names in JSON.
func membersOf(t reflect.Type) map[string]bodyMember {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	if known, ok := members.Load(t); ok {
		return known.(map[string]bodyMember)
	}
	out := map[string]bodyMember{}
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			out[name] = bodyMember{f.Type, textRules[f.Tag.Get("pattern")]}
		}
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
