package api

import (
	"encoding/json"
	"net/http"

	swgui "github.com/swaggest/swgui/v5emb"
)

// serveDocuments serves the OpenAPI document, and a page to read it with whose
// scripts and styles are embedded: it needs no network but ours.
func (a *server) serveDocuments(mux *http.ServeMux) {
	current, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		panic(err) // made of our own types
	}
	downgraded, err := a.huma.OpenAPI().Downgrade()
	if err != nil {
		panic(err)
	}
	mux.Handle("GET /openapi.json", document(current))
	mux.Handle("GET /openapi-3.0.json", document(downgraded))
	page := swgui.New("Waybill", "/openapi.json", "/docs/")
	mux.Handle("GET /docs/", page)
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusPermanentRedirect))
}

func document(text []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Write(text)
	})
}
