package api

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/cors"
)

// LoopbackOrigins are the origins of pages served by a development server on this machine.
const LoopbackOrigins = "http://localhost:*,http://127.0.0.1:*,http://[::1]:*"

// methods are the methods of operations; OPTIONS is answered for every path.
var methods = []string{"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"}

// preflightAge is how long a browser may remember what a preflight allowed, in seconds: two hours, the
// longest that Chromium accepts.
const preflightAge = 2 * 60 * 60

// crossOrigin lets pages of the given origins call the API from a browser (CORS), and nobody without one.
// Credentials are not allowed: tokens are sent in the Authorization header, not in cookies.
func crossOrigin(origins []string, o *huma.OpenAPI, next http.Handler) http.Handler {
	if len(origins) == 0 { // for rs/cors, no origin would mean every origin
		return next
	}
	sent, received := documentedHeaders(o)
	return cors.New(cors.Options{
		AllowedOrigins:       origins,
		AllowedMethods:       methods,
		AllowedHeaders:       append(sent, "Authorization", "Content-Type", "X-Request-Id"),
		ExposedHeaders:       append(received, "Allow", "X-Request-Id"),
		OptionsSuccessStatus: http.StatusNoContent,
		MaxAge:               preflightAge,
	}).Handler(next)
}

// documentedHeaders returns the headers that the document's operations accept, and those that they answer:
// one that is added to an operation is allowed and exposed without being listed again.
func documentedHeaders(o *huma.OpenAPI) (sent, received []string) {
	accepted, answered := map[string]bool{}, map[string]bool{}
	add := func(responses map[string]*huma.Response) {
		for _, response := range responses {
			for name := range response.Headers {
				answered[name] = true
			}
		}
	}
	add(o.Components.Responses)
	for _, item := range o.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete, item.Patch} {
			if op == nil {
				continue
			}
			for _, p := range op.Parameters {
				accepted[p.Name] = accepted[p.Name] || p.In == "header"
			}
			add(op.Responses)
		}
	}
	maps.DeleteFunc(accepted, func(_ string, header bool) bool { return !header })
	return slices.Sorted(maps.Keys(accepted)), slices.Sorted(maps.Keys(answered))
}

// ParseOrigins parses a comma-separated list of origins, such as https://app.example. The port may be *,
// for any; * alone means every origin.
func ParseOrigins(list string) (origins []string, err error) {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		if !isOrigin(item) {
			return nil, fmt.Errorf("%q is not an origin", item)
		}
		origins = append(origins, item)
	}
	return origins, nil
}

// isOrigin reports whether text is an origin as browsers send it: a scheme and a host in lower case, a port
// unless it is the scheme's own, and no path, not even a slash.
func isOrigin(text string) bool {
	if text == "*" {
		return true
	}
	// url.Parse accepts no * as a port.
	name, anyPort := strings.CutSuffix(text, ":*")
	u, err := url.Parse(name)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Contains(name, "*") {
		return false
	}
	defaultPort := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return name == strings.ToLower(u.Scheme+"://"+u.Host) && !strings.HasSuffix(name, ":") &&
		u.Port() != defaultPort && !(anyPort && hasPort(u.Host))
}

func hasPort(host string) bool {
	_, _, err := net.SplitHostPort(host)
	return err == nil
}
