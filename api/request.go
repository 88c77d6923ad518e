package api

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// request is what is known of a request while it is served, for its log line, its
// metrics and its problem. One goroutine serves a request: no lock.
type request struct {
	id        string
	operation string
	tenant    uuid.UUID
	user      uuid.UUID
	code      string
	cause     error
	declared  func(db.Code) // holds a code against the document
}

func (r *request) refuse(p *Problem) {
	r.code = string(p.Code)
	r.cause = p.cause
	if r.declared != nil {
		r.declared(p.Code)
	}
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// recorder remembers the status that was written.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Observer is told of each request that was served, for metrics.
type Observer func(operation string, status int, code string, took time.Duration)

// observed gives each request its id, survives its panics, and tells of it afterwards.
func observed(log *slog.Logger, observe Observer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		known := &request{id: requestID(r)}
		ctx := context.WithValue(r.Context(), requestKey{}, known)
		w.Header().Set("X-Request-Id", known.id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if caught := recover(); caught != nil {
				if caught == http.ErrAbortHandler {
					panic(caught)
				}
				log.ErrorContext(ctx, "panic", "request_id", known.id, "operation", known.operation, "panic", caught, "stack", string(debug.Stack()))
				if rec.status == 0 {
					serveProblem(ctx, rec, problem("internal", "", ""))
				}
			}
			took := time.Since(start)
			observe(known.operation, rec.status, known.code, took)
			logRequest(ctx, log, r, known, rec.status, took)
		}()
		next.ServeHTTP(rec, r.WithContext(ctx))
	})
}

// logRequest writes one line. No path, no body, no row: only what names nobody but
// the tenant's own staff.
func logRequest(ctx context.Context, log *slog.Logger, r *http.Request, known *request, status int, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case status == http.StatusServiceUnavailable: // busy, draining: meant to be
		level = slog.LevelWarn
	case status >= 500:
		level = slog.LevelError
	}
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", known.id), slog.String("method", r.Method), slog.String("operation", known.operation),
		slog.Int("status", status), slog.Duration("took", took),
	}
	if known.user != uuid.Nil {
		attrs = append(attrs, slog.Any("tenant", known.tenant), slog.Any("user", known.user))
	}
	if known.code != "" {
		attrs = append(attrs, slog.String("code", known.code))
	}
	if known.cause != nil && status >= 500 {
		attrs = append(attrs, slog.Any("cause", known.cause))
	}
	log.LogAttrs(ctx, level, "request", attrs...)
}

// requestID takes the caller's, if it is a plain one, so that a request can be
// followed through a proxy; else it makes one.
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
