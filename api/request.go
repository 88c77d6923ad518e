package api

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// request is the state of a request while it is served: for its handler, log line, metrics and problem.
// It is the request's context itself, so that its time limit and its session need no derived contexts,
// which took eight more allocations. One goroutine serves a request, so it needs no lock, except for
// what follow shares with another.
type request struct {
	context.Context
	http      *http.Request // nil in tests that need none
	id        string
	operation string
	session   session
	code      string
	cause     error
	declared  func(context.Context, db.Code) // checks a code against the document
	readOnly  readOnly                       // of the operation
	rehearsal bool                           // a dry run
	partOf    *request                       // the batch of which it is an item, or nil
	refused   *Problem                       // the answer, if it is one
	position  string                         // to tell the client, or ""

	// Shared with the goroutine that detects a disconnected client: see follow.
	answering    sync.Mutex
	begun, ended bool // the answer, and the request
	gone         atomic.Bool
}

// Value implements context.Context.
func (r *request) Value(key any) any {
	switch key {
	case requestKey{}:
		return r
	case db.CallerKey{}:
		return &r.session.viewer
	}
	return r.Context.Value(key)
}

func (r *request) refuse(p *Problem) {
	r.code, r.refused = string(p.Code), p
	r.cause = p.cause
	if r.declared != nil {
		r.declared(r, p.Code)
	}
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// recorder records the written status. It panics rather than answer a request whose session is
// not confirmed, except with a server error.
type recorder struct {
	http.ResponseWriter
	known  *request
	status int
	broken bool // the answer did not reach its client
}

func (r *recorder) WriteHeader(status int) {
	r.begin(status)
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.begin(http.StatusOK)
	n, err := r.ResponseWriter.Write(b)
	r.broken = r.broken || err != nil
	return n, err
}

func (r *recorder) begin(status int) {
	if r.status != 0 {
		return
	}
	if status < http.StatusInternalServerError && !r.known.session.viewer.Confirmed() {
		panic("an answer to a session that is not confirmed")
	}
	if r.known.position != "" {
		r.Header().Set(consistencyHeader, r.known.position)
	}
	r.known.begin()
	r.status = status
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Observer is called for each served request, for metrics.
type Observer func(operation string, status int, code string, took time.Duration)

// observed adds request ids, recovers panics, and reports each request to the log and the observer.
func observed(log *slog.Logger, observe Observer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		known := &request{Context: r.Context(), http: r, id: requestID(r)}
		w.Header().Set("X-Request-Id", known.id)
		w.Header()["X-Content-Type-Options"] = nosniff
		w.Header()["Cache-Control"] = noStore
		rec := &recorder{ResponseWriter: w, known: known}
		defer func() {
			caught := recover()
			aborted := caught == http.ErrAbortHandler // so that its client sees that the answer is not whole
			if caught != nil && !aborted {
				if !rec.broken { // of an answer that cannot be written, huma panics with the error
					log.ErrorContext(known, "panic", "request_id", known.id, "operation", known.operation,
						"panic", caught, "stack", string(debug.Stack()))
				}
				if rec.status == 0 {
					serveProblem(known, rec, problem("internal", "", ""))
				}
			}
			end := time.Now()
			status, code := known.outcome(rec)
			observe(known.operation, status, code, end.Sub(start))
			logRequest(log, r.Method, known, status, start, end)
			if aborted {
				panic(caught)
			}
		}()
		next.ServeHTTP(rec, r.WithContext(known))
	})
}

// Shared by all answers: header values are never modified in place. Answers with rows, tokens or errors
// must not be cached anywhere; documents override this.
var (
	nosniff = []string{"nosniff"}
	noStore = []string{"no-store"}
)

// logRequest writes one line. It contains no path, body or row, and names nobody but the tenant's own
// staff.
func logRequest(log *slog.Logger, method string, known *request, status int, start, end time.Time) {
	level := slog.LevelInfo
	switch {
	case status == statusClientGone: // not the server's error
		level = slog.LevelDebug
	case status == http.StatusServiceUnavailable: // busy or draining: intended
		level = slog.LevelWarn
	case status >= 500:
		level = slog.LevelError
	}
	if !log.Enabled(known, level) {
		return
	}
	// Without the source position, which is always this one and took a third of the time.
	line := slog.NewRecord(end, level, "request", 0)
	line.AddAttrs(slog.String("request_id", known.id), slog.String("method", method),
		slog.String("operation", known.operation),
		slog.Int("status", status), slog.Duration("took", end.Sub(start)))
	if v := known.session.viewer; v.UserID != uuid.Nil { // as text: slog.Any would triple the size
		line.AddAttrs(slog.String("tenant", v.TenantID.String()), slog.String("user", v.UserID.String()))
	}
	if known.code != "" && status != statusClientGone {
		line.AddAttrs(slog.String("code", known.code))
	}
	if known.cause != nil && status >= 500 {
		line.AddAttrs(slog.Any("cause", known.cause))
	}
	log.Handler().Handle(known, line)
}

// requestID returns the caller's id if it is a plain one, so that a request can be traced through a
// proxy; otherwise a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if len(id) < 8 || len(id) > 64 {
		return uuid.NewString()
	}
	for _, c := range []byte(id) {
		if c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return uuid.NewString()
		}
	}
	return id
}
