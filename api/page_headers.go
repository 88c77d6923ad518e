package api

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// PageHeaders are the headers of a page for browsers: it may not be framed, and runs only its own
// scripts.
type PageHeaders struct {
	Policy  string `header:"Content-Security-Policy" doc:"The sources that the page may load"`
	Frame   string `header:"X-Frame-Options" doc:"For browsers without support for frame-ancestors"`
	Referer string `header:"Referrer-Policy" doc:"Links from the page send no referrer"`
}

// headersFor returns the headers of a page. loads are directives of a Content-Security-Policy for what
// it loads; inline scripts and styles are allowed by their hashes.
func headersFor(page []byte, loads ...string) PageHeaders {
	policy := []string{"default-src 'none'"}
	for name, inline := range map[string]*regexp.Regexp{"script-src": scripts, "style-src": styles} {
		at := slices.Index(loads, name+" 'self'")
		if hashes := hashesOf(inline, page); at >= 0 {
			loads[at] += hashes
		} else if hashes != "" {
			loads = append(loads, name+hashes)
		}
	}
	slices.Sort(loads)
	policy = append(policy, loads...)
	policy = append(policy, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")
	return PageHeaders{strings.Join(policy, "; "), "DENY", "no-referrer"}
}

var (
	scripts = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	styles  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
)

// hashesOf returns the hashes of inline scripts or styles as CSP sources.
func hashesOf(what *regexp.Regexp, page []byte) (sources string) {
	for _, found := range what.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(found[1])
		sources += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return sources
}

// guard sets the headers of a page that is served outside huma. It may be cached, with revalidation.
func (h PageHeaders) guard(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Security-Policy", h.Policy)
	header.Set("X-Frame-Options", h.Frame)
	header.Set("Referrer-Policy", h.Referer)
	header.Set("Cache-Control", "no-cache")
}
