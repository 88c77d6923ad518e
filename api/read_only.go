package api

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"waybill/db"
)

// readOnly lists the members that an operation returns but does not accept, so that a client that sends
// back what it read gets a specific error.
type readOnly struct {
	names map[string]bool
	takes string // the accepted members, for the message
}

// readOnlyOf compares the input body of an operation with its answer.
func readOnlyOf(input, answer reflect.Type) readOnly {
	takes, gives := rowMembers(input), rowMembers(answer)
	r := readOnly{map[string]bool{}, strings.Join(slices.Sorted(maps.Keys(takes)), ", ")}
	for name := range gives {
		if _, taken := takes[name]; !taken && takes != nil {
			r.names[name] = true
		}
	}
	return r
}

// rowMembers returns the members of the row in a body, or of each of its rows.
func rowMembers(t reflect.Type) map[string]bodyMember {
	if t.Kind() != reflect.Struct {
		return nil
	}
	body, ok := t.FieldByName("Body")
	if !ok {
		return nil
	}
	row, _ := bare(body.Type)
	members := membersOf(row)
	if items, ok := members["items"]; ok && len(members) == 1 {
		row, _ = bare(items.t.Elem())
		members = membersOf(row)
	}
	return members
}

// explain turns the error for an unknown member into a specific one if the member is read-only.
func (r readOnly) explain(p *Problem) *Problem {
	name := p.Field[strings.LastIndexByte(p.Field, '.')+1:]
	if p.Code != unknownField || !r.names[name] {
		return p
	}
	return problem(readOnlyField, p.Field, fmt.Sprintf("%s is read-only here: this operation accepts %s.", name,
		r.takes))
}

// codes returns the additional codes that the operation can answer.
func (r readOnly) codes() []db.Code {
	if len(r.names) == 0 {
		return nil
	}
	return []db.Code{readOnlyField}
}
