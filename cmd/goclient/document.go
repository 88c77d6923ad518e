package main

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is what the client needs of an OpenAPI document.
type document struct {
	Paths      map[string]map[string]operation `yaml:"paths"`
	Components struct {
		Schemas   map[string]schema   `yaml:"schemas"`
		Responses map[string]response `yaml:"responses"`
	} `yaml:"components"`
}

type operation struct {
	ID          string      `yaml:"operationId"`
	Name        string      `yaml:"x-method-name"` // among those of its tag
	Summary     string      `yaml:"summary"`
	Description string      `yaml:"description"`
	Tags        []string    `yaml:"tags"`
	Parameters  []parameter `yaml:"parameters"`
	RequestBody *struct {
		Required bool             `yaml:"required"`
		Content  map[string]media `yaml:"content"`
	} `yaml:"requestBody"`
	Responses map[string]response `yaml:"responses"`
}

type parameter struct {
	Name        string `yaml:"name"`
	In          string `yaml:"in"`
	Required    bool   `yaml:"required"`
	Description string `yaml:"description"`
	Schema      schema `yaml:"schema"`
}

type response struct {
	Ref     string           `yaml:"$ref"`
	Content map[string]media `yaml:"content"`
	Headers map[string]any   `yaml:"headers"`
}

type media struct {
	Schema schema `yaml:"schema"`
}

type schema struct {
	Ref              string            `yaml:"$ref"`
	Type             names             `yaml:"type"`
	Format           string            `yaml:"format"`
	Description      string            `yaml:"description"`
	Enum             []string          `yaml:"enum"`
	EnumDescriptions []string          `yaml:"x-enum-descriptions"`
	Maximum          float64           `yaml:"maximum"`
	Properties       map[string]schema `yaml:"properties"`
	// Values is the schema of an object's values, or a boolean.
	Values   yaml.Node `yaml:"additionalProperties"`
	Required []string  `yaml:"required"`
	Items    *schema   `yaml:"items"`
	OneOf    []schema  `yaml:"oneOf"`
	// Discriminator tells the schemas of oneOf apart.
	Discriminator *struct {
		Property string            `yaml:"propertyName"`
		Mapping  map[string]string `yaml:"mapping"`
	} `yaml:"discriminator"`
}

// names is one name, or a list of them.
type names []string

func (n *names) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*n = names{node.Value}
		return nil
	}
	return node.Decode((*[]string)(n))
}

func (s schema) isNullable() bool { return slices.Contains(s.Type, "null") }

// only returns the type of a schema besides null.
func (s schema) only() string {
	rest := slices.DeleteFunc(slices.Clone(s.Type), func(t string) bool { return t == "null" })
	if len(rest) != 1 {
		return ""
	}
	return rest[0]
}

// isAny reports whether a schema says nothing of its values.
func (s schema) isAny() bool {
	return s.Ref == "" && len(s.Type) == 0 && len(s.OneOf) == 0 && len(s.Properties) == 0
}

// refName returns the name at the end of a reference.
func refName(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

func (d *document) schemaOf(s schema) schema {
	if s.Ref != "" {
		return d.Components.Schemas[refName(s.Ref)]
	}
	return s
}

// in returns the parameters of a place: "path", "query" or "header".
func (op operation) in(place string) []parameter {
	var found []parameter
	for _, p := range op.Parameters {
		if p.In == place {
			found = append(found, p)
		}
	}
	return found
}

func (op operation) header(name string) (parameter, bool) {
	for _, p := range op.in("header") {
		if p.Name == name {
			return p, true
		}
	}
	return parameter{}, false
}

// answer returns the response of success.
func (op operation) answer() response {
	for _, status := range []string{"200", "201", "204"} {
		if r, ok := op.Responses[status]; ok {
			return r
		}
	}
	return response{}
}

// body returns the schema of the request's JSON.
func (op operation) body() (schema, bool) {
	if op.RequestBody == nil {
		return schema{}, false
	}
	m, ok := op.RequestBody.Content["application/json"]
	return m.Schema, ok
}

// codes returns those of the problems that an operation declares, in order.
func (d *document) codes(op operation) []string {
	var codes []string
	for _, r := range op.Responses {
		if r.Ref != "" {
			r = d.Components.Responses[refName(r.Ref)]
		}
		problem := d.schemaOf(r.Content["application/problem+json"].Schema)
		codes = append(codes, d.schemaOf(problem.Properties["code"]).Enum...)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func parse(text []byte) (*document, error) {
	var d document
	if err := yaml.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	if len(d.Paths) == 0 {
		return nil, fmt.Errorf("the document has no paths")
	}
	return &d, nil
}
