package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// Problem is the error body of every response (RFC 9457). Code is for programs; Detail is for people.
// It never repeats submitted values or text of the database: Field may repeat the name of a member or
// parameter, escaped by tellable.
type Problem struct {
	Type          string              `json:"type" format:"uri-reference" doc:"The documentation of the code" example:"/errors/driver_busy"`
	Title         string              `json:"title" doc:"A short description of the code"`
	Status        int                 `json:"status" minimum:"400" maximum:"599" doc:"The HTTP status" example:"409"`
	Code          db.Code             `json:"code" doc:"Stable and meant for programs" example:"driver_busy"`
	Detail        string              `json:"detail" doc:"One sentence about this request"`
	Field         string              `json:"field,omitempty" doc:"The parameter, header or member of the body that was rejected" example:"items[7].account_id"`
	Item          *int                `json:"item,omitempty" minimum:"0" doc:"Of write-batch: the position of the item that was rejected, from 0"`
	CurrentStatus db.PickupStatus     `json:"current_status,omitempty" doc:"The status after the request was rejected; it may have changed again"`
	Allowed       []db.TransitionName `json:"allowed,omitempty" doc:"The transitions that you may make from current_status"`
	RequestID     string              `json:"request_id" doc:"Identifies the request in support requests"`

	Blocking
	Errors []RecordError `json:"errors,omitempty" maxItems:"100" doc:"Of sync-appointments: the invalid records, in the order of the list, the first 100 of them"`

	retryAfter time.Duration
	cause      error
}

// Error implements error.
func (p *Problem) Error() string { return string(p.Code) }

// Unwrap returns the cause, which only the log may contain.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		seconds := max(1, int64((p.retryAfter+time.Second-1)/time.Second))
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	return h
}

// problem returns the problem for a code, with the given detail or the code's default.
func problem(code db.Code, field, detail string) *Problem {
	m, ok := meanings[code]
	if !ok {
		code, m = db.Internal, meanings[db.Internal]
	}
	return &Problem{
		Type: "/errors/" + string(code), Title: m.title, Status: m.status, Code: code,
		Detail: cmp.Or(detail, m.detail), Field: printableName(field),
	}
}

// longestField limits a repeated name in characters: it is longer than any name in the document.
const longestField = 64

// printableName returns a field's name in a form that an answer may repeat. An unknown member's or
// parameter's name is the caller's: it is shortened, and invisible or directional characters are
// escaped.
func printableName(field string) string {
	isPlain := func(r rune) bool { return r > ' ' && r < 0x7f }
	if len(field) <= longestField && !strings.ContainsFunc(field, func(r rune) bool { return !isPlain(r) }) {
		return field
	}
	var told strings.Builder
	n := 0
	for _, r := range field {
		if n++; n > longestField {
			told.WriteString("…")
			break
		}
		if isPlain(r) || r == ' ' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			told.WriteRune(r)
		} else {
			quoted := strconv.QuoteRuneToASCII(r)
			told.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return told.String()
}

// problemOf returns the problem for any error of a handler.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	e := db.Explain(err)
	field := cmp.Or(inHeaders[e.Field], e.Field)
	p = problem(e.Code, field, "")
	if e.Code == db.ValidationFailed {
		p.Detail = detailFor(field)
	}
	if e.Changed {
		p.Detail = "Your role, or your driver, was changed during the request. Nothing was changed: send it " +
			"again."
	}
	p.cause = e // the server's error may contain stored values
	p.CurrentStatus = e.Status
	if e.Code == db.IllegalTransition && e.Status != "" {
		p.Detail = fmt.Sprintf("The pickup is %s, from which this transition is not allowed. It may "+
			"have changed again since.", e.Status)
		for _, name := range e.Allowed {
			p.Allowed = append(p.Allowed, db.TransitionName(name))
		}
	}
	return p
}

// inHeaders maps a field of the database to the header that states it.
var inHeaders = map[string]string{"version": "If-Match", "idempotency_key": idempotencyKey}

// comparedWith maps a field to the field that the database compares it with.
var comparedWith = map[string]string{
	"window_end":       "window_end must be after window_start.",
	"pickup_longitude": "pickup_latitude and pickup_longitude must be given together.",
	"longitude":        "latitude and longitude must be given together.",
	"as_of":            "as_of is more than a minute ahead of the database's clock.",
}

// detailFor returns the detail for a field that a constraint rejected, or "".
func detailFor(field string) string {
	if field == "" {
		return meanings[db.ValidationFailed].detail
	}
	name := field[strings.LastIndexByte(field, '.')+1:]
	return cmp.Or(comparedWith[name], field+" has an invalid value.")
}

// problemOfRequest turns huma's validation errors into one problem: one from a resolver if there is
// any, otherwise the first of huma's, without the value that it repeats.
func problemOfRequest(status int, message string, errs []error) *Problem {
	var own *Problem
	for _, err := range errs { // they come before a resolver's, which has not run then
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			if p, ok := badBodyIn(d.Message); ok {
				return p
			}
		}
	}
	for _, err := range errs {
		if errors.As(err, &own) {
			return own
		}
	}
	for _, err := range errs {
		var d *huma.ErrorDetail
		if errors.As(err, &d) {
			return problemOfDetail(status, d)
		}
	}
	switch status {
	case http.StatusRequestEntityTooLarge:
		return problem(bodyTooLarge, "", "")
	case http.StatusUnsupportedMediaType:
		return problem(unsupportedMediaType, "Content-Type", "")
	case http.StatusRequestTimeout:
		return problem(requestTimeout, "", "")
	case http.StatusBadRequest:
		return problem(unreadableBody, "", "The body is required.")
	case http.StatusUnprocessableEntity:
		return problem(db.ValidationFailed, "", "")
	}
	if message == "cannot read request body" {
		return problem(unreadableBody, "", "The body is incomplete.")
	}
	p := problem(db.Internal, "", "")
	p.cause = errors.Join(errs...)
	return p
}

func problemOfDetail(status int, d *huma.ErrorDetail) *Problem {
	where, field, _ := strings.Cut(d.Location, ".")
	if name, found := strings.CutPrefix(d.Message, "expected required property "); found {
		name, _, _ = strings.Cut(name, " ")
		return problem(db.ValidationFailed, member(field, name), member(field, name)+" is required.")
	}
	if name, found := strings.CutPrefix(d.Message, "expected property "); found {
		name, other, _ := strings.Cut(name, " to be present when ")
		other, _, _ = strings.Cut(other, " ")
		return problem(db.ValidationFailed, member(field, name),
			fmt.Sprintf("%s is required together with %s.", member(field, name), other))
	}
	switch {
	case status == http.StatusUnsupportedMediaType:
		return problem(unsupportedMediaType, "Content-Type", "")
	case status == http.StatusBadRequest:
		return problem(unreadableBody, "", "")
	case d.Message == "unknown query parameter":
		return problem(unknownParameter, field, "")
	case d.Message == "unexpected property":
		return problem(unknownField, field, "")
	case field == "":
		field = where
	}
	return problem(db.ValidationFailed, field, sentence(field, d.Message))
}

// member returns the path of a member inside field; field "" is the whole body.
func member(field, name string) string { return strings.TrimPrefix(field+"."+name, ".") }

// sentence makes a sentence of a validator's message, which begins in lower case: "limit: expected
// number <= 200."
func sentence(field, message string) string {
	if i := strings.IndexByte(message, '\n'); i >= 0 {
		message = message[:i]
	}
	if rest, found := strings.CutPrefix(message, "invalid "); found {
		// The text after a colon comes from the parser, and may repeat the value.
		kind, _, _ := strings.Cut(rest, ":")
		message = "invalid " + kind
	}
	return fmt.Sprintf("%s: %s.", field, scientific.ReplaceAllStringFunc(message, inDigits))
}

// scientific matches a number as a validator prints a large limit: 9.007199254740991e+15.
var scientific = regexp.MustCompile(`[0-9.]+e\+[0-9]+`)

func inDigits(number string) string {
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return number
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

func init() {
	// huma has one global hook for the errors that it creates.
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return problemOfRequest(status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		r := requestOf(ctx.Context())
		p := r.confirmed(r.readOnly.explain(problemOfRequest(status, message, errs)))
		stamp(ctx, p)
		return p
	}
}

// stamp adds the request's id and headers to a problem.
func stamp(ctx huma.Context, p *Problem) {
	p.RequestID = requestOf(ctx.Context()).id
	requestOf(ctx.Context()).refuse(p)
	for name, values := range p.GetHeaders() {
		for _, v := range values {
			ctx.SetHeader(name, v)
		}
	}
}

// writeProblem answers a request that does not reach its handler.
func writeProblem(ctx huma.Context, p *Problem) {
	p = requestOf(ctx.Context()).confirmed(p)
	stamp(ctx, p)
	ctx.SetHeader("Content-Type", p.ContentType(""))
	ctx.SetStatus(p.Status)
	json.NewEncoder(ctx.BodyWriter()).Encode(p)
}

// serveProblem answers a request outside huma: an unknown path, a panic.
func serveProblem(ctx context.Context, w http.ResponseWriter, p *Problem) {
	p.RequestID = requestOf(ctx).id
	requestOf(ctx).refuse(p)
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header()["Cache-Control"] = noStore
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}
