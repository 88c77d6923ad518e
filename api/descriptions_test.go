package api_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"testing"
)

// What is not described, every client has to guess: members, parameters, headers, the values of enums, and
// the schemas themselves.
func TestEverythingInTheDocumentIsDescribed(t *testing.T) {
	t.Parallel()
	d := theDocument()
	checked := 0
	described := func(o object, what string) {
		checked++
		if text, _ := d.resolve(o)["description"].(string); o["description"] == nil && text == "" {
			t.Errorf("%s has no description", what)
		}
	}
	components := d.root["components"].(object)
	members := func(part any, of string) {
		d.walk(part, func(o object) {
			properties, _ := o["properties"].(object)
			for member, property := range properties {
				if property, ok := property.(object); ok {
					described(property, of+"."+member)
				}
			}
		})
	}
	for name, schema := range components["schemas"].(object) {
		described(schema.(object), name)
		members(schema, name)
	}
	for _, op := range d.operations {
		members(op.body, op.id)
		members(op.responses, op.id)
		for _, p := range op.parameters {
			described(p, op.id+", parameter "+p["name"].(string))
		}
		for status, response := range op.responses {
			headers, _ := response.(object)["headers"].(object)
			for name, header := range headers {
				described(header.(object), op.id+", "+status+", header "+name)
			}
		}
	}
	for name, item := range d.root["webhooks"].(object) {
		request := item.(object)["post"].(object)
		members(request["requestBody"], name)
		members(request["responses"], name)
		content := request["requestBody"].(object)["content"].(object)
		described(content["application/json"].(object)["schema"].(object), name)
		for _, p := range request["parameters"].([]any) {
			described(p.(object), name+", parameter "+p.(object)["name"].(string))
		}
	}
	if checked < 600 {
		t.Errorf("only %d were looked at", checked)
	}
}

// Each enum of two values or more describes each of them, where it is a component and where it stands in a parameter, a
// member or a webhook. Those of an operation's error codes have their sentences in ErrorCode.
func TestEveryValueOfAnEnumIsDescribed(t *testing.T) {
	t.Parallel()
	inline := 0
	var visit func(at string, part any)
	visit = func(at string, part any) {
		switch part := part.(type) {
		case []any:
			for i, inner := range part {
				visit(fmt.Sprintf("%s/%d", at, i), inner)
			}
		case object:
			values, _ := part["enum"].([]any)
			texts, _ := part["x-enum-descriptions"].([]any)
			isNamed := path.Dir(at) == "/components/schemas"
			if (isNamed || len(values) > 1) && (len(texts) != len(values) || slices.Contains(texts, any(""))) {
				t.Errorf("%s: %d values, descriptions %v", at, len(values), texts)
			}
			if !isNamed && len(values) > 1 {
				inline++
			}
			for name, inner := range part {
				if name != "example" && name != "examples" && name != "code" {
					visit(at+"/"+name, inner)
				}
			}
		}
	}
	visit("", theDocument().root)
	if inline < 4 {
		t.Errorf("only %d enums that are no component were looked at", inline)
	}
}

// The same member means the same in a row, in the request that creates it, and in the one that edits it.
func TestARequestDescribesAMemberAsTheRowDoes(t *testing.T) {
	t.Parallel()
	schemas := theDocument().root["components"].(object)["schemas"].(object)
	for request, row := range map[string]string{
		"NewAccount": "Account", "AccountEdit": "Account", "NewFacility": "Facility", "FacilityEdit": "Facility",
		"NewDriver": "Driver", "DriverEdit": "Driver", "NewPatient": "Patient", "NewUser": "User", "NewGroup": "Group",
	} {
		members := schemas[row].(object)["properties"].(object)
		for _, member := range slices.Sorted(maps.Keys(schemas[request].(object)["properties"].(object))) {
			asked := schemas[request].(object)["properties"].(object)[member].(object)["description"]
			shown, ok := members[member].(object)
			if !ok || slices.Contains(saidOtherwise, path.Join(request, member)) || member == "id" {
				continue
			}
			if shown["description"] != asked {
				t.Errorf("%s.%s: %v, of a row %v", request, member, asked, shown["description"])
			}
		}
	}
}

// saidOtherwise are the members of requests of which the row does not say enough.
var saidOtherwise = []string{"DriverEdit/user_id", "FacilityEdit/max_cancel_share"}
