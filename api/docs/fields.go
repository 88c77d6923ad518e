package docs

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/api/samples"
)

// field is a member of a body, or a parameter, as a page shows it.
type field struct {
	Name, Type           string
	Required, Deprecated bool
	About                template.HTML
	Facts                []string // its limits, such as "at most 200 characters"
	Values               []value  // of an enum
	Fields               []field  // of an object, or of the objects of an array
}

type value struct {
	Name  string
	About template.HTML
}

// deepest is how deep members of members are shown.
const deepest = 5

// fieldsOf returns the members of an object, or of an array's objects: the required ones first, in their order,
// then the others by name.
func (s *Site) fieldsOf(schema *huma.Schema, depth int) (fields []field) {
	schema = s.resolve(schema)
	switch {
	case schema == nil || depth > deepest:
		return nil
	case schema.Type == huma.TypeArray:
		return s.fieldsOf(schema.Items, depth)
	case len(schema.OneOf) > 0:
		for _, variant := range schema.OneOf {
			if of := s.resolve(variant); len(of.Properties) > 0 {
				fields = append(fields, s.field(cmp.Or(of.Title, nameIn(schema, variant)), of, false, depth))
			}
		}
		return fields
	}
	for _, name := range samples.Properties(schema) {
		fields = append(fields, s.field(name, schema.Properties[name], slices.Contains(schema.Required, name), depth))
	}
	if values, ok := schema.AdditionalProperties.(*huma.Schema); ok {
		fields = append(fields, s.field("(any name)", values, false, depth))
	}
	return fields
}

// nameIn returns the value by which one of several schemas is told apart; "" if there is none.
func nameIn(several, variant *huma.Schema) string {
	if several.Discriminator != nil {
		for name, ref := range several.Discriminator.Mapping {
			if ref == variant.Ref {
				return name
			}
		}
	}
	return ""
}

func (s *Site) field(name string, schema *huma.Schema, required bool, depth int) field {
	of := s.resolve(schema)
	about := schema.Description
	if about == "" {
		about = of.Description
	}
	f := field{Name: name, Type: s.typeOf(schema), Required: required, About: s.markdown.html(about),
		Deprecated: schema.Deprecated || of.Deprecated, Facts: factsOf(of), Values: s.valuesOf(of),
		Fields: s.fieldsOf(schema, depth+1)}
	if of.Type == huma.TypeArray && len(f.Values) == 0 {
		f.Values = s.valuesOf(s.resolve(of.Items))
	}
	return f
}

// resolve returns the schema that a reference, or an anyOf of one and null, refers to.
func (s *Site) resolve(schema *huma.Schema) *huma.Schema {
	if schema == nil {
		return nil
	}
	if len(schema.AnyOf) > 0 {
		return s.resolve(schema.AnyOf[0])
	}
	if schema.Ref != "" {
		return s.source.Document.Components.Schemas.SchemaFromRef(schema.Ref)
	}
	return schema
}

// typeOf returns the type of a schema in words.
func (s *Site) typeOf(schema *huma.Schema) string {
	name := strings.TrimPrefix(schema.Ref, "#/components/schemas/")
	of := s.resolve(schema)
	switch {
	case len(schema.AnyOf) > 0:
		return s.typeOf(schema.AnyOf[0]) + " or null"
	case name != "":
		return name
	case len(of.OneOf) > 0:
		var types []string
		for _, one := range of.OneOf {
			types = append(types, s.typeOf(one))
		}
		return strings.Join(slices.Compact(types), " or ")
	case of.Type == huma.TypeArray:
		return "array of " + s.typeOf(of.Items)
	}
	words := of.Type
	if format := samples.Format(of); format != "" {
		words += " (" + format + ")"
	}
	if of.Nullable {
		words += " or null"
	}
	return words
}

// factsOf returns the limits of a schema.
func factsOf(s *huma.Schema) (facts []string) {
	add := func(form string, n any) { facts = append(facts, fmt.Sprintf(form, n)) }
	if s.Minimum != nil && *s.Minimum > -largestInteger {
		add("≥ %s", number(*s.Minimum))
	}
	if s.ExclusiveMinimum != nil {
		add("> %s", number(*s.ExclusiveMinimum))
	}
	if s.Maximum != nil && *s.Maximum < largestInteger {
		add("≤ %s", number(*s.Maximum))
	}
	if s.MinLength != nil && *s.MinLength > 0 {
		add("at least %d characters", *s.MinLength)
	}
	if s.MaxLength != nil {
		add("at most %d characters", *s.MaxLength)
	}
	if s.MinItems != nil && *s.MinItems > 0 {
		add("at least %d items", *s.MinItems)
	}
	if s.MaxItems != nil {
		add("at most %d items", *s.MaxItems)
	}
	if s.Default != nil {
		add("default %v", s.Default)
	}
	if s.Pattern != "" {
		add("matches %s", s.Pattern)
	}
	return facts
}

// largestInteger is the limit of integers that have no other: the document gives it for JavaScript.
const largestInteger = 1<<53 - 1

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// valuesOf returns the values of an enum, with what each means.
func (s *Site) valuesOf(schema *huma.Schema) (values []value) {
	about, _ := schema.Extensions["x-enum-descriptions"].([]string)
	for i, v := range schema.Enum {
		one := value{Name: fmt.Sprint(v)}
		if i < len(about) {
			one.About = s.markdown.html(about[i])
		}
		values = append(values, one)
	}
	return values
}
