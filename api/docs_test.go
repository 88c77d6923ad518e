package api_test

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"

	"waybill/api"
)

// The page of a batch names the operation of each item, and shows its members.
func TestTheDocsNameTheItemsOfABatch(t *testing.T) {
	t.Parallel()
	page := string(docsServer(t).do(nil, "GET", "/docs/operations/write-batch", nil).want(200).body)
	for id := range theDocument().written() {
		if !strings.Contains(page, `<code class="name">`+id+`</code>`) {
			t.Errorf("the page does not name %s", id)
		}
	}
	if strings.Contains(page, `<code class="name"></code>`) {
		t.Error("the page has an item without a name")
	}
}

// docsServer serves the documents and the documentation alone.
func docsServer(t *testing.T) *server {
	t.Helper()
	a, err := api.New(t.Context(), nil, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &server{t: t, api: a}
}

var (
	linked  = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	anchors = regexp.MustCompile(`id="([^"]+)"`)
	inline  = regexp.MustCompile(`<style>|<script>| style="| on[a-z]+="|javascript:`)
)

// Every page that can be reached from the first one is there, has what other pages link to, loads only from this
// server, and has nothing inline, which its policy refuses.
func TestEveryPageOfTheDocsCanBeReached(t *testing.T) {
	t.Parallel()
	s := start(t)
	if to := s.do(nil, "GET", "/docs", nil).want(308).header.Get("Location"); to != "/docs/" {
		t.Errorf("/docs redirects to %s", to)
	}
	pages, fragments, queue := map[string]string{}, map[string]string{}, []string{"/docs/"}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		if _, seen := pages[path]; seen {
			continue
		}
		page := s.do(nil, "GET", path, nil).want(200)
		pages[path] = string(page.body)
		if !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
			continue
		}
		policy := page.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") ||
			strings.Contains(policy, "http") {
			t.Errorf("%s: the policy is %s", path, policy)
		}
		if found := inline.FindString(pages[path]); found != "" && path != "/docs/pickups" {
			t.Errorf("%s has%s", path, found)
		}
		for _, link := range linked.FindAllStringSubmatch(pages[path], -1) {
			to, fragment, _ := strings.Cut(html.UnescapeString(link[1]), "#")
			if to == "" {
				to = path
			}
			if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
				t.Errorf("%s leads to %s", path, link[1])
				continue
			}
			queue = append(queue, to)
			if fragment != "" {
				fragments[to+"#"+fragment] = path
			}
		}
	}
	for link, from := range fragments {
		path, fragment, _ := strings.Cut(link, "#")
		if !strings.Contains(pages[path], ` id="`+fragment+`"`) {
			t.Errorf("%s leads to %s, which is not there", from, link)
		}
	}
	for _, op := range theDocument().operations {
		if pages["/docs/operations/"+op.id] == "" {
			t.Errorf("no page leads to that of %s", op.id)
		}
	}
	for code := range theDocument().declaredCodes() {
		if pages["/errors/"+code] == "" {
			t.Errorf("no page leads to that of %s", code)
		}
	}
	s.do(nil, "GET", "/docs/operations/teleport", nil).refused(404, "not_found")
}

// The page of an operation has all that the document says of it.
func TestAPageHasAllOfItsOperation(t *testing.T) {
	t.Parallel()
	s := docsServer(t)
	d := theDocument()
	for _, op := range d.operations {
		page := s.get("/docs/operations/"+op.id, "text/html; charset=utf-8")
		has := func(kind, name string) {
			if !strings.Contains(page, html.EscapeString(name)) {
				t.Errorf("%s: the %s %q is not on the page", op.id, kind, name)
			}
		}
		item := d.root["paths"].(object)[op.path].(object)[strings.ToLower(op.method)].(object)
		has("summary", item["summary"].(string))
		for _, p := range objectsOf(item["parameters"]) {
			has("parameter", p["name"].(string))
			if format, ok := p["schema"].(object)["format"].(string); ok {
				has("format", "("+format+")")
			}
		}
		for _, schema := range d.schemasOf(op.body) {
			properties, _ := schema["properties"].(object)
			for name := range properties {
				has("member", name)
			}
		}
		for status, response := range op.responses {
			has("status", status)
			for code := range d.codesOf(response.(object)) {
				has("code", code)
			}
		}
		for _, sample := range objectsOf(item["x-codeSamples"]) {
			if !strings.Contains(page, `data-label="`+sample["label"].(string)+`"`) {
				t.Errorf("%s: the sample for %s is not on the page", op.id, sample["label"])
			}
		}
	}
}

// objectsOf returns a list of objects.
func objectsOf(list any) (of []object) {
	all, _ := list.([]any)
	for _, one := range all {
		of = append(of, one.(object))
	}
	return of
}

// The search finds each operation by its id, each error by its code, and each section of the guide.
func TestTheSearchKnowsEverything(t *testing.T) {
	t.Parallel()
	s := docsServer(t)
	var hits []struct{ Title, Path, Name, Note, Text string }
	if err := json.Unmarshal([]byte(s.get("/docs/search.json", "application/json")), &hits); err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, hit := range hits {
		known[hit.Path] = hit.Title + " " + hit.Name + " " + hit.Note + " " + hit.Text
	}
	for _, op := range theDocument().operations {
		if text := known["/docs/operations/"+op.id]; !strings.Contains(text, op.id) ||
			!strings.Contains(text, op.path) {
			t.Errorf("%s is known as %q", op.id, text)
		}
	}
	for code := range theDocument().declaredCodes() {
		if !strings.Contains(known["/errors/"+code], code) {
			t.Errorf("%s is not known", code)
		}
	}
	for _, id := range anchors.FindAllStringSubmatch(s.get("/docs/guide", "text/html; charset=utf-8"), -1) {
		if !strings.Contains("content menu search account-title guide", id[1]) && known["/docs/guide#"+id[1]] == "" {
			t.Errorf("the section %s is not known", id[1])
		}
	}
}

// Documents and samples show the address under which they were asked for, and never a host that would be more than a
// host where it is repeated.
func TestSamplesNameTheServer(t *testing.T) {
	t.Parallel()
	s := docsServer(t)
	for host, want := range map[string]string{"api.example:8443": "http://api.example:8443",
		"[::1]:80":  "http://[::1]:80",
		"a';reboot": "http://localhost", "$(reboot)": "http://localhost", "a<b": "http://localhost"} {
		for _, path := range []string{"/docs/operations/login", "/openapi.json", "/openapi.yaml", "/openapi-3.0.json"} {
			r := request(t, nil, "GET", path, nil)
			r.Host = host
			text := string(s.serve(r).want(200).body)
			if !strings.Contains(text, want+"/v1/sessions") || strings.Contains(text, "127.0.0.1:8080") ||
				strings.Contains(text, "reboot") {
				t.Errorf("%s, asked of %s, does not name %s", path, host, want)
			}
		}
	}
}

// Each workflow of the Arazzo document is a guide, with all its steps; its version is the API's.
func TestWorkflowsAreGuides(t *testing.T) {
	t.Parallel()
	s := docsServer(t)
	arazzo := s.get("/arazzo.yaml", "application/vnd.oai.workflows+yaml")
	if !strings.Contains(arazzo, "\n  version: "+api.Version+"\n") {
		t.Errorf("the version is not %s", api.Version)
	}
	page := s.get("/docs/guides/deliver-pickup", "text/html; charset=utf-8")
	_, steps, _ := strings.Cut(arazzo, "workflowId: deliver-pickup")
	operations := regexp.MustCompile(`operationId: (\S+)`).FindAllStringSubmatch(steps, -1)
	for _, operation := range operations {
		if !strings.Contains(page, `<a href="/docs/operations/`+operation[1]+`">`) {
			t.Errorf("the guide does not lead to %s", operation[1])
		}
	}
	if n := strings.Count(page, `<li><a href="#`); n != strings.Count(steps, "stepId: ") || n < 15 {
		t.Errorf("the guide has %d steps", n)
	}
	if !strings.Contains(page, "illegal_transition") {
		t.Error("the guide does not tell of the refusal")
	}
}

// A browser is sent to the board, and a program is told where things are.
func TestRootLeadsToTheBoard(t *testing.T) {
	t.Parallel()
	s := docsServer(t)
	for _, method := range []string{"GET", "HEAD"} {
		a := s.do(nil, method, "/", nil, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8").want(302)
		if to := a.header.Get("Location"); to != "/board/" || a.header.Get("Vary") != "Accept" {
			t.Errorf("%s / redirects to %s", method, to)
		}
	}
	for _, accept := range []string{"", "*/*", "application/json"} {
		a := s.do(nil, "GET", "/", nil, "Accept", accept).want(200)
		if got := a.header.Get("Content-Type"); got != "application/linkset+json" {
			t.Errorf("/ is %s", got)
		}
		links := a.object()["linkset"].([]any)[0].(object)
		for _, relation := range []string{"service-desc", "service-doc"} {
			s.do(nil, "GET", links[relation].([]any)[0].(object)["href"].(string), nil).want(200)
		}
	}
	s.do(nil, "POST", "/", "{}").refused(405, "method_not_allowed", "")
}
