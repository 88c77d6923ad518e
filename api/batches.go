package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// A batch is served by the operations that it names: each item is a request of its own, which passes the
// operation's checks and its handler, all in one transaction. So an item means what it means alone.

// batchPath is the path of write-batch.
const batchPath = "/v1/batch"

func (a *server) registerBatches() {
	register(a, operation{
		id: "write-batch", method: http.MethodPost, path: batchPath, tag: "batches",
		summary: "Make up to 50 writes at once",
		about: "Makes the writes in their order, all of them or none, in one transaction, and returns their answers. " +
			"Each item is checked and answered like a request of its own, also if it is a replay. If one is " +
			"rejected, " +
			"so is the batch: with the error of that item, its position in item, and its field below items[n].",
		roles: everyRole, together: true, codes: a.codesOfParts(),
	}, a.writeBatch)
}

// canBeIn reports whether a batch may contain the operation: any write but a batch, a feed, and the end of the
// caller's own session.
func (op operation) canBeIn() bool { return op.canRehearse() && !op.together && !op.alone }

// codesOfParts returns the codes with which an item can be rejected.
func (a *server) codesOfParts() (codes []db.Code) {
	for _, op := range a.writes {
		codes = append(codes, op.allCodes()...)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// Writes is the body of write-batch. All of it is one transaction, which holds its locks to the end: hence the limit.
type Writes struct {
	Items []Write `json:"items" minItems:"1" maxItems:"50" doc:"The writes, in the order in which they are made"`
}

// Write is one write of a batch: a request to an operation.
type Write struct {
	Operation string            `json:"operation" doc:"The id of the operation"`
	Path      map[string]string `json:"path,omitempty" doc:"The parameters in its path"`
	Query     map[string]string `json:"query,omitempty" doc:"The parameters in its query"`
	Headers   WriteHeaders      `json:"headers,omitempty" doc:"Its headers"`
	Body      json.RawMessage   `json:"body,omitempty" doc:"Its body"`
}

// WriteHeaders are the headers of an item.
type WriteHeaders struct {
	IfMatch string `json:"If-Match,omitempty" minLength:"1" doc:"The ETag of the row that the write is based on"`
	Key     string `json:"Idempotency-Key,omitempty" minLength:"1" doc:"Unique for each write, and the same for its retries"`
}

// Written is the answer of write-batch.
type Written struct {
	Items []WriteAnswer `json:"items" maxItems:"50" doc:"The answers, in the order of the request"`
}

// WriteAnswer is the answer to one write.
type WriteAnswer struct {
	Status  int               `json:"status" minimum:"200" maximum:"299" doc:"Its HTTP status" example:"201"`
	Headers map[string]string `json:"headers" doc:"Its headers: ETag, Location, Idempotency-Replayed"`
	Body    json.RawMessage   `json:"body,omitempty" doc:"Its body, as the operation describes it; absent if it has none"`
}

type writeBatchInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"200" pattern:"^[!-~]+$" patternDescription:"visible ASCII" doc:"Unique for each batch, and the same for its retries: it is the key of each item that could have one and has neither a key nor an id"`
	Body Writes
}

type writeBatchOutput struct{ Body *Written }

func (a *server) writeBatch(ctx context.Context, v db.Viewer, in *writeBatchInput) (*writeBatchOutput, error) {
	written := &Written{}
	err := a.store.WriteTogether(ctx, v, requestOf(ctx).rehearsal, func(ctx context.Context) error {
		items := in.Body.Items
		written.Items = make([]WriteAnswer, len(items))
		for first := 0; first < len(items); {
			n := a.ofOneKind(items[first:])
			if err := a.store.WriteInTurn(ctx, n, func(ctx context.Context, i int) error {
				i += first
				answer, refused := a.writePart(ctx, in.keyed(a, i, items[i]))
				if refused != nil {
					return ofItem(i, refused)
				}
				written.Items[i] = answer
				return nil
			}); err != nil {
				return err
			}
			first += n
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &writeBatchOutput{written}, nil
}

// ofOneKind returns how many of the first items are of one kind.
func (a *server) ofOneKind(items []Write) int {
	n, kind := 1, a.writes[items[0].Operation].kind
	for kind != "" && n < len(items) && a.writes[items[n].Operation].kind == kind {
		n++
	}
	return n
}

// keyed returns an item with a key that is derived from that of the batch.
func (in *writeBatchInput) keyed(a *server, i int, item Write) Write {
	var named struct{ ID any }
	op, known := a.writes[item.Operation]
	if !known || in.Key == "" || item.Headers.Key != "" || !takesHeader(a.declared(op), idempotencyKey) ||
		len(item.Body) > 0 && json.Unmarshal(item.Body, &named) == nil && named.ID != nil {
		return item
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s", i, in.Key))
	item.Headers.Key = "batch:" + base64.RawURLEncoding.EncodeToString(sum[:])
	return item
}

func takesHeader(op *huma.Operation, name string) bool {
	return slices.ContainsFunc(op.Parameters,
		func(p *huma.Param) bool { return p.In == "header" && p.Name == name })
}

// ofItem returns the problem of an item as that of the batch.
func ofItem(i int, refused *Problem) *Problem {
	p := *refused
	p.Item = &i
	if p.Field != "" {
		p.Field = fmt.Sprintf("items[%d].%s", i, p.Field)
	}
	return &p
}

// writePart serves one item.
func (a *server) writePart(ctx context.Context, item Write) (WriteAnswer, *Problem) {
	op, ok := a.writes[item.Operation]
	if !ok {
		return WriteAnswer{}, problem(db.ValidationFailed, "operation",
			"operation: no write that a batch can contain has this id.")
	}
	target, refused := item.target(op)
	if refused != nil {
		return WriteAnswer{}, refused
	}
	r, err := http.NewRequest(op.method, target, bytes.NewReader(item.Body))
	if err != nil {
		return WriteAnswer{}, problem(db.ValidationFailed, "path", "path: a parameter is not valid text.")
	}
	if len(item.Body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	item.Headers.set(r.Header)
	outer := requestOf(ctx)
	part := &request{Context: ctx, http: r, id: outer.id, partOf: outer}
	answer := partAnswer{header: http.Header{}}
	a.mux.ServeHTTP(&answer, r.WithContext(part))
	if part.refused != nil {
		return WriteAnswer{}, part.refused
	}
	return answer.shown(), nil
}

func (h WriteHeaders) set(header http.Header) {
	for name, value := range map[string]string{"If-Match": h.IfMatch, idempotencyKey: h.Key} {
		if value != "" {
			header.Set(name, value)
		}
	}
}

// target returns the path and query of the operation with the item's parameters.
func (w Write) target(op operation) (string, *Problem) {
	path := op.path
	for _, name := range slices.Sorted(maps.Keys(w.Path)) {
		in := "{" + name + "}"
		if !strings.Contains(op.path, in) {
			return "", problem(unknownField, "path."+name, "")
		}
		path = strings.ReplaceAll(path, in, url.PathEscape(w.Path[name]))
	}
	if _, missing, found := strings.Cut(path, "{"); found {
		name, _, _ := strings.Cut(missing, "}")
		return "", problem(db.ValidationFailed, "path."+name, "path."+name+" is required.")
	}
	if !isClean(path) { // an empty parameter, or one of dots
		return "", problem(db.ValidationFailed, "path", "path: a parameter has an invalid value.")
	}
	query := url.Values{}
	for name, value := range w.Query {
		query.Set(name, value)
	}
	return strings.TrimSuffix(path+"?"+query.Encode(), "?"), nil
}

// partAnswer is the http.ResponseWriter of an item.
type partAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (p *partAnswer) Header() http.Header { return p.header }

// WriteHeader implements http.ResponseWriter.
func (p *partAnswer) WriteHeader(status int) { p.status = cmp.Or(p.status, status) }

// Write implements http.ResponseWriter.
func (p *partAnswer) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	return p.body.Write(b)
}

// shownHeaders are those of an item's answer that mean something within a batch.
var shownHeaders = []string{"ETag", "Location", "Idempotency-Replayed"}

func (p *partAnswer) shown() WriteAnswer {
	answer := WriteAnswer{Status: p.status, Headers: map[string]string{}, Body: bytes.TrimSpace(p.body.Bytes())}
	for _, name := range shownHeaders {
		if value := p.header.Get(name); value != "" {
			answer.Headers[name] = value
		}
	}
	return answer
}
