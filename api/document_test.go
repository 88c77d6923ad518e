package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"mime"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"waybill/api"
)

// document is the OpenAPI document, as a client reads it.
type document struct {
	root       object
	operations []*described
	patterns   map[string]*regexp.Regexp
}

// described is an operation of the document.
type described struct {
	id, method, path string
	parameters       []object
	body             object // the schema of the JSON body; nil for none
	example          any    // of the body
	bodyRequired     bool
	responses        object
	public           bool
	text             string   // of the description
	segments         []string // of the path
}

var theDocument = sync.OnceValue(func() *document {
	a, err := api.New(context.Background(), nil, api.Options{})
	if err != nil {
		panic(err)
	}
	raw, err := a.Document("3.1")
	if err != nil {
		panic(err)
	}
	d := &document{patterns: map[string]*regexp.Regexp{}}
	if err := json.Unmarshal(raw, &d.root); err != nil {
		panic(err)
	}
	for route, item := range d.root["paths"].(object) {
		for method, v := range item.(object) {
			op := describe(route, strings.ToUpper(method), v.(object))
			for status, response := range op.responses {
				if ref, ok := response.(object)["$ref"].(string); ok {
					op.responses[status] = d.root["components"].(object)["responses"].(object)[path.Base(ref)]
				}
			}
			d.operations = append(d.operations, op)
		}
	}
	slices.SortFunc(d.operations, func(a, b *described) int { return strings.Compare(a.id, b.id) })
	d.walk(d.root, func(o object) {
		if p, ok := o["pattern"].(string); ok {
			d.patterns[p] = regexp.MustCompile(p)
		}
	})
	return d
})

func describe(route, method string, o object) *described {
	op := &described{id: o["operationId"].(string), method: method, path: route, responses: o["responses"].(object)}
	op.text, _ = o["description"].(string)
	security, _ := o["security"].([]any)
	op.public = len(security) == 1 && len(security[0].(object)) == 0
	op.segments = strings.Split(route, "/")
	if list, ok := o["parameters"].([]any); ok {
		for _, p := range list {
			op.parameters = append(op.parameters, p.(object))
		}
	}
	if body, ok := o["requestBody"].(object); ok {
		content := body["content"].(object)["application/json"].(object)
		op.body, op.example = content["schema"].(object), content["example"]
		op.bodyRequired, _ = body["required"].(bool)
	}
	return op
}

// walk visits every object below v.
func (d *document) walk(v any, visit func(object)) {
	switch v := v.(type) {
	case object:
		visit(v)
		for _, inner := range v {
			d.walk(inner, visit)
		}
	case []any:
		for _, inner := range v {
			d.walk(inner, visit)
		}
	}
}

// resolve follows a $ref.
func (d *document) resolve(schema object) object {
	for {
		ref, ok := schema["$ref"].(string)
		if !ok {
			return schema
		}
		schema = d.root["components"].(object)["schemas"].(object)[path.Base(ref)].(object)
	}
}

// reads reports whether the operation changes nothing: a GET, or a search.
func (op *described) reads() bool { return op.method == "GET" || op.id == "search-patients" }

// matches reports whether a path matches the operation's, in which braces match any segment.
func (op *described) matches(segments []string) bool {
	return slices.EqualFunc(op.segments, segments, func(is, got string) bool {
		return is == got || strings.HasPrefix(is, "{") && got != ""
	})
}

func (d *document) operation(id string) *described {
	for _, op := range d.operations {
		if op.id == id {
			return op
		}
	}
	return nil
}

// operationOf returns the operation that the server would choose: of the matching paths, the most
// literal.
func (d *document) operationOf(method, urlPath string) *described {
	var found *described
	segments := strings.Split(urlPath, "/")
	for _, op := range d.operations {
		if (op.method == method || op.method == "GET" && method == "HEAD") && op.matches(segments) &&
			(found == nil || strings.Count(op.path, "{") < strings.Count(found.path, "{")) {
			found = op
		}
	}
	return found
}

// check validates an answer against the document: its status, its media type, its body, and the headers
// of that status.
func (d *document) check(r *http.Request, a *answer) error {
	if a.status >= 400 {
		if err := d.checkProblem(a); err != nil {
			return err
		}
	}
	op := d.operationOf(r.Method, r.URL.EscapedPath())
	if err := checkKeeping(op, r, a); err != nil {
		return err
	}
	if op == nil {
		if r.URL.Path == "/" && (a.status == 302 || a.status == 200) {
			return nil
		}
		if a.status == 404 || a.status == 405 || strings.HasPrefix(r.URL.Path, "/docs") ||
			strings.HasPrefix(r.URL.Path, "/board/") || strings.HasPrefix(r.URL.Path, "/openapi") ||
			r.URL.Path == "/arazzo.yaml" {
			return nil
		}
		return fmt.Errorf("status %d of an undocumented operation", a.status)
	}
	response, ok := op.responses[strconv.Itoa(a.status)].(object)
	if !ok {
		return fmt.Errorf("%s does not declare status %d", op.id, a.status)
	}
	if headers, ok := response["headers"].(object); ok {
		for _, name := range []string{"Location", "ETag", "Retry-After", "WWW-Authenticate"} {
			if _, declared := headers[name]; declared && a.header.Get(name) == "" {
				return fmt.Errorf("header %s is missing", name)
			}
		}
	}
	content, _ := response["content"].(object)
	if len(content) == 0 {
		if len(a.body) > 0 {
			return fmt.Errorf("%s declares no body for %d", op.id, a.status)
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return err
	}
	media, ok := content[kind].(object)
	if !ok {
		return fmt.Errorf("%s does not declare %s for %d", op.id, kind, a.status)
	}
	if !strings.HasSuffix(kind, "json") || r.Method == "HEAD" {
		return nil
	}
	var value any
	if err := json.Unmarshal(a.body, &value); err != nil {
		return err
	}
	return d.validate(media["schema"].(object), value, "")
}

// checkKeeping: no answer of an operation is kept on its way, nor a refusal; and no page
// is shown in a frame.
func checkKeeping(op *described, r *http.Request, a *answer) error {
	keeps := a.header.Get("Cache-Control")
	if isPage := op == nil && (a.status == 200 || a.status == 304); (keeps == "no-cache") != isPage ||
		!isPage && keeps != "no-store" {
		return fmt.Errorf("Cache-Control is %q", keeps)
	}
	if (op == nil || op.id == "get-error") && a.status == 200 {
		policy := a.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") ||
			!strings.HasSuffix(policy, "; frame-ancestors 'none'") ||
			strings.Contains(policy, "unsafe") || a.header.Get("X-Frame-Options") != "DENY" ||
			a.header.Get("Referrer-Policy") != "no-referrer" {
			return fmt.Errorf("a page has the headers %v", a.header)
		}
	}
	return nil
}

// checkProblem: one problem, complete, and consistent with the answer.
func (d *document) checkProblem(a *answer) error {
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		return fmt.Errorf("an error has the Content-Type %q", got)
	}
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	var p object
	if err := decoder.Decode(&p); err != nil {
		return err
	}
	if decoder.More() {
		return fmt.Errorf("more than one problem")
	}
	code, _ := p["code"].(string)
	detail, _ := p["detail"].(string)
	shown, _ := d.root["components"].(object)["examples"].(object)[code].(object)
	recordCode(code)
	if shown == nil && code != "method_not_allowed" { // of the router: a method that is no operation
		return fmt.Errorf("the document has no example of %q", code)
	}
	if shown != nil {
		if err := checkMembers(code, p, shown["value"].(object)); err != nil {
			return err
		}
	}
	switch {
	case shown != nil && shown["value"].(object)["title"] != p["title"]:
		return fmt.Errorf("the document's example of %s is %v", code, shown)
	case p["type"] != "/errors/"+code:
		return fmt.Errorf("type %v", p["type"])
	case p["status"] != float64(a.status):
		return fmt.Errorf("status %v", p["status"])
	case !strings.HasSuffix(detail, ".") || len(detail) < 10 || strings.HasPrefix(detail, ":"):
		return fmt.Errorf("detail %q is not a sentence", detail)
	case p["request_id"] == "" || p["request_id"] != a.header.Get("X-Request-Id"):
		return fmt.Errorf("request_id %v", p["request_id"])
	case (a.status == 503 || a.status == 429) && a.header.Get("Retry-After") == "":
		return fmt.Errorf("no Retry-After")
	case a.status == 401 && a.header.Get("WWW-Authenticate") == "":
		return fmt.Errorf("no WWW-Authenticate")
	case a.status == 405 && a.header.Get("Allow") == "":
		return fmt.Errorf("no Allow")
	case strings.Contains(detail, "SQLSTATE") || strings.Contains(detail, "constraint"):
		return fmt.Errorf("database text in the detail")
	}
	return nil
}

// codesOf returns the possible codes of an error response.
func (d *document) codesOf(response object) map[string]bool {
	codes := map[string]bool{}
	content, _ := response["content"].(object)
	media, ok := content["application/problem+json"].(object)
	if !ok {
		return codes
	}
	d.walk(d.resolve(media["schema"].(object)), func(o object) {
		if code, ok := o["code"].(object); ok && code["enum"] != nil {
			for _, c := range code["enum"].([]any) {
				codes[c.(string)] = true
			}
		}
	})
	return codes
}

// validate validates a value against a schema, with as much of JSON Schema as the document uses.
func (d *document) validate(s object, v any, at string) error {
	s = d.resolve(s)
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...))
	}
	if types := typesOf(s); len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return isA(t, v) }) {
		return fail("%v is none of %v", v, types)
	}
	if enum, ok := s["enum"].([]any); ok && !slices.Contains(enum, v) {
		return fail("%v is none of %v", v, enum)
	}
	switch v := v.(type) {
	case string:
		if n := utf8.RuneCountInString(v); n < bound(s, "minLength", 0) || n > bound(s, "maxLength", math.MaxInt) {
			return fail("length %d", n)
		}
		if p, ok := s["pattern"].(string); ok && !d.patterns[p].MatchString(v) {
			return fail("does not match %s", p)
		}
		switch s["format"] {
		case "uuid":
			if _, err := uuid.Parse(v); err != nil {
				return fail("no uuid")
			}
		case "date-time":
			if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
				return fail("no time")
			}
			if !strings.HasSuffix(v, "Z") {
				return fail("%s is not UTC", v)
			}
		}
	case float64:
		if low, ok := s["minimum"].(float64); ok && v < low {
			return fail("%v is below %v", v, low)
		}
		if high, ok := s["maximum"].(float64); ok && v > high {
			return fail("%v is above %v", v, high)
		}
	case []any:
		for i, item := range v {
			if err := d.validate(s["items"].(object), item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case object:
		return d.validateObject(s, v, at)
	}
	return nil
}

func (d *document) validateObject(s, v object, at string) error {
	if required, ok := s["required"].([]any); ok {
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				return fmt.Errorf("%s.%s is missing", at, name)
			}
		}
	}
	properties, _ := s["properties"].(object)
	for name, value := range v {
		schema, known := properties[name].(object)
		// Clients must expect further members of an answer; the server sends none that is not declared.
		if !known && s["properties"] != nil {
			return fmt.Errorf("%s.%s is not declared", at, name)
		}
		if known {
			if err := d.validate(schema, value, at+"."+name); err != nil {
				return err
			}
		}
	}
	return nil
}

func typesOf(s object) []string {
	switch t := s["type"].(type) {
	case string:
		return []string{t}
	case []any:
		out := []string{}
		for _, name := range t {
			out = append(out, name.(string))
		}
		return out
	}
	return nil
}

func isA(kind string, v any) bool {
	switch v := v.(type) {
	case nil:
		return kind == "null"
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case float64:
		return kind == "number" || kind == "integer" && v == math.Trunc(v)
	case []any:
		return kind == "array"
	}
	return kind == "object"
}

func bound(s object, name string, otherwise int) int {
	if v, ok := s[name].(float64); ok {
		return int(v)
	}
	return otherwise
}

func TestSnapshotIsWhatTheCodeGives(t *testing.T) {
	t.Parallel()
	a, err := api.New(t.Context(), nil, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := a.DocumentYAML()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("openapi.yaml")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("api/openapi.yaml is out of date (%v): go run ./cmd/document > api/openapi.yaml", err)
	}
}

func TestDocumentDescribesEveryOperation(t *testing.T) {
	t.Parallel()
	public := []string{"login", "livez", "readyz", "get-error"}
	seen := map[string]bool{}
	for _, op := range theDocument().operations {
		if seen[op.id] || !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(op.id) {
			t.Errorf("operation id %q is not unique or not in kebab-case", op.id)
		}
		seen[op.id] = true
		item := theDocument().root["paths"].(object)[op.path].(object)[strings.ToLower(op.method)].(object)
		if summary, _ := item["summary"].(string); summary == "" {
			t.Errorf("%s has no summary", op.id)
		}
		if op.public != slices.Contains(public, op.id) {
			t.Errorf("%s: public is %t", op.id, op.public)
		}
		if tags, _ := item["tags"].([]any); len(tags) != 1 {
			t.Errorf("%s has %d tags", op.id, len(tags))
		}
		refusals := 0
		for status, r := range op.responses {
			if status[0] == '4' {
				refusals++
			}
			if status[0] == '2' && status != "204" && len(r.(object)["content"].(object)) == 0 {
				t.Errorf("%s declares no content for %s", op.id, status)
			}
		}
		if refusals == 0 {
			t.Errorf("%s declares no error", op.id)
		}
	}
}

func TestDocumentIsServedInBothVersions(t *testing.T) {
	t.Parallel()
	a, err := api.New(t.Context(), nil, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, api: a}
	for path, version := range map[string]string{"/openapi.json": "3.1.0", "/openapi-3.0.json": "3.0.3"} {
		o := s.do(nil, "GET", path, nil).want(200).object()
		if o["openapi"] != version {
			t.Errorf("%s is %v, want %s", path, o["openapi"], version)
		}
		if n := len(o["paths"].(object)); n != len(theDocument().root["paths"].(object)) {
			t.Errorf("%s has %d paths", path, n)
		}
	}
}

// The mux has the paths and methods of the document, and no others.
func TestRoutesAreTheDocuments(t *testing.T) {
	t.Parallel()
	s := start(t)
	allowed := map[string][]string{}
	for _, op := range theDocument().operations {
		allowed[op.path] = append(allowed[op.path], op.method)
	}
	for route, methods := range allowed {
		concrete := regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(route, newID().String())
		a := s.do(s.admin, "TRACE", concrete, nil).refused(405, "method_not_allowed")
		got := strings.Split(a.header.Get("Allow"), ", ")
		// What another, less literal path allows is allowed here too.
		for _, other := range theDocument().operations {
			if other.path != route && other.matches(strings.Split(concrete, "/")) {
				methods = append(methods, other.method)
			}
		}
		if slices.Contains(methods, "GET") {
			methods = append(methods, "HEAD")
		}
		methods = append(methods, "OPTIONS")
		slices.Sort(methods)
		if !slices.Equal(got, slices.Compact(methods)) {
			t.Errorf("%s allows %v, the document has %v", route, got, methods)
		}
	}
	for _, path := range []string{"/v1", "/v1/", "/v1/users/", "/v2/users", "/users",
		"/v1/pickups/" + newID().String() + "/teleport", "/debug/pprof/", "/metrics", "/v1/%00"} {
		s.do(s.admin, "GET", path, nil).refused(404, "not_found")
	}
}

// The policy contains the hashes of the page's inline scripts and styles.
func TestPolicyNamesWhatStandsInThePage(t *testing.T) {
	t.Parallel()
	a, err := api.New(t.Context(), nil, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, api: a}
	element := regexp.MustCompile(`(?s)<(script|style)>(.+?)</`)
	pages := map[string]int{"/docs/pickups": 1, "/docs/pickups.svg": 1}
	for path, least := range pages {
		page := s.do(nil, "GET", path, nil).want(200)
		policy := page.header.Get("Content-Security-Policy")
		found := element.FindAllSubmatch(page.body, -1)
		for _, e := range found {
			sum := sha256.Sum256(e[2])
			_, directive, _ := strings.Cut(policy, string(e[1])+"-src ")
			directive, _, _ = strings.Cut(directive, ";")
			if !strings.Contains(directive, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
				t.Errorf("%s: %s does not name %.60q", path, policy, e[0])
			}
		}
		if len(found) < least {
			t.Errorf("%s has %d inline scripts and styles", path, len(found))
		}
	}
}

// declaredCodes returns the codes that the operations declare.
func (d *document) declaredCodes() map[string]bool {
	codes := map[string]bool{}
	for _, op := range d.operations {
		for _, response := range op.responses {
			maps.Copy(codes, d.codesOf(response.(object)))
		}
	}
	return codes
}

func TestErrorCodeHasTheCodesThatOperationsDeclare(t *testing.T) {
	t.Parallel()
	declared := theDocument().declaredCodes()
	declared["method_not_allowed"] = true // of the router: a method that is no operation
	schemas := theDocument().root["components"].(object)["schemas"].(object)
	for _, code := range schemas["ErrorCode"].(object)["enum"].([]any) {
		if !declared[code.(string)] {
			t.Errorf("ErrorCode has %s, which no operation declares", code)
		}
		delete(declared, code.(string))
	}
	for code := range declared {
		t.Errorf("ErrorCode lacks %s", code)
	}
}

func TestEveryCodeOfTheDocumentHasAPage(t *testing.T) {
	t.Parallel()
	s := start(t)
	codes := theDocument().declaredCodes()
	if len(codes) < 25 {
		t.Errorf("the document has only %d codes", len(codes))
	}
	for code := range codes {
		page := string(s.do(nil, "GET", "/errors/"+code, nil).want(200).body)
		if !strings.Contains(page, "<code>"+code+"</code>") || !strings.Contains(page, `href="/docs/operations/`) &&
			!strings.Contains(page, "By every operation.") {
			t.Errorf("the page of %s does not name the code, or no operation", code)
		}
	}
	for _, code := range []string{"user_not_found", "facility_not_found"} { // in the body, in the path
		if page := string(s.do(nil, "GET", "/errors/"+code, nil).want(200).
			body); !strings.Contains(page, "422 for") || !strings.Contains(page, "404 for") {
			t.Errorf("the page of %s names only one of its statuses", code)
		}
	}
	s.do(nil, "GET", "/errors/none", nil).refused(404, "not_found")
	s.do(nil, "GET", "/errors/%3Cscript%3E", nil).refused(404, "not_found")
}

func TestProbesAnswerAndDrainingSaysNo(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.do(nil, "GET", "/livez", nil).want(200)
	s.do(nil, "GET", "/readyz", nil).want(200)
	s.api.Drain()
	s.do(nil, "GET", "/livez", nil).want(200)
	s.do(nil, "GET", "/readyz", nil).refused(503, "unavailable")
	s.do(s.admin, "GET", "/v1/session", nil).want(200)
}
