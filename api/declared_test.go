package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"waybill/db"
)

// The code of every answer is checked against what the operation declares: an operation without a body
// declares fewer.
func TestUndeclaredCodesAreReported(t *testing.T) {
	t.Parallel()
	var codes []db.Code
	a := newServer(nil, Options{Undeclared: func(_ string, code db.Code) { codes = append(codes, code) }})
	mux := http.NewServeMux()
	a.huma = humago.New(mux, config())
	answer := func(path string, code db.Code) {
		registerOpen(a, operation{id: path[1:], method: http.MethodGet, path: path, anyone: true},
			func(context.Context, *struct{}) (*struct{}, error) {
				return nil, problem(code, "", "")
			})
	}
	answer("/busy", db.DriverBusy)
	answer("/large", bodyTooLarge)
	answer("/late", db.Timeout)
	guarded := operation{id: "guarded", method: http.MethodGet, path: "/guarded", anyone: true}
	entry := a.entry(guarded)
	mux.HandleFunc("GET /guarded", func(w http.ResponseWriter, r *http.Request) {
		guard := entry.Middlewares[0] // names the request
		guard(humago.NewContext(&entry, r, w), func(c huma.Context) { writeProblem(c, problem(db.Forbidden, "", "")) })
	})
	for _, path := range []string{"/busy", "/large", "/late", "/late?unknown=1", "/guarded"} {
		observed(a.log, func(string, int, string, time.Duration) {}, mux).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, strings.NewReader("")))
	}
	if want := []db.Code{db.DriverBusy, bodyTooLarge, db.Forbidden}; !slices.Equal(codes, want) {
		t.Errorf("reported codes %v, want %v", codes, want)
	}
}

// A body timeout applies to the bodies of all operations.
func TestBodiesOfAllOperationsHaveTheLimitOfTime(t *testing.T) {
	t.Parallel()
	for limit, want := range map[time.Duration]time.Duration{0: 5 * time.Second,
		2 * time.Second: 2 * time.Second, time.Minute: 5 * time.Second} {
		a := newServer(nil, Options{BodyTimeout: limit})
		a.huma = humago.New(http.NewServeMux(), config())
		a.registerAll()
		n := 0
		for path, item := range a.huma.OpenAPI().Paths {
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
				if op == nil {
					continue
				}
				if n++; op.BodyReadTimeout != want {
					t.Errorf("%s %s: %v, want %v", op.Method, path, op.BodyReadTimeout, want)
				}
			}
		}
		if n == 0 {
			t.Error("no operation was tested")
		}
	}
}
