package api

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"waybill/db"
)

// inBody returns the path of a member in the body for a resolver.
func inBody(at *huma.PathBuffer, name string) string {
	return strings.TrimPrefix(at.With(name), "body.")
}

// isID reports whether text is an id in the form that answers use, in either case.
func isID(text string) bool {
	_, err := uuid.Parse(text)
	return err == nil && len(text) == 36
}

// isNil reports whether an id is the nil UUID. It never identifies a row; as a new id or a filter, Go
// would treat it as not set.
func isNil(id string) bool { return id == nilID }

var nilID = uuid.Nil.String()

const (
	noID = "expected a UUID of 36 characters"
	anID = "expected a UUID other than the nil UUID"
)

// isText reports whether the database can store it.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// strictPath rejects path parameters that cannot identify a row.
func strictPath(ctx huma.Context, next func(huma.Context)) {
	for _, p := range ctx.Operation().Parameters {
		if p.In == "path" && !isText(ctx.Param(p.Name)) {
			writeProblem(ctx, problem(db.ValidationFailed, p.Name, "The path is not valid text."))
			return
		}
	}
	next(ctx)
}

// strictForms rejects ids in path and query that are not in canonical form, times that parseTime rejects, and numbers
// that are none in JSON: Go takes NaN and hexadecimal ones, and NaN is in any range.
func strictForms(ctx huma.Context, next func(huma.Context)) {
	for _, p := range ctx.Operation().Parameters {
		value := ""
		switch p.In {
		case "path":
			value = ctx.Param(p.Name)
		case "query":
			value = ctx.Query(p.Name)
		}
		if p.Schema.Format == "uuid" && value != "" && !isID(value) {
			writeProblem(ctx, problem(db.ValidationFailed, p.Name, p.Name+": "+noID+"."))
			return
		}
		if p.Schema.Format == "uuid" && p.In == "query" && isNil(value) {
			writeProblem(ctx, problem(db.ValidationFailed, p.Name, p.Name+": "+anID+"."))
			return
		}
		if p.Schema.Type == huma.TypeNumber && value != "" && !decimal.MatchString(value) {
			writeProblem(ctx, problem(db.ValidationFailed, p.Name, p.Name+": expected a decimal number."))
			return
		}
		if p.Schema.Extensions["format"] == timeFormat && value != "" {
			if wrong := wrongTime(value); wrong != "" {
				writeProblem(ctx, problem(db.ValidationFailed, p.Name, p.Name+": "+wrong+"."))
				return
			}
		}
	}
	next(ctx)
}

// decimal is a number as JSON has it.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// strictHeaders rejects repeated headers of the operation, of which Go reads only the first, and empty ones,
// which Go does not distinguish from missing ones.
func strictHeaders(ctx huma.Context, next func(huma.Context)) {
	for _, p := range ctx.Operation().Parameters {
		if p.In != "header" {
			continue
		}
		if odd := oddHeader(ctx, p.Name); odd != nil {
			writeProblem(ctx, odd)
			return
		}
	}
	if ignored := ignoredHeader(ctx); ignored != nil {
		writeProblem(ctx, ignored)
		return
	}
	next(ctx)
}

// meaningful are headers that change the meaning of a request, each with the message for operations
// that do not support it. Headers for writes are ignored in reads, where they have no effect: some
// clients send an Idempotency-Key with every request.
var meaningful = []struct {
	name, sentence string
	ofReads        bool
}{
	{idempotencyKey, "This operation does not support Idempotency-Key: creates and transitions do. Edits are " +
		"safe to retry with If-Match, charges and deposits with their id.", false},
	{"If-Match", "This operation does not support If-Match: it does not compare versions.", true},
	{"If-None-Match", "This operation does not support If-None-Match: it is not a read.", false},
	{"If-Unmodified-Since", "This operation does not support If-Unmodified-Since: use If-Match, which compares " +
		"versions.", false},
	{"Content-Range", "This operation does not support Content-Range: send the whole body.", false},
	{"X-Http-Method-Override", "X-HTTP-Method-Override is not supported: use the method itself.", true},
	{"X-Http-Method", "X-HTTP-Method is not supported: use the method itself.", true},
	{"X-Method-Override", "X-Method-Override is not supported: use the method itself.", true},
}

// ignoredHeader rejects a header that the caller relies on and the operation does not support.
func ignoredHeader(ctx huma.Context) *Problem {
	r, _ := humago.Unwrap(ctx)
	op := ctx.Operation()
	for _, h := range meaningful {
		if r.Header[h.name] == nil || !h.ofReads && op.Method == http.MethodGet {
			continue
		}
		if !slices.ContainsFunc(op.Parameters,
			func(p *huma.Param) bool { return p.In == "header" && p.Name == h.name }) {
			return problem(db.ValidationFailed, h.name, h.sentence)
		}
	}
	return nil
}

// strictAuthorization does the same for the Authorization header, which is read first. An empty one
// counts as no token: 401.
func strictAuthorization(ctx huma.Context, next func(huma.Context)) {
	const name = "Authorization"
	if odd := oddHeader(ctx, name); odd != nil && ctx.Header(name) != "" {
		writeProblem(ctx, odd)
		return
	}
	next(ctx)
}

func oddHeader(ctx huma.Context, name string) *Problem {
	r, _ := humago.Unwrap(ctx)
	values := r.Header.Values(name)
	if len(values) > 1 && name == "If-None-Match" { // a list, which may span several lines
		values = []string{strings.Join(values, ", ")}
		r.Header.Set(name, values[0])
	}
	switch {
	case len(values) > 1:
		return problem(db.ValidationFailed, name, "The header is given more than once.")
	case len(values) == 1 && strings.TrimSpace(values[0]) == "":
		return problem(db.ValidationFailed, name, "The header has no value.")
	}
	return nil
}

// strictMediaType requires the operation's media type, usually JSON, in UTF-8 and uncompressed. It
// accepts requests without a body.
func strictMediaType(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	given := r.Header.Values("Content-Type")
	if r.ContentLength == 0 {
		given = nil
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		writeProblem(ctx, problem(unsupportedMediaType, "Content-Encoding",
			"The body must not be compressed or encoded."))
		return
	}
	name, ok := "application/json", len(given) <= 1
	if len(given) == 1 && given[0] != name { // the common case
		name, ok = inUTF8(given[0])
	}
	if !ok || ctx.Operation().RequestBody.Content[name] == nil {
		writeProblem(ctx, problem(unsupportedMediaType, "Content-Type", ""))
		return
	}
	if len(given) == 1 && given[0] != name {
		r.Header.Set("Content-Type", name) // huma compares it literally
	}
	next(ctx)
}

// refuseLargeBody rejects a body by its Content-Length, without reading it. A body without one is read
// up to the limit.
func refuseLargeBody(ctx huma.Context, next func(huma.Context)) {
	if r, _ := humago.Unwrap(ctx); r.ContentLength >= ctx.Operation().MaxBodyBytes {
		writeProblem(ctx, problem(bodyTooLarge, "", ""))
		return
	}
	next(ctx)
}

// inUTF8 returns the name of a media type, unless it has another charset.
func inUTF8(mediaType string) (name string, ok bool) {
	name, parameters, err := mime.ParseMediaType(mediaType)
	charset, given := parameters["charset"]
	return name, err == nil && (!given || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8"))
}

// strictQuery rejects a query that is malformed, repeats a parameter that is no list, or contains one without a
// value: all would be ignored.
func strictQuery(ctx huma.Context, next func(huma.Context)) {
	u := ctx.URL()
	if u.RawQuery == "" {
		next(ctx)
		return
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		writeProblem(ctx, problem(db.ValidationFailed, "", "The query string is malformed."))
		return
	}
	for name, values := range query {
		if len(values) > 1 && !isRepeatable(ctx.Operation(), name) {
			writeProblem(ctx, problem(db.ValidationFailed, name, "The parameter is given more than once."))
			return
		}
		if slices.ContainsFunc(values, func(value string) bool { return !isText(value) }) {
			writeProblem(ctx, problem(db.ValidationFailed, name, "The parameter is not valid text."))
			return
		}
	}
	for name, values := range query {
		if slices.Contains(values, "") && knows(ctx.Operation(), name) {
			writeProblem(ctx, problem(db.ValidationFailed, name, "The parameter has no value."))
			return
		}
	}
	next(ctx)
}

// isRepeatable reports whether a parameter is a list, whose values are given one by one.
func isRepeatable(op *huma.Operation, parameter string) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool {
		return p.In == "query" && p.Name == parameter && p.Schema.Type == huma.TypeArray && p.Explode != nil &&
			*p.Explode
	})
}

func knows(op *huma.Operation, parameter string) bool {
	return slices.ContainsFunc(op.Parameters,
		func(p *huma.Param) bool { return p.In == "query" && p.Name == parameter })
}

// refuseBody guards operations without a body: an empty object and null count as none, since many
// clients send them; anything else would be ignored.
func refuseBody(ctx huma.Context, next func(huma.Context)) {
	if r, _ := humago.Unwrap(ctx); r.ContentLength == 0 { // nothing to read
		next(ctx)
		return
	}
	const enough = 64
	body, err := io.ReadAll(io.LimitReader(bodyReader(ctx), enough))
	if err != nil {
		writeProblem(ctx, problem(unreadableBody, "", "The body is incomplete."))
		return
	}
	var members map[string]json.RawMessage
	if len(body) == enough || len(bytes.TrimSpace(body)) > 0 &&
		(json.Unmarshal(body, &members) != nil || len(members) > 0) {
		writeProblem(ctx, problem(unknownField, "", "This operation does not accept a body."))
		return
	}
	next(ctx)
}

func bodyReader(ctx huma.Context) io.Reader {
	if r := ctx.BodyReader(); r != nil {
		return r
	}
	return http.NoBody
}
