package api

import (
	"net/http"
	"strings"
)

// serveRoot answers "/": a browser is sent to the board, and a program is told where it and the OpenAPI
// document are (RFC 9264, RFC 8631).
func serveRoot(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header()["Cache-Control"] = noStore
		http.Redirect(w, r, boardPath, http.StatusFound)
		return
	}
	headersFor(nil).guard(w)
	w.Header().Set("Content-Type", "application/linkset+json")
	w.Write([]byte(linkset))
}

const linkset = `{"linkset": [{
  "anchor": "/",
  "service-desc": [{"href": "/openapi.json", "type": "application/openapi+json"}],
  "service-doc": [{"href": "/docs/", "type": "text/html"}],
  "status": [{"href": "/readyz", "type": "application/json"}]
}]}
`
