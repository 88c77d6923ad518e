package api

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"waybill/api/docs"
)

// serveDocuments serves the OpenAPI document, the documentation, which needs no other host, and the board.
func (a *server) serveDocuments(mux *http.ServeMux) {
	mux.Handle("GET /openapi.json", a.document(func() (any, error) { return a.huma.OpenAPI(), nil }))
	mux.Handle("GET /openapi-3.0.json", a.document(func() (any, error) { return downgrade(a.huma.OpenAPI()) }))
	mux.Handle("GET /openapi.yaml", a.served("application/openapi+yaml", a.huma.OpenAPI().YAML))
	mux.HandleFunc("GET /arazzo.yaml", serveWorkflows)
	mux.HandleFunc("GET /docs/", a.serveDocs)
	a.servePickupDocs(mux)
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusPermanentRedirect))
	mux.HandleFunc("GET "+boardPath, serveBoard)
	mux.HandleFunc("GET /{$}", serveRoot)
}

// newDocs returns the documentation of all operations and errors.
func newDocs(document *huma.OpenAPI) *docs.Site {
	source := docs.Source{Document: document}
	for code, m := range meanings {
		source.Errors = append(source.Errors, docs.Error{Code: string(code), Status: m.status, Title: m.title,
			Detail: m.detail, Advice: m.advice})
	}
	guides, err := docs.Workflows(workflows)
	if err != nil {
		panic(err) // the document is ours
	}
	source.Guides = guides
	return docs.New(source)
}

// workflows is an Arazzo document: how operations work together, request by request. It refers to openapi.yaml
// beside it.
//
//go:embed arazzo.yaml
var workflows []byte

func serveWorkflows(w http.ResponseWriter, _ *http.Request) {
	headersFor(nil).guard(w)
	w.Header().Set("Content-Type", "application/vnd.oai.workflows+yaml")
	w.Write(workflows)
}

// docsHeaders are the headers of a page of the documentation without anything inline.
var docsHeaders = headersFor(nil, docsLoads()...)

// docsLoads returns what a page of the documentation may load: only files of this server, and the answers to the
// requests that a reader tries.
func docsLoads() []string {
	return []string{"connect-src 'self'", "img-src 'self'", "script-src 'self'", "style-src 'self'"}
}

func (a *server) serveDocs(w http.ResponseWriter, r *http.Request) {
	file, ok := a.docs.Get(r.URL.Path)
	if !ok {
		serveProblem(r.Context(), w, noSuchPath())
		return
	}
	docsHeaders.guard(w)
	w.Header().Set("Content-Type", file.MediaType)
	w.Write(a.addressed(file.Text, r))
}

// document is rendered on first use: at start it would take longer than everything else. Its server is
// the one that was asked.
func (a *server) document(content func() (any, error)) http.Handler {
	return a.served("application/openapi+json", func() ([]byte, error) {
		value, err := content()
		if err != nil {
			return nil, err
		}
		return json.Marshal(value)
	})
}

func (a *server) served(mediaType string, write func() ([]byte, error)) http.Handler {
	text := sync.OnceValue(func() []byte {
		text, err := write()
		if err != nil {
			panic(err) // cannot fail for our own types
		}
		return text
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headersFor(nil).guard(w)
		w.Header().Set("Content-Type", mediaType)
		w.Write(a.addressed(text(), r))
	})
}

// devURL is the server in a document that no server has sent: the address of waybill dev. A relative URL
// is one that some generators make "//v1" of.
const devURL = "http://127.0.0.1:8080"

const devDescription = "waybill dev"

// addressed returns a text with the server that was asked in place of waybill dev, also in samples of code.
func (a *server) addressed(text []byte, r *http.Request) []byte {
	return []byte(strings.NewReplacer(devURL, a.urlOf(r), `"description":"`+devDescription,
		`"description":"This server`,
		"description: "+devDescription, "description: This server").Replace(string(text)))
}

// urlOf returns the URL at which a client reaches the server, without a path. Behind trusted proxies it
// is the one that they were asked for.
func (a *server) urlOf(r *http.Request) string {
	scheme, host := "http", r.Host
	if !hostForm.MatchString(host) { // it is repeated in JSON, YAML, HTML and a shell's command
		host = "localhost"
	}
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
