package samples

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// JSON returns a value as indented JSON, its members in the order of its schema: those that are required first.
func JSON(schemas huma.Registry, v any, schema *huma.Schema) string {
	var compact, indented bytes.Buffer
	write(&compact, schemas, v, schema)
	if err := json.Indent(&indented, compact.Bytes(), "", "  "); err != nil {
		panic(err) // it was written as JSON
	}
	return indented.String()
}

func write(out *bytes.Buffer, schemas huma.Registry, v any, schema *huma.Schema) {
	schema = resolve(schemas, schema)
	switch v := v.(type) {
	case map[string]any:
		schema = named(schemas, v, schema)
		out.WriteByte('{')
		for i, name := range membersOf(v, schema) {
			if i > 0 {
				out.WriteByte(',')
			}
			write(out, schemas, name, nil)
			out.WriteByte(':')
			write(out, schemas, v[name], propertyOf(schema, name))
		}
		out.WriteByte('}')
	case []any:
		out.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			write(out, schemas, item, itemsOf(schema))
		}
		out.WriteByte(']')
	default:
		text := json.NewEncoder(out)
		text.SetEscapeHTML(false)
		if err := text.Encode(v); err != nil {
			panic(err) // examples are JSON
		}
	}
}

// named returns that of several schemas which an object names, or the one that there is.
func named(schemas huma.Registry, v map[string]any, schema *huma.Schema) *huma.Schema {
	if schema == nil || schema.Discriminator == nil {
		return schema
	}
	name, _ := v[schema.Discriminator.PropertyName].(string)
	return schemas.SchemaFromRef(schema.Discriminator.Mapping[name])
}

// membersOf returns the names of an object's members: those of the schema in their order, then others.
func membersOf(v map[string]any, schema *huma.Schema) (names []string) {
	if schema != nil {
		names = slices.DeleteFunc(Properties(schema), func(name string) bool { _, ok := v[name]; return !ok })
	}
	var others []string
	for name := range v {
		if !slices.Contains(names, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return append(names, others...)
}

// Properties returns the names of an object's members: the required ones in their order, then the others by name.
func Properties(schema *huma.Schema) []string {
	var others []string
	for name := range schema.Properties {
		if !slices.Contains(schema.Required, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return slices.Concat(schema.Required, others)
}

// resolve returns the schema that a reference, or an anyOf of one and null, refers to.
func resolve(schemas huma.Registry, schema *huma.Schema) *huma.Schema {
	switch {
	case schema == nil:
		return nil
	case len(schema.AnyOf) > 0:
		return resolve(schemas, schema.AnyOf[0])
	case schema.Ref != "":
		return schemas.SchemaFromRef(schema.Ref)
	}
	return schema
}

// Format returns the format of a schema, which may be one that huma does not check.
func Format(schema *huma.Schema) string {
	if extension, ok := schema.Extensions["format"].(string); ok {
		return extension
	}
	return schema.Format
}

// refName returns the name of the schema that one refers to, also as the items of an array; "" for none.
func refName(schema *huma.Schema) string {
	switch {
	case len(schema.AnyOf) > 0:
		return refName(schema.AnyOf[0])
	case schema.Type == huma.TypeArray:
		return refName(schema.Items)
	}
	return strings.TrimPrefix(schema.Ref, "#/components/schemas/")
}

func propertyOf(schema *huma.Schema, name string) *huma.Schema {
	if schema == nil {
		return nil
	}
	return schema.Properties[name]
}

func itemsOf(schema *huma.Schema) *huma.Schema {
	if schema == nil {
		return nil
	}
	return schema.Items
}
