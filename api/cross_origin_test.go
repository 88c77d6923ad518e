package api_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"waybill/api"
)

const (
	allowedOrigin = "https://app.example"
	otherOrigin   = "https://other.example"
)

// crossOriginAPI is an API without a database for pages of the given origins.
func crossOriginAPI(t *testing.T, list string) *api.API {
	t.Helper()
	origins, err := api.ParseOrigins(list)
	if err != nil {
		t.Fatal(err)
	}
	a, err := api.New(t.Context(), nil, api.Options{Origins: origins})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// requestFrom sends a request as a browser does for a page of an origin.
func requestFrom(a *api.API, origin, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Origin", origin)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func listOf(header string) []string {
	items := strings.Split(strings.ToLower(header), ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// A page of an allowed origin may send every operation of the document with all of its headers, and read all
// headers of its answers.
func TestPagesOfAllowedOriginsCanCallEveryOperation(t *testing.T) {
	t.Parallel()
	a := crossOriginAPI(t, allowedOrigin+", http://localhost:*")
	for _, op := range theDocument().operations {
		asked := []string{"authorization", "content-type", "x-request-id"}
		for _, p := range op.parameters {
			if p["in"] == "header" {
				asked = append(asked, strings.ToLower(p["name"].(string)))
			}
		}
		slices.Sort(asked)
		path := strings.NewReplacer("{", "", "}", "").Replace(op.path)
		for _, origin := range []string{allowedOrigin, "http://localhost:5173"} {
			w := requestFrom(a, origin, "OPTIONS", path, "Access-Control-Request-Method", op.method,
				"Access-Control-Request-Headers", strings.Join(asked, ","))
			if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != origin ||
				w.Header().Get("Access-Control-Allow-Methods") != op.method ||
				w.Header().Get("Access-Control-Allow-Headers") != strings.Join(asked, ",") ||
				w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("the preflight of %s from %s: %d %v", op.id, origin, w.Code, w.Header())
			}
		}
	}
	w := requestFrom(a, allowedOrigin, "GET", "/livez")
	exposed := listOf(w.Header().Get("Access-Control-Expose-Headers"))
	if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != allowedOrigin {
		t.Errorf("a request from an allowed origin: %d %v", w.Code, w.Header())
	}
	for _, name := range []string{"etag", "location", "idempotency-replayed", "retry-after", "x-request-id"} {
		if !slices.Contains(exposed, name) {
			t.Errorf("%s is not exposed: %v", name, exposed)
		}
	}
	for _, op := range theDocument().operations {
		for status, response := range op.responses {
			headers, _ := response.(object)["headers"].(object)
			for name := range headers {
				if !slices.Contains(exposed, strings.ToLower(name)) {
					t.Errorf("%s of %s %s is not exposed", name, op.id, status)
				}
			}
		}
	}
}

// Errors are answers too: a page must be able to read why its request was refused.
func TestPagesOfAllowedOriginsCanReadErrors(t *testing.T) {
	t.Parallel()
	a := crossOriginAPI(t, allowedOrigin)
	for path, status := range map[string]int{"/v1/nothing": 404, "/v1//pickups": 404, "/v1/sessions": 405} {
		w := requestFrom(a, allowedOrigin, "PUT", path)
		if w.Code != status || w.Header().Get("Access-Control-Allow-Origin") != allowedOrigin {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}

func TestPagesOfOtherOriginsCannotCall(t *testing.T) {
	t.Parallel()
	for list, origins := range map[string][]string{
		"": {allowedOrigin, "null", "http://localhost:5173"},
		allowedOrigin: {otherOrigin, "http://app.example", "https://app.example:8443", "https://app.example.evil",
			"null"},
		"http://localhost:*": {"https://localhost:5173", "http://localhost.evil:80", "http://evil.localhost:80",
			"null"},
	} {
		a := crossOriginAPI(t, list)
		for _, origin := range origins {
			preflight := requestFrom(a, origin, "OPTIONS", "/v1/pickups", "Access-Control-Request-Method", "POST")
			request := requestFrom(a, origin, "GET", "/livez")
			for _, w := range []*httptest.ResponseRecorder{preflight, request} {
				if w.Code >= 400 || w.Header().Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("with %q, %s: %d %v", list, origin, w.Code, w.Header())
				}
			}
		}
	}
}

func TestOptionsListsTheMethodsOfAPath(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"", allowedOrigin} {
		a := crossOriginAPI(t, list)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodOptions, "/v1/pickups", nil))
		if w.Code != 204 || w.Header().Get("Allow") != "GET, HEAD, OPTIONS, POST" {
			t.Errorf("OPTIONS: %d %v", w.Code, w.Header())
		}
		w = httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodOptions, "/v1/nothing", nil))
		if w.Code != 404 {
			t.Errorf("OPTIONS of an unknown path: %d", w.Code)
		}
	}
}

func TestOriginsAreWrittenAsBrowsersSendThem(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"", "*", "https://app.example, http://localhost:5173", api.LoopbackOrigins,
		"http://[::1]:8080", "https://app.example:80"} {
		if _, err := api.ParseOrigins(list); err != nil {
			t.Errorf("%q: %v", list, err)
		}
	}
	for _, list := range []string{"app.example", "https://app.example/", "https://app.example/path",
		"https://*.example",
		"HTTPS://app.example", "https://App.example", "ftp://app.example", "https://", "https://user@app.example",
		"https://app.example:443", "http://app.example:80", "https://app.example:", "https://app.example:80:*",
		"https://app.example?x=1", "https://app.example#x", "null", "https://a.example;https://b.example"} {
		if origins, err := api.ParseOrigins(list); err == nil {
			t.Errorf("%q is accepted as %v", list, origins)
		}
	}
}
