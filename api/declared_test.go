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
	"golang.org/x/crypto/bcrypt"

	"waybill/db"
)

// Whatever answers a request, its code is held against what the operation declares:
// one without a body declares less.
func TestUndeclaredCodesAreTold(t *testing.T) {
	t.Parallel()
	var told []db.Code
	a := newServer(nil, Options{PasswordCost: bcrypt.MinCost, Undeclared: func(_ string, code db.Code) { told = append(told, code) }})
	mux := http.NewServeMux()
	a.huma = humago.New(mux, config())
	answer := func(path string, code db.Code) {
		registerOpen(a, operation{id: path[1:], method: http.MethodGet, path: path, anyone: true}, func(context.Context, *struct{}) (*struct{}, error) {
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
		observed(a.log, func(string, int, string, time.Duration) {}, mux).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, strings.NewReader("")))
	}
	if want := []db.Code{db.DriverBusy, bodyTooLarge, db.Forbidden}; !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}
