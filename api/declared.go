package api

import (
	"fmt"
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
		status := meanings[code].status
		if slices.Contains(op.asNotFound, code) {
			status = http.StatusNotFound
		}
		byStatus[status] = append(byStatus[status], code)
	}
	out := map[string]*huma.Response{}
	for status, codes := range byStatus {
		out[strconv.Itoa(status)] = a.refusalComponent(status, codes)
	}
	return out
}

// refusalComponent returns a reference to the component for a set of codes, such as
// DriverBusyOrIllegalTransition.
func (a *server) refusalComponent(status int, codes []db.Code) *huma.Response {
	name := refusalName(codes)
	components := a.huma.OpenAPI().Components
	if components.Responses == nil {
		components.Responses = map[string]*huma.Response{}
	}
	if components.Responses[name] == nil {
		components.Responses[name] = refusalResponse(components.Schemas, name+"Problem", status, codes)
	}
	return &huma.Response{Ref: "#/components/responses/" + name}
}

// invalid are the codes for any invalid request.
var invalid = []db.Code{unknownField, unknownParameter, db.ValidationFailed}

func refusalName(codes []db.Code) string {
	var parts []string
	for _, code := range codes {
		if !slices.Contains(invalid, code) {
			parts = append(parts, pascal(string(code)))
		}
	}
	if len(parts) < len(codes) {
		parts = append(parts, "Invalid")
	}
	return strings.Join(parts, "Or")
}

func pascal(snake string) string {
	var out strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String()
}

// refusalResponse returns a response whose body is a Problem with one of the codes, as a schema of that
// name.
func refusalResponse(schemas huma.Registry, name string, status int, codes []db.Code) *huma.Response {
	schemas.Map()[name] = &huma.Schema{AllOf: []*huma.Schema{problemSchema(schemas), {
		Type:       huma.TypeObject,
		Properties: map[string]*huma.Schema{"code": enum(codes)},
	}}}
	r := &huma.Response{
		Description: fmt.Sprintf("%s: %s", http.StatusText(status), strings.Join(names(codes), ", ")),
		Content: map[string]*huma.MediaType{"application/problem+json": {
			Schema: &huma.Schema{Ref: "#/components/schemas/" + name},
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

// problemSchema returns a reference to the component Problem, whose code is a reference to ErrorCode.
func problemSchema(schemas huma.Registry) *huma.Schema {
	problem := schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	if schemas.Map()["ErrorCode"] == nil {
		codes := make([]db.Code, 0, len(meanings))
		for code := range meanings {
			codes = append(codes, code)
		}
		slices.Sort(codes)
		schemas.Map()["ErrorCode"] = enum(codes)
		schemas.Map()["ErrorCode"].Description = "The error code; /errors/{code} documents it"
		schemas.Map()["Problem"].Properties["code"] = &huma.Schema{Ref: "#/components/schemas/ErrorCode"}
	}
	return problem
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
	for name, header := range first.Headers {
		header.Description, header.Schema.Description = header.Schema.Description, ""
		header.Required = name != "Idempotency-Replayed"
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
}

func (a *server) declared(op operation) *huma.Operation {
	item := a.huma.OpenAPI().Paths[op.path]
	return map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put,
		http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}[op.method]
}

// forgetPatternDescriptions removes huma's own keyword from the document, after its messages have been
// built.
func forgetPatternDescriptions(o *huma.OpenAPI) {
	for _, component := range o.Components.Schemas.Map() {
		for _, s := range component.Properties {
			s.PatternDescription = ""
		}
	}
	for _, item := range o.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, p := range op.Parameters {
				p.Schema.PatternDescription = ""
			}
		}
	}
}
