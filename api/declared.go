package api

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// Parts of the document that huma cannot derive from types. They serve client generators: types shared
// by many operations have one name.

// declaredRefusals declares a response for each error status of an operation, with the codes that it
// can have, so that generated clients can switch on them.
func (a *server) declaredRefusals(op operation) map[string]*huma.Response {
	byStatus := map[int][]db.Code{}
	for _, code := range op.allCodes() {
		named := slices.Contains(op.asNotFound, code)
		if named {
			byStatus[http.StatusNotFound] = append(byStatus[http.StatusNotFound], code)
		}
		if status := meanings[code].status; !named || slices.Contains(op.codes, code) && status != http.StatusNotFound {
			byStatus[status] = append(byStatus[status], code)
		}
	}
	out := map[string]*huma.Response{}
	for status, codes := range byStatus {
		out[strconv.Itoa(status)] = a.refusal(status, codes)
	}
	return out
}

// refusal returns the response for a status. One with a single code, or with the codes that the status
// has for every operation, is a component. Others are written out: a component that is named after its
// codes would get another name, and generated clients another type, with each new code.
func (a *server) refusal(status int, codes []db.Code) *huma.Response {
	components := a.huma.OpenAPI().Components
	if components.Responses == nil {
		components.Responses = map[string]*huma.Response{}
	}
	name := componentName(status, codes)
	if name == "" {
		return refusalResponse(components, status, codes)
	}
	if components.Responses[name] == nil {
		components.Responses[name] = refusalResponse(components, status, codes)
	}
	return &huma.Response{Ref: "#/components/responses/" + name}
}

// componentName returns the name of the component for a status with these codes, or "".
func componentName(status int, codes []db.Code) string {
	switch {
	case len(codes) == 1:
		return pascal(string(codes[0]))
	case slices.Equal(codes, codesOf(status, everyCode)):
		return strings.ReplaceAll(http.StatusText(status), " ", "")
	}
	return ""
}

// codesOf returns those codes that are answered with a status, sorted.
func codesOf(status int, codes []db.Code) (of []db.Code) {
	for _, code := range codes {
		if meanings[code].status == status {
			of = append(of, code)
		}
	}
	slices.Sort(of)
	return of
}

func pascal(snake string) string {
	var out strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String()
}

// refusalResponse returns a response whose body is a Problem with one of the codes. Its schema has the
// members of Problem itself: of an allOf, some generators make the intersection of two enums, which is
// nothing.
func refusalResponse(components *huma.Components, status int, codes []db.Code) *huma.Response {
	flat := *problemSchema(components.Schemas)
	flat.Properties = maps.Clone(flat.Properties)
	omitBlocking(flat.Properties, codes)
	flat.Properties["code"] = enum(codes)
	flat.Properties["code"].Description = "Stable and meant for programs"
	r := &huma.Response{
		Description: fmt.Sprintf("%s: %s", http.StatusText(status), strings.Join(names(codes), ", ")),
		Content: map[string]*huma.MediaType{"application/problem+json": {
			Schema: &flat, Examples: errorExamples(components, status, codes),
		}},
	}
	switch status {
	case http.StatusUnauthorized:
		r.Headers = header("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		r.Headers = header("Retry-After", "Seconds to wait before retrying")
	}
	return r
}

func header(name, about string) map[string]*huma.Header {
	return map[string]*huma.Header{name: {Description: about, Required: true,
		Schema: &huma.Schema{Type: huma.TypeString}}}
}

// problemSchema returns the component Problem, whose code is a reference to ErrorCode.
func problemSchema(schemas huma.Registry) *huma.Schema {
	schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	problem := schemas.Map()["Problem"]
	if schemas.Map()["ErrorCode"] == nil {
		codes := slices.Sorted(maps.Keys(meanings))
		all := enum(codes)
		sentences := make([]string, len(codes))
		for i, code := range codes {
			sentences[i] = meanings[code].detail
		}
		all.Description = "The error code; /errors/{code} documents it"
		all.Extensions = map[string]any{"x-enum-descriptions": sentences}
		schemas.Map()["ErrorCode"] = all
		problem.Properties["code"] = &huma.Schema{Ref: "#/components/schemas/ErrorCode"}
	}
	return problem
}

// errorCode is a code as a member of another schema than Problem.
type errorCode db.Code

// Schema implements huma.SchemaProvider.
func (errorCode) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Ref: "#/components/schemas/ErrorCode"}
}

func enum(codes []db.Code) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, code := range codes {
		s.Enum = append(s.Enum, string(code))
	}
	return s
}

// names returns enum values as strings.
func names[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// complete adds what huma cannot know to an operation of the document: that answers with other statuses
// have the same body, and which preconditions are required.
func (a *server) complete(op operation) {
	declared := a.declared(op)
	if op.raw != nil {
		declared.RequestBody = op.raw // if huma had known it, it would read the body
	}
	first := declared.Responses[strconv.Itoa(declared.DefaultStatus)]
	delete(first.Headers, "Content-Type")
	op.describeDryRunHeader(first)
	for name, header := range first.Headers {
		if header.Description == "" {
			header.Description, header.Schema.Description = header.Schema.Description, ""
		}
		header.Required = name != "Idempotency-Replayed" && name != dryRunHeader
	}
	if op.deprecated != nil {
		if first.Headers == nil {
			first.Headers = map[string]*huma.Header{}
		}
		maps.Copy(first.Headers, op.deprecated.headers())
	}
	for _, status := range op.also {
		answer := *first
		answer.Description = http.StatusText(status)
		if status == http.StatusNotModified {
			answer.Content = nil
		}
		declared.Responses[strconv.Itoa(status)] = &answer
	}
	for _, p := range declared.Parameters {
		if p.Schema.Description == p.Description {
			p.Schema.Description = ""
		}
		if p.Name == "If-Match" && slices.Contains(op.codes, preconditionRequired) {
			p.Required = true // only in the document: the answer without it is 428, not 422
		}
	}
	describeConsistency(op, declared)
}

func (a *server) declared(op operation) *huma.Operation {
	item := a.huma.OpenAPI().Paths[op.path]
	return map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put,
		http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}[op.method]
}
