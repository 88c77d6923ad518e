package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// generator writes the types and methods of a document.
type generator struct {
	*document
	out strings.Builder
	// requests are the schemas that requests have, answers those that answers have.
	requests, answers map[string]bool
	// tracked are the schemas of answers that have an ETag, or say that they are of an earlier request or a dry run.
	tracked map[string]bool
}

func (g *generator) printf(format string, args ...any) { fmt.Fprintf(&g.out, format, args...) }

// reach adds the schemas that one refers to.
func (g *generator) reach(s schema, into map[string]bool) {
	if s.Ref != "" {
		if name := refName(s.Ref); !into[name] {
			into[name] = true
			g.reach(g.Components.Schemas[name], into)
		}
		return
	}
	for _, p := range s.Properties {
		g.reach(p, into)
	}
	if s.Items != nil {
		g.reach(*s.Items, into)
	}
	for _, one := range s.OneOf {
		g.reach(one, into)
	}
}

// isPage reports whether a schema is a page of a list, which is one generic type in Go.
func isPage(s schema) bool {
	_, hasItems := s.Properties["items"]
	_, hasCursor := s.Properties["next_cursor"]
	return hasItems && hasCursor && len(s.Properties) == 2
}

// goType returns the Go type of a schema, without its nullability.
func (g *generator) goType(s schema) (string, error) {
	switch {
	case s.Ref != "":
		return typeName(refName(s.Ref)), nil
	case len(s.OneOf) == 2 && s.OneOf[0].only() == "string" && s.OneOf[1].only() == "integer":
		return "string", nil // an integer equals its digits
	}
	switch s.only() {
	case "boolean":
		return "bool", nil
	case "number":
		return "float64", nil
	case "integer":
		if s.Maximum > 0 && s.Maximum < 1<<31 {
			return "int", nil
		}
		return "int64", nil
	case "array":
		item, err := g.goType(*s.Items)
		return "[]" + item, err
	case "string":
		return map[string]string{"uuid": "uuid.UUID", "date-time": "time.Time", "date": "Date"}[s.Format], nil
	}
	var values schema
	if s.Values.Kind == yaml.MappingNode && len(s.Properties) == 0 && s.Values.Decode(&values) == nil {
		value, err := g.valueType(values)
		return "map[string]" + value, err
	}
	if s.isAny() {
		return "json.RawMessage", nil
	}
	return "", fmt.Errorf("a schema of type %v (%s) has no Go type yet", s.Type, s.Description)
}

// valueType is goType, with string for a string without a format of its own.
func (g *generator) valueType(s schema) (string, error) {
	t, err := g.goType(s)
	if t == "" && err == nil {
		t = "string"
	}
	return t, err
}

// zeroIsAbsent reports whether the zero value of a member that an answer leaves out can be no other value.
func (g *generator) zeroIsAbsent(s schema) bool {
	resolved := g.schemaOf(s)
	return resolved.only() == "string" || resolved.only() == "array"
}

// member returns the Go type and the tag of a member of an object.
func (g *generator) member(name string, s schema, isRequired, isRequest bool) (goType, tag string, err error) {
	t, err := g.valueType(s)
	if err != nil {
		return "", "", err
	}
	if s.isAny() && isRequest {
		t = "any"
	}
	isReference := s.only() == "array" || strings.HasPrefix(t, "map[") || s.isAny() // which has a value for none
	switch {
	case isRequired && !s.isNullable():
		return t, name, nil
	case isRequired:
		return "*" + t, name, nil
	case isRequest && s.isNullable():
		return "Nullable[" + t + "]", name + ",omitzero", nil
	case s.isNullable() || isRequest && !isReference || !isRequest && !isReference && !g.zeroIsAbsent(s):
		return "*" + t, name + ",omitempty", nil
	}
	return t, name + ",omitzero", nil
}

func (g *generator) types() error {
	for _, name := range slices.Sorted(maps.Keys(g.Components.Schemas)) {
		s := g.Components.Schemas[name]
		switch {
		case !g.requests[name] && !g.answers[name], isPage(s):
		case len(s.Enum) > 0:
			g.enum(typeName(name), s)
		default:
			if err := g.object(name, s); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

func (g *generator) enum(name string, s schema) {
	g.printf("\n%stype %s string\n\nconst (\n", comment(0, sentence(name, s.Description)), name)
	for i, value := range s.Enum {
		constant := name + exported(words(value)...)
		if i < len(s.EnumDescriptions) {
			g.printf("%s", comment(1, period(constant+": "+s.EnumDescriptions[i])))
		}
		g.printf("\t%s %s = %q\n", constant, name, value)
	}
	g.printf(")\n")
}

func (g *generator) object(name string, s schema) error {
	g.printf("\n%stype %s struct {\n", comment(0, sentence(typeName(name), s.Description)), typeName(name))
	if g.tracked[name] {
		g.printf("\tMeta `json:\"-\"`\n\n")
	}
	for _, property := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[property]
		t, tag, err := g.member(property, p, slices.Contains(s.Required, property), g.requests[name])
		if err != nil {
			return fmt.Errorf("%s: %w", property, err)
		}
		g.printf("%s\t%s %s `json:%q`\n", comment(1, period(p.Description)), exported(words(property)...), t, tag)
	}
	g.printf("}\n")
	return nil
}
