package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"waybill/db"
)

// walk reads a body that encoding/json has accepted a second time, token by token, and rejects what
// encoding/json accepts silently: unknown and duplicate members, null where it has no meaning, and ids
// or times in another form.
type walk struct{ *jsonText }

// violationIn returns the first violation in a body of type t, or nil.
func violationIn(data []byte, t reflect.Type) *violation {
	w := walk{readText(data)}
	defer w.release()
	return w.value("", bodyMember{t: t}, t.Kind() == reflect.Pointer)
}

// violation is a violation at a member.
type violation struct{ field, what string }

// within prefixes the member's path with the outer name.
func (m *violation) within(outer string) *violation {
	switch {
	case m == nil:
		return nil
	case m.field == "" || m.field[0] == '[':
		return &violation{outer + m.field, m.what}
	}
	return &violation{outer + "." + m.field, m.what}
}

// unknown is the message for an unknown member.
const unknown = "unknown member"

// unreadable is the message for a text that encoding/json accepted and jsontext rejects.
const unreadable = "expected one complete JSON text"

func (m *violation) badBody() badBody {
	if m.what == unknown {
		return badBody{unknownField, m.field, ""}
	}
	return badBody{db.ValidationFailed, m.field, m.sentence()}
}

func (m *violation) sentence() string {
	if m.field == "" {
		return "The body: " + m.what + "."
	}
	return m.field + ": " + m.what + "."
}

// value reads the next value, that of the member name, and returns its violation. nullable reports
// whether it may be null, which encoding/json treats like an omitted member.
func (w walk) value(name string, m bodyMember, nullable bool) *violation {
	t, _ := bare(m.t)
	if t == reflect.TypeFor[json.RawMessage]() { // of any type, which its own reader checks
		t, nullable = nil, true
	}
	token, err := w.ReadToken()
	if err != nil {
		return &violation{"", unreadable}
	}
	switch token.Kind() {
	case '[':
		return w.array(t)
	case '{':
		return w.object(t)
	case '"':
		return oddString(name, token, t, m.rule)
	case 'n':
		if !nullable {
			return &violation{"", "null is not allowed here: omit the member"}
		}
	}
	return nil
}

// oddString validates a string that must have a certain form.
func oddString(name string, token jsontext.Token, t reflect.Type, rule *textRule) *violation {
	if rule != nil && !rule.holds(token.String()) {
		return &violation{"", rule.message}
	}
	switch t {
	case reflect.TypeFor[uuid.UUID]():
		if v := token.String(); !isID(v) {
			return &violation{"", noID}
		} else if name == "id" && isNil(v) {
			return &violation{"", anID}
		}
	case reflect.TypeFor[Time]():
		if _, wrong := parseTime(token.String()); wrong != "" {
			return &violation{"", wrong}
		}
	}
	return nil
}

// array reads an array after its opening bracket.
func (w walk) array(t reflect.Type) *violation {
	if t != nil && t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	for i := 0; w.PeekKind() != ']'; i++ {
		if wrong := w.value("", bodyMember{t: t}, t == nil); wrong != nil {
			return wrong.within(fmt.Sprintf("[%d]", i))
		}
	}
	w.ReadToken()
	return nil
}

// object reads an object after its opening brace. The decoder rejects duplicate names: encoding/json
// would merge the second value into the first, and huma has validated only the second. In an edit, null
// does not mean omitted: it clears the member, or is rejected.
func (w walk) object(t reflect.Type) *violation {
	members, isEdit := membersOf(t), isEdit(t)
	for w.PeekKind() != '}' {
		token, err := w.ReadToken()
		if err != nil {
			return wrongName(err)
		}
		name := token.String()
		m, known := members[name]
		if !known && members != nil { // also if its value is null, which huma accepts
			return &violation{name, unknown}
		}
		_, clears := bare(m.t)
		if wrong := w.value(name, m, clears || !isEdit); wrong != nil {
			return wrong.within(name)
		}
	}
	w.ReadToken()
	return nil
}

// wrongName returns the violation for a name that the decoder rejected.
func wrongName(err error) *violation {
	at, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok || !errors.Is(err, jsontext.ErrDuplicateName) {
		return &violation{"", unreadable}
	}
	return &violation{at.JSONPointer.LastToken(), "the member is given more than once"}
}

// bare returns a value's type without pointer and Clearable.
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

// bodyMember describes a member of a struct.
type bodyMember struct {
	t    reflect.Type
	rule *textRule // nil for none
}

// members caches the results of membersOf by type.
var members sync.Map

// membersOf returns a struct's members by their JSON names.
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
			out[name] = bodyMember{f.Type, ruleOf(f)}
		}
	}
	members.Store(t, out)
	return out
}
