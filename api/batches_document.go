package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// describeBatch describes the items of write-batch by the operations that they name: the parameters and the body of
// each are those of its operation, so that a generated client checks an item like a request of its own.
//
// The server goes on to check a batch by the type Writes, and each item by its operation, which says of an item
// exactly what it says of the request.
func (a *server) describeBatch() {
	body := a.declared(operation{method: "POST", path: batchPath}).RequestBody.Content["application/json"]
	schemas := a.huma.OpenAPI().Components.Schemas
	detach(schemas, body.Schema, "Writes", "Write", "WriteHeaders")
	item := &huma.Schema{Discriminator: &huma.Discriminator{
		PropertyName: "operation", Mapping: map[string]string{}}}
	for _, id := range slices.Sorted(maps.Keys(a.writes)) {
		name := pascal(strings.ReplaceAll(id, "-", "_")) + "Write"
		schemas.Map()[name] = a.describeWrite(id)
		ref := "#/components/schemas/" + name
		item.OneOf = append(item.OneOf, &huma.Schema{Ref: ref})
		item.Discriminator.Mapping[id] = ref
	}
	schemas.Map()["Write"] = item
	items := *body.Schema.Properties["items"]
	items.Items = &huma.Schema{Ref: "#/components/schemas/Write"}
	schemas.Map()["Writes"] = objectOf(map[string]*huma.Schema{"items": &items}, "items")
	body.Schema = &huma.Schema{Ref: "#/components/schemas/Writes"}
}

// detach puts the schemas of these names into the one that refers to the first, and takes them out of the document.
func detach(schemas huma.Registry, s *huma.Schema, names ...string) {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok && slices.Contains(names, name) {
		*s = *schemas.Map()[name]
		detach(schemas, s, names...)
		delete(schemas.Map(), name)
		return
	}
	if s.Items != nil {
		detach(schemas, s.Items, names...)
	}
	for _, property := range s.Properties {
		detach(schemas, property, names...)
	}
}

// describeWrite returns the schema of an item that names the operation.
func (a *server) describeWrite(id string) *huma.Schema {
	op := a.declared(a.writes[id])
	members := map[string]*huma.Schema{
		"operation": {Type: huma.TypeString, Enum: []any{id}, Description: "The id of the operation"}}
	required := []string{"operation"}
	for _, part := range []struct{ place, member, about string }{
		{"path", "path", "The parameters in its path"}, {"query", "query", "The parameters in its query"},
		{"header", "headers", "Its headers"},
	} {
		s := parametersIn(op, part.place)
		if len(s.Properties) == 0 {
			continue
		}
		s.Description = part.about
		members[part.member] = s
		if len(s.Required) > 0 {
			required = append(required, part.member)
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

// parametersIn returns the schema of an object with the parameters of a place. The dry run is that of the batch.
func parametersIn(op *huma.Operation, place string) *huma.Schema {
	s := objectOf(map[string]*huma.Schema{})
	for _, p := range op.Parameters {
		if p.In != place || p.Name == dryRunParameter || p.Name == consistencyHeader {
			continue
		}
		described := *p.Schema
		described.Description = p.Description
		s.Properties[p.Name] = &described
		if p.Required {
			s.Required = append(s.Required, p.Name)
		}
	}
	return s
}

// objectOf returns the schema of an object with these members alone.
func objectOf(members map[string]*huma.Schema, required ...string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Properties: members, Required: required, AdditionalProperties: false}
}
