package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	swgui "github.com/swaggest/swgui/v5emb"
)

// serveDocuments serves the OpenAPI document and a documentation page with embedded scripts and styles,
// which needs no outside network.
func (a *server) serveDocuments(mux *http.ServeMux) {
	mux.Handle("GET /openapi.json", a.document(func() (any, error) { return a.huma.OpenAPI(), nil }))
	mux.Handle("GET /openapi-3.0.json", a.document(func() (any, error) { return downgrade(a.huma.OpenAPI()) }))
	mux.Handle("GET /docs/", missingAsProblem(docs()))
	a.servePickupDocs(mux)
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusPermanentRedirect))
	mux.Handle("GET /{$}", http.RedirectHandler("/docs/", http.StatusFound)) // until there is a start page
}

// docs serves the documentation page and its assets.
func docs() http.Handler {
	pages := swgui.New("Waybill", "/openapi.json", "/docs/")
	headers := sync.OnceValue(func() PageHeaders {
		var page text
		pages.ServeHTTP(&page, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/docs/"}})
		// It fetches the document, and sends the requests that a reader tries; its style contains
		// icons.
		return headersFor(page.Bytes(), "connect-src 'self'", "img-src 'self' data:",
			"script-src 'self'", "style-src 'self'")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers().guard(w)
		pages.ServeHTTP(w, r)
	})
}

// text collects what a handler writes.
type text struct{ bytes.Buffer }

func (*text) Header() http.Header { return http.Header{} }

func (*text) WriteHeader(int) {}

// missingAsProblem turns a handler's 404 into a problem like all others.
func missingAsProblem(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &withoutMissing{ResponseWriter: w}
		handler.ServeHTTP(answer, r)
		if answer.missing {
			serveProblem(r.Context(), w, noSuchPath())
		}
	})
}

// withoutMissing suppresses a 404.
type withoutMissing struct {
	http.ResponseWriter
	missing bool
}

func (w *withoutMissing) WriteHeader(status int) {
	if w.missing = status == http.StatusNotFound; !w.missing {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *withoutMissing) Write(b []byte) (int, error) {
	if w.missing {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// document is rendered on first use: at start it would take longer than everything else. Its server is
// the one that was asked.
func (a *server) document(content func() (any, error)) http.Handler {
	text := sync.OnceValue(func() []byte {
		value, err := content()
		if err != nil {
			panic(err) // cannot fail for our own types
		}
		text, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		return text
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headersFor(nil).guard(w)
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Write(bytes.ReplaceAll(text(), devServer, serverEntry(a.urlOf(r), "This server")))
	})
}

// devURL is the server in a document that no server has sent: the address of waybill dev. A relative URL
// is one that some generators make "//v1" of.
const devURL = "http://127.0.0.1:8080"

var devServer = serverEntry(devURL, devDescription)

const devDescription = "waybill dev"

// serverEntry returns a server as it stands in the document.
func serverEntry(url, description string) []byte {
	text, err := json.Marshal(&huma.Server{URL: url, Description: description})
	if err != nil {
		panic(err)
	}
	return text
}

// urlOf returns the URL at which a client reaches the server, without a path. Behind trusted proxies it
// is the one that they were asked for.
func (a *server) urlOf(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if peer, err := parseAddr(r.RemoteAddr); err == nil && a.isTrustedProxy(peer) {
		if r.Header.Get("X-Forwarded-Proto") == "https" {
			scheme = "https"
		}
		if forwarded := r.Header.Get("X-Forwarded-Host"); hostForm.MatchString(forwarded) {
			host = forwarded
		}
	}
	return (&url.URL{Scheme: scheme, Host: host}).String()
}

// hostForm matches a host, with or without a port.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)

// downgrade returns the document as OpenAPI 3.0: huma's own downgrade, plus what it misses.
func downgrade(o *huma.OpenAPI) (any, error) {
	raw, err := o.Downgrade()
	if err != nil {
		return nil, err
	}
	var document any
	if err := json.Unmarshal(raw, &document); err != nil {
		return nil, err
	}
	forget31(document)
	delete(document.(map[string]any), "webhooks")
	return document, nil
}

// isNull reports whether a schema is that of null.
func isNull(schema any) bool {
	s, ok := schema.(map[string]any)
	return ok && s["type"] == "null"
}

// forget31 removes what 3.0 does not support: dependentRequired, the type null, and keywords next to a $ref.
func forget31(value any) {
	switch v := value.(type) {
	case []any:
		for _, member := range v {
			forget31(member)
		}
	case map[string]any:
		delete(v, "dependentRequired")
		if either, ok := v["anyOf"].([]any); ok && len(either) == 2 && isNull(either[1]) {
			delete(v, "anyOf")
			v["allOf"], v["nullable"] = either[:1], true
		}
		if ref, ok := v["$ref"]; ok && len(v) > 1 {
			delete(v, "$ref")
			v["allOf"] = []any{map[string]any{"$ref": ref}}
		}
		for _, member := range v {
			forget31(member)
		}
	}
}
