package api_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// written returns the schemas of a batch's items, by the operation that they name.
func (d *document) written() map[string]object {
	schemas := d.root["components"].(object)["schemas"].(object)
	items := map[string]object{}
	for id, ref := range schemas["Write"].(object)["discriminator"].(object)["mapping"].(object) {
		items[id] = schemas[strings.TrimPrefix(ref.(string), "#/components/schemas/")].(object)
	}
	return items
}

// The document has an item for each operation that a batch accepts, and for no other.
func TestTheDocumentHasAnItemForEachWriteOfABatch(t *testing.T) {
	t.Parallel()
	s, d := start(t), theDocument()
	items := d.written()
	accepted := 0
	for _, op := range d.operations {
		a := s.do(s.admin, "POST", "/v1/batch", batch(object{"operation": op.id}))
		isRefused := a.status == 422 && a.str("field") == "items[0].operation"
		if _, ok := items[op.id]; ok == isRefused {
			t.Errorf("%s: in the document %v, and answered %s", op.id, ok, a)
		}
		if !isRefused {
			accepted++
		}
	}
	if accepted != len(items) || accepted < 40 {
		t.Errorf("%d operations are accepted, and %d in the document", accepted, len(items))
	}
}

// An item has the parameters and the body of its operation's request, and requires what that requires.
func TestAnItemOfABatchIsDescribedLikeTheRequest(t *testing.T) {
	t.Parallel()
	d := theDocument()
	items := d.written()
	for _, op := range d.operations {
		item, ok := items[op.id]
		if !ok {
			continue
		}
		properties := item["properties"].(object)
		if values := properties["operation"].(object)["enum"].([]any); !slices.Equal(values, []any{op.id}) {
			t.Errorf("%s: the item names %v", op.id, values)
		}
		required := map[string]bool{"operation": true}
		for place, member := range map[string]string{"path": "path", "query": "query", "header": "headers"} {
			want := map[string]bool{} // whether each is required
			for _, p := range op.parameters {
				if name := p["name"].(string); p["in"] == place && name != "dry_run" {
					want[name] = p["required"] == true
					required[member] = required[member] || want[name]
				}
			}
			if got := membersOf(properties[member]); !maps.Equal(got, want) {
				t.Errorf("%s: the item's %s are %v, want %v", op.id, member, got, want)
			}
		}
		required["body"] = op.bodyRequired
		if body, _ := properties["body"].(object); body["$ref"] != op.body["$ref"] {
			t.Errorf("%s: the item's body is %v, want %v", op.id, body, op.body)
		}
		maps.DeleteFunc(required, func(_ string, is bool) bool { return !is })
		got := map[string]bool{}
		for _, name := range item["required"].([]any) {
			got[name.(string)] = true
		}
		if !maps.Equal(got, required) {
			t.Errorf("%s: the item requires %v, want %v", op.id, got, required)
		}
	}
}

// membersOf returns the names of an object's members, and whether each is required.
func membersOf(schema any) map[string]bool {
	members := map[string]bool{}
	s, _ := schema.(object)
	properties, _ := s["properties"].(object)
	required, _ := s["required"].([]any)
	for name := range properties {
		members[name] = slices.Contains(required, any(name))
	}
	return members
}
