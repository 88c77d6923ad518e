// Package samples writes samples of code for the operations of a document, from their recorded examples: for curl,
// and for the clients of this repository in TypeScript and Go.
package samples

import (
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Extension is the member of an operation that has its samples. Tools for documentation know it.
const Extension = "x-codeSamples"

// MethodName is the member of an operation that has its name among those of its tag: list-events of list-pickup-events.
// The generators of the clients read it, and write it as their languages do.
const MethodName = "x-method-name"

// Sample is a sample of code.
type Sample struct {
	Language string `json:"lang" yaml:"lang"`
	Label    string `json:"label" yaml:"label"`
	Source   string `json:"source" yaml:"source"`
}

// Add adds to the operations of a document the names of their methods, and samples, but for those whose example is not
// recorded yet: without a document there is no server that could record it. Their server is the document's first.
func Add(document *huma.OpenAPI) {
	all := callsOf(document)
	for _, c := range all {
		if c.op.Extensions == nil {
			c.op.Extensions = map[string]any{}
		}
		c.op.Extensions[MethodName] = c.name
		if !c.isRecorded() {
			continue
		}
		samples := []Sample{{"Shell", "curl", c.curl()}}
		if !c.isPage() {
			samples = append(samples, Sample{"TypeScript", "TypeScript", c.typeScript(all)},
				Sample{"Go", "Go", c.golang(all)})
		}
		c.op.Extensions[Extension] = samples
	}
}

// call is an operation whose example is called.
type call struct {
	op           *huma.Operation
	schemas      huma.Registry
	server       string
	method, path string
	tag, name    string // waybill.{tag}.{name}, as the document writes names
}

// callsOf returns the operations in the order of their paths. The second one of a name, like create-pickups
// beside create-pickup, has another word.
func callsOf(document *huma.OpenAPI) (all []*call) {
	paths := make([]string, 0, len(document.Paths))
	for path := range document.Paths {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	taken := map[string]bool{}
	for _, path := range paths {
		item := document.Paths[path]
		for _, at := range []struct {
			method string
			op     *huma.Operation
		}{{"DELETE", item.Delete}, {"GET", item.Get}, {"PATCH", item.Patch}, {"POST", item.Post}, {"PUT", item.Put}} {
			if at.op == nil {
				continue
			}
			c := &call{at.op, document.Components.Schemas, document.Servers[0].URL, at.method, path, at.op.Tags[0], ""}
			if c.name = methodName(at.op.OperationID, c.tag); taken[c.tag+" "+c.name] {
				c.name += "-many"
			}
			taken[c.tag+" "+c.name] = true
			all = append(all, c)
		}
	}
	return all
}

// isRecorded reports whether the operation has an example of all that its samples send.
func (c *call) isRecorded() bool {
	for _, p := range c.parameters("path") {
		if p.Example == nil {
			return false
		}
	}
	_, example := c.body()
	return example != nil || c.op.RequestBody == nil || c.op.RequestBody.Content["application/json"] == nil
}

// isPage reports whether the answer is a page for people, which the clients leave out.
func (c *call) isPage() bool { return c.answer("text/html") != nil }

// answer returns the answer of a media type, or nil.
func (c *call) answer(mediaType string) *huma.MediaType {
	for _, status := range []string{"200", "201"} {
		if r := c.op.Responses[status]; r != nil && r.Content[mediaType] != nil {
			return r.Content[mediaType]
		}
	}
	return nil
}

// value returns the name and the schema of what the operation answers; "" for none.
func (c *call) value() (string, *huma.Schema) {
	answer := c.answer("application/json")
	if answer == nil {
		return "", nil
	}
	return refName(answer.Schema), resolve(c.schemas, answer.Schema)
}

func (c *call) isStream() bool { return c.answer("text/event-stream") != nil }

// isList reports whether it is a list, which has pages. A statement has items too, and is one value.
func (c *call) isList() bool {
	_, s := c.value()
	return s != nil && s.Properties["items"] != nil && s.Properties["next_cursor"] != nil
}

func (c *call) isEdit() bool {
	return slices.ContainsFunc(c.op.Parameters, func(p *huma.Param) bool { return p.Name == "If-Match" && p.Required })
}

// getter returns the operation that reads what this one edits.
func (c *call) getter(all []*call) *call {
	return all[slices.IndexFunc(all, func(g *call) bool { return g.path == c.path && g.method == "GET" })]
}

// parameters returns the parameters of a place that the example has.
func (c *call) parameters(in string) (of []*huma.Param) {
	for _, p := range c.op.Parameters {
		if p.In == in && p.Example != nil {
			of = append(of, p)
		}
	}
	return of
}

func (c *call) takes(header string) bool {
	return slices.ContainsFunc(c.op.Parameters, func(p *huma.Param) bool { return p.Name == header })
}

func (c *call) isPublic() bool { return len(c.op.Security) == 1 && len(c.op.Security[0]) == 0 }

// body returns the schema and the example of the JSON body, or nil.
func (c *call) body() (*huma.Schema, any) {
	if c.op.RequestBody == nil || c.op.RequestBody.Content["application/json"] == nil {
		return nil, nil
	}
	media := c.op.RequestBody.Content["application/json"]
	return media.Schema, media.Example
}

// code returns an error code of this operation, for a sample that tells it; "" for none.
func (c *call) code() string {
	for _, status := range []string{"409", "422", "401"} {
		r := c.op.Responses[status]
		if r == nil {
			continue
		}
		if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
			return snake(name)
		}
		for _, code := range r.Content["application/problem+json"].Schema.Properties["code"].Enum {
			if !slices.Contains(general, code.(string)) {
				return code.(string)
			}
		}
	}
	return ""
}

// general are codes of mistakes in a program, which it does not switch on.
var general = []string{"idempotency_key_reused", "read_only_field", "unknown_field", "unknown_parameter",
	"validation_failed"}
