package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// describeBatch describes the items of write-batch by the operations that they name: their parameters and
// bodies are those of the operation, so that generated clients check an item like a request of its own.
func (a *server) describeBatch() {
	schemas := a.huma.OpenAPI().Components.Schemas
	item := &huma.Schema{Description: "A write", Discriminator: &huma.Discriminator{
		PropertyName: "operation", Mapping: map[string]string{}}}
	for _, id := range slices.Sorted(maps.Keys(a.writes)) {
		name := pascal(strings.ReplaceAll(id, "-", "_")) + "Write"
		schemas.Map()[name] = a.describeWrite(id)
		ref := "#/components/schemas/" + name
		item.OneOf = append(item.OneOf, &huma.Schema{Ref: ref})
		item.Discriminator.Mapping[id] = ref
	}
	least, most := 1, maxWrites
	whole := objectOf(map[string]*huma.Schema{"items": {
		Type: huma.TypeArray, Items: item, MinItems: &least, MaxItems: &most,
		Description: "The writes, in the order in which they are made",
	}}, "items")
	whole.Description = "Writes that are made together"
	schemas.Map()["Batch"] = whole
	a.declared(a.batch).RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/Batch"}}}}
}

// describeWrite returns the schema of an item that names the operation.
func (a *server) describeWrite(id string) *huma.Schema {
	op := a.declared(a.writes[id])
	members := map[string]*huma.Schema{
		"operation": {Type: huma.TypeString, Enum: []any{id}, Description: "The id of the operation"}}
	required := []string{"operation"}
	for _, in := range []struct{ place, member, about string }{
		{"path", "path", "The parameters in its path"}, {"query", "query", "The parameters in its query"},
		{"header", "headers", "Its headers"},
	} {
		s := objectOf(map[string]*huma.Schema{})
		s.Description = in.about
		for _, p := range op.Parameters {
			if p.In != in.place || p.Name == dryRunParameter {
				continue
			}
			described := *p.Schema
			described.Description = p.Description
			s.Properties[p.Name] = &described
			if p.Required {
				s.Required = append(s.Required, p.Name)
			}
		}
		if len(s.Properties) == 0 {
			continue
		}
		members[in.member] = s
		if len(s.Required) > 0 {
			required = append(required, in.member)
		}
	}
	if body := op.RequestBody; body != nil {
		members["body"] = body.Content["application/json"].Schema
		if body.Required {
			required = append(required, "body")
		}
	}
	s := objectOf(members, required...)
	s.Description = op.Summary + ": " + id + ", in a batch"
	return s
}

// objectOf returns the schema of an object with these members alone.
func objectOf(members map[string]*huma.Schema, required ...string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Properties: members, Required: required, AdditionalProperties: false}
}
