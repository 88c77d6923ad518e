package api

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// nullableEnums has each way in which a member may be null, or may not.
type nullableEnums struct {
	Plain    *db.PickupStatus           `json:"plain"`
	Tagged   *db.PickupStatus           `json:"tagged" nullable:"true" doc:"Of an earlier time"`
	Optional Optional[db.PickupStatus]  `json:"optional,omitzero"`
	Cleared  Clearable[db.PickupStatus] `json:"cleared,omitzero"`
	Date     *db.Date                   `json:"date"`
	Omitted  *db.PickupStatus           `json:"omitted,omitempty"`
	Always   db.PickupStatus            `json:"always"`
}

// A column of an enum that may be NULL is told to clients: the value, or null.
func TestAnEnumThatMayBeNullIsTheEnumOrNull(t *testing.T) {
	t.Parallel()
	o := config().OpenAPI
	r := o.Components.Schemas
	s := r.Schema(reflect.TypeFor[nullableEnums](), false, "")
	describeNulls(r)
	const ref = `{"$ref":"#/components/schemas/PickupStatus"}`
	const either = `{"anyOf":[` + ref + `,{"enum":[null],"type":"null"}]}`
	for name, want := range map[string]string{
		"plain": either, "optional": either, "cleared": either, "omitted": ref, "always": ref,
		"tagged": `{"anyOf":[` + ref + `,{"enum":[null],"type":"null"}],"description":"Of an earlier time"}`,
	} {
		if got := sorted(t, s.Properties[name]); got != want {
			t.Errorf("%s: %s", name, got)
		}
		for value, ok := range map[any]bool{nil: want != ref, "DRAFT": true, "ELSEWHERE": false, 3: false} {
			result := &huma.ValidateResult{}
			huma.Validate(r, s.Properties[name], huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, result)
			if (len(result.Errors) == 0) != ok {
				t.Errorf("%s = %v: %v", name, value, result.Errors)
			}
		}
	}
	if got := s.Properties["date"]; !got.Nullable {
		t.Errorf("date: %+v", got)
	}
	// 3.0 has no type null.
	raw := map[string]any{}
	if err := json.Unmarshal([]byte(sorted(t, s.Properties["tagged"])), &raw); err != nil {
		t.Fatal(err)
	}
	forget31(raw)
	if got := sorted(t, raw); got != `{"allOf":[`+ref+`],"description":"Of an earlier time","nullable":true}` {
		t.Errorf("3.0: %s", got)
	}
}

// sorted returns JSON with its members in the order of their names.
func sorted(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	text, err = json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
