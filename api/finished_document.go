package api

import (
	"cmp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/api/samples"
)

// largestInteger is 2^53-1, up to which JavaScript counts exactly.
const largestInteger = 1<<53 - 1

// finishDocument changes what huma has written for its own use into what generators of clients need. It
// runs when all operations are registered: huma validates requests with the same schemas.
func finishDocument(o *huma.OpenAPI) {
	schemas := o.Components.Schemas
	describeNulls(schemas)
	describeSchemas(schemas.Map())
	boundMembers(schemas.Map())
	deprecateMembers(schemas)
	read := map[*huma.Schema]bool{}    // reachable from a request
	written := map[*huma.Schema]bool{} // reachable from an answer
	responses := func(all map[string]*huma.Response) {
		for _, response := range all {
			for _, media := range response.Content {
				reach(schemas, media.Schema, written)
			}
			for _, header := range response.Headers {
				reach(schemas, header.Schema, written)
			}
		}
	}
	responses(o.Components.Responses)
	// No operation refers to it: it is for clients that want one type for all errors.
	reach(schemas, schemas.Map()["Problem"], written)
	operations := operationsOf(o)
	addExamples(operations)
	for _, op := range operations {
		for _, p := range op.Parameters {
			reach(schemas, p.Schema, read)
		}
		if op.RequestBody != nil {
			for _, media := range op.RequestBody.Content {
				reach(schemas, media.Schema, read)
			}
		}
		responses(op.Responses)
	}
	for _, item := range o.Webhooks { // which the reader of the document receives, like an answer
		for _, media := range item.Post.RequestBody.Content {
			reach(schemas, media.Schema, written)
		}
		responses(item.Post.Responses)
	}
	for schema := range read {
		describeValues(schema)
		limitEnums(schemas, schema, 0)
		finishSchema(schema)
	}
	for schema := range written {
		describeValues(schema)
		limitEnums(schemas, schema, mostToCome)
		finishSchema(schema)
		// Requests are strict. Of answers nothing is said, so that a new member does not break clients.
		if !read[schema] && schema.AdditionalProperties == false {
			schema.AdditionalProperties = nil
		}
	}
	samples.Add(o)
}

// leastOf are the least values of members of rows that no tag bounds: a version begins at 1, and is only incremented;
// consents are numbered from 1.
var leastOf = map[string]float64{"version": 1, "seq": 1}

func boundMembers(schemas map[string]*huma.Schema) {
	for _, schema := range schemas {
		for member, property := range schema.Properties {
			if least, ok := leastOf[member]; ok && property.Type == huma.TypeInteger && property.Minimum == nil {
				property.Minimum = &least
			}
		}
	}
}

// operationsOf returns the operations of a document.
func operationsOf(o *huma.OpenAPI) (operations []*huma.Operation) {
	for _, item := range o.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				operations = append(operations, op)
			}
		}
	}
	return operations
}

// mostToCome is the longest array of an enum's values in an answer: a limit that grew with the enum would be broken by
// each new value, of a status or a transition.
const mostToCome = 100

// limitEnums limits an array of an enum's values, of which a request has each at most once.
func limitEnums(schemas huma.Registry, s *huma.Schema, most int) {
	if s.Type != huma.TypeArray || s.MaxItems != nil || s.Items.Ref == "" {
		return
	}
	if of := schemas.SchemaFromRef(s.Items.Ref); len(of.Enum) > 0 {
		most = cmp.Or(most, len(of.Enum))
		s.MaxItems = &most
		s.PrecomputeMessages() // by which a longer one is rejected
	}
}

// finishSchema removes huma's own keyword, whose messages have been built, and int64, of which some
// generators make BigInt: every integer is one that JavaScript counts.
func finishSchema(s *huma.Schema) {
	s.PatternDescription = ""
	if s.Type != huma.TypeInteger || s.Format == "int32" {
		return
	}
	s.Format = ""
	if s.Maximum == nil {
		largest := float64(largestInteger)
		s.Maximum = &largest
	}
	if s.Minimum == nil {
		least := -float64(largestInteger)
		s.Minimum = &least
	}
}

// reach adds a schema, and those that it consists of or refers to.
func reach(schemas huma.Registry, s *huma.Schema, reached map[*huma.Schema]bool) {
	if s == nil || reached[s] {
		return
	}
	reached[s] = true
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		reach(schemas, schemas.Map()[name], reached)
	}
	reach(schemas, s.Items, reached)
	for _, property := range s.Properties {
		reach(schemas, property, reached)
	}
	for _, part := range slices.Concat(s.OneOf, s.AnyOf) {
		reach(schemas, part, reached)
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		reach(schemas, values, reached)
	}
}
