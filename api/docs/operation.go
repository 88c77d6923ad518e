package docs

import (
	"cmp"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/api/samples"
)

// operationView is what the page of an operation shows.
type operationView struct {
	*operation
	About      template.HTML
	Public     bool
	Parameters []parameters
	Body       *body
	Answers    []answer
	Refusals   []refusals
	Samples    []code
	CanBeTried bool    // by a form: a webhook and a page cannot
	Try        []input // the fields of the form
	TryBody    string
	Example    code // of the answer
}

// parameters are those of a place.
type parameters struct {
	Title  string
	Fields []field
}

// body is that of a request or an answer.
type body struct {
	MediaType, Type string
	Required        bool
	About           template.HTML
	Fields          []field
	Example         code
}

type answer struct {
	Status, Text string
	Headers      []field
	Body         *body
}

// refusals are the errors with a status.
type refusals struct {
	Status, Text string
	Errors       []refusal
}

type refusal struct {
	Error
	Example code
}

// input is a field of the form that tries an operation.
type input struct {
	Name, In, Value, Placeholder string
	Required, Repeated           bool
	Values                       []string // to choose from
}

func (s *Site) operationPage(op *operation) operationView {
	v := operationView{operation: op, About: s.markdown.html(op.Description),
		Parameters: s.parameters(op), Body: s.body(op.RequestBody), Samples: samplesOf(op)}
	v.Public = len(op.Security) == 1 && len(op.Security[0]) == 0
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		response := s.response(op.Responses[status])
		if status >= "400" && len(s.codesOf(response)) > 0 {
			v.Refusals = append(v.Refusals, s.refusals(status, response))
			continue
		}
		v.Answers = append(v.Answers, s.answer(status, response))
	}
	for _, a := range v.Answers {
		if a.Body != nil && (v.Example.Text == "" || a.Status == strconv.Itoa(op.DefaultStatus)) {
			v.Example = a.Body.Example
			v.Example.Label = a.Status + " " + a.Text
		}
	}
	if !op.Webhook && !s.isPage(op) {
		v.CanBeTried, v.Try = true, s.inputs(op)
		if v.Body != nil {
			v.TryBody = v.Body.Example.Text
		}
	}
	return v
}

func (s *Site) isPage(op *operation) bool {
	return op.Responses["200"] != nil && op.Responses["200"].Content["text/html"] != nil
}

func (s *Site) response(r *huma.Response) *huma.Response {
	if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
		return s.source.Document.Components.Responses[name]
	}
	return r
}

func (s *Site) parameters(op *operation) (places []parameters) {
	for _, place := range []struct{ in, title string }{{"path", "Path"}, {"query", "Query"}, {"header", "Headers"}} {
		var fields []field
		for _, p := range op.Parameters {
			if p.In == place.in {
				f := s.field(p.Name, p.Schema, p.Required, 0)
				f.Deprecated = f.Deprecated || p.Deprecated
				if p.Description != "" {
					f.About = s.markdown.html(p.Description)
				}
				fields = append(fields, f)
			}
		}
		if fields != nil {
			places = append(places, parameters{place.title, fields})
		}
	}
	return places
}

func (s *Site) body(request *huma.RequestBody) *body {
	if request == nil {
		return nil
	}
	b := s.content(request.Content)
	if b != nil {
		b.Required = request.Required
	}
	return b
}

// content returns the body with the first media type, which is JSON if there is such.
func (s *Site) content(content map[string]*huma.MediaType) *body {
	names := slices.Sorted(maps.Keys(content))
	if len(names) == 0 {
		return nil
	}
	mediaType := names[0]
	media := content[mediaType]
	b := &body{MediaType: mediaType, Type: s.typeOf(media.Schema), Fields: s.fieldsOf(media.Schema, 0)}
	if of := s.resolve(media.Schema); of.Type != huma.TypeArray {
		b.About = s.markdown.html(of.Description)
	}
	if media.Example != nil {
		text, isText := media.Example.(string)
		if !isText {
			text = s.jsonOf(media.Example, media.Schema)
		}
		b.Example = newCode("json", "", text)
	}
	return b
}

func (s *Site) answer(status string, response *huma.Response) answer {
	a := answer{Status: status, Text: textOf(status), Body: s.content(response.Content)}
	for _, name := range slices.Sorted(maps.Keys(response.Headers)) {
		header := response.Headers[name]
		f := s.field(name, header.Schema, header.Required, 0)
		f.About = s.markdown.html(header.Description)
		a.Headers = append(a.Headers, f)
	}
	return a
}

func textOf(status string) string {
	number, _ := strconv.Atoi(status)
	return http.StatusText(number)
}

// codesOf returns the codes of an error response.
func (s *Site) codesOf(response *huma.Response) (codes []string) {
	if media := response.Content["application/problem+json"]; media != nil {
		for _, code := range media.Schema.Properties["code"].Enum {
			codes = append(codes, code.(string))
		}
	}
	return codes
}

func (s *Site) refusals(status string, response *huma.Response) refusals {
	of := refusals{Status: status, Text: textOf(status)}
	media := response.Content["application/problem+json"]
	for _, name := range s.codesOf(response) {
		e, _ := slices.BinarySearchFunc(s.source.Errors, name, func(e Error, code string) int {
			return cmp.Compare(e.Code, code)
		})
		one := refusal{Error: s.source.Errors[e]}
		if example := s.example(media.Examples[name]); example != nil {
			one.Example = s.problemExample(example)
		}
		of.Errors = append(of.Errors, one)
	}
	return of
}

// problemExample returns the example of an error.
func (s *Site) problemExample(example any) code {
	return newCode("json", "", s.jsonOf(asJSON(example), s.source.Document.Components.Schemas.Map()["Problem"]))
}

func (s *Site) example(e *huma.Example) any {
	if e == nil {
		return nil
	}
	if name, ok := strings.CutPrefix(e.Ref, "#/components/examples/"); ok {
		return s.source.Document.Components.Examples[name].Value
	}
	return e.Value
}

// samplesOf returns the samples of code that the document has for an operation.
func samplesOf(op *operation) (all []code) {
	of, _ := op.Extensions[samples.Extension].([]samples.Sample)
	for _, one := range of {
		all = append(all, newCode(strings.ToLower(one.Language), one.Label, one.Source))
	}
	return all
}
