package api

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"waybill/db"
)

// walk reads a body that encoding/json has taken once more, token by token, and refuses what
// encoding/json accepts in silence: an unknown member, one that is given twice, null where it
// means nothing, an id or a time in another form.
type walk struct{ *jsonText }

// misfitIn returns the first thing that is wrong with a body of type t, nil if nothing is.
func misfitIn(data []byte, t reflect.Type) *misfit {
	w := walk{readText(data)}
	defer w.release()
	return w.value("", bodyMember{t: t}, t.Kind() == reflect.Pointer)
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

// unreadable is what is wrong with a text that encoding/json took and jsontext does not.
const unreadable = "expected one whole JSON text"

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

// value reads the next value, that of the member name, and returns what is wrong with it.
// nullable says whether it may be null, which encoding/json takes for left out.
func (w walk) value(name string, m bodyMember, nullable bool) *misfit {
	t, _ := bare(m.t)
	token, err := w.ReadToken()
	if err != nil {
		return &misfit{"", unreadable}
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
			return &misfit{"", "null is no value here: leave it out"}
		}
	}
	return nil
}

// oddString looks at a string that has to have a form.
func oddString(name string, token jsontext.Token, t reflect.Type, rule *textRule) *misfit {
	if rule != nil && !rule.holds(token.String()) {
		return &misfit{"", rule.otherwise}
	}
	switch t {
	case reflect.TypeFor[uuid.UUID]():
		if v := token.String(); !isID(v) {
			return &misfit{"", noID}
		} else if name == "id" && isNil(v) {
			return &misfit{"", anID}
		}
	case reflect.TypeFor[Time]():
		if _, wrong := parseTime(token.String()); wrong != "" {
			return &misfit{"", wrong}
		}
	}
	return nil
}

// array reads the array whose opening bracket has been read.
func (w walk) array(t reflect.Type) *misfit {
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

// object reads the object whose opening brace has been read. The decoder refuses a name that
// comes twice: encoding/json would lay the second value over what the first one left, and huma
// has validated the second alone. In an edit, null is not left out: it clears, or is refused.
func (w walk) object(t reflect.Type) *misfit {
	members, isEdit := membersOf(t), isEdit(t)
	for w.PeekKind() != '}' {
		token, err := w.ReadToken()
		if err != nil {
			return wrongName(err)
		}
		name := token.String()
		m, known := members[name]
		if !known && members != nil { // and null, since huma let it through
			return &misfit{name, unknown}
		}
		_, clears := bare(m.t)
		if wrong := w.value(name, m, clears || !isEdit); wrong != nil {
			return wrong.within(name)
		}
	}
	w.ReadToken()
	return nil
}

// wrongName returns what is wrong with an object in which the decoder did not take a name.
func wrongName(err error) *misfit {
	at, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok || !errors.Is(err, jsontext.ErrDuplicateName) {
		return &misfit{"", unreadable}
	}
	return &misfit{at.JSONPointer.LastToken(), "the member is given more than once"}
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
			out[name] = bodyMember{f.Type, ruleOf(f)}
		}
	}
	members.Store(t, out)
	return out
}
