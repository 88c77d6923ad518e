package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"

	"waybill/api"
)

// schemasOf returns the schemas that a part of the document consists of or refers to.
func (d *document) schemasOf(part any) (schemas []object) {
	seen := map[string]bool{}
	var visit func(any)
	visit = func(part any) {
		d.walk(part, func(o object) {
			schemas = append(schemas, o)
			if ref, ok := o["$ref"].(string); ok && !seen[ref] {
				seen[ref] = true
				at := d.root
				for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
					at = at[name].(object)
				}
				visit(at)
			}
		})
	}
	visit(part)
	return schemas
}

// A new member of an answer is no break for a client whose types were generated before: only requests,
// where a misspelt member must not be ignored, are closed.
func TestRequestsAreClosedAndAnswersAreOpen(t *testing.T) {
	t.Parallel()
	d := theDocument()
	bodies := 0
	for _, op := range d.operations {
		for _, schema := range d.schemasOf(op.body) {
			if schema["type"] == "object" && schema["properties"] != nil {
				bodies++
				if schema["additionalProperties"] != false {
					t.Errorf("a body of %s accepts members that it does not declare: %v", op.id,
						slices.Sorted(maps.Keys(schema)))
				}
			}
		}
		for status, response := range op.responses {
			for _, schema := range d.schemasOf(response) {
				// The empty data of a checkpoint is no object to be extended.
				if schema["additionalProperties"] == false && schema["properties"] != nil {
					t.Errorf("an answer %s of %s is closed", status, op.id)
				}
			}
		}
	}
	requested := map[string]bool{}
	for _, op := range d.operations {
		for _, schema := range d.schemasOf(op.body) {
			if ref, ok := schema["$ref"].(string); ok {
				requested[path.Base(ref)] = true
			}
		}
	}
	// Also what no operation refers to, like Problem.
	for name, schema := range d.root["components"].(object)["schemas"].(object) {
		for _, part := range d.schemasOf(schema) {
			if !requested[name] && part["additionalProperties"] == false && part["properties"] != nil {
				t.Errorf("%s is part of no request, and closed", name)
			}
		}
	}
	if bodies < 20 {
		t.Errorf("only %d bodies were looked at", bodies)
	}
}

// A list of an enum's values in an answer has room for those to come: a limit of as many as there are would be broken
// by each new status or transition, for all operations that answer with a problem.
func TestAnswersHaveRoomForMoreValuesOfAnEnum(t *testing.T) {
	t.Parallel()
	d := theDocument()
	requested := map[string]bool{}
	lists := 0
	describe := func(o object) string { return fmt.Sprint(o["items"], o["description"]) }
	for _, op := range d.operations {
		for _, schema := range d.schemasOf(op.body) {
			requested[describe(schema)] = true
		}
	}
	for _, op := range d.operations {
		for status, response := range op.responses {
			for _, schema := range d.schemasOf(response) {
				items, _ := schema["items"].(object)
				if schema["maxItems"] == nil || items["$ref"] == nil || requested[describe(schema)] {
					continue
				}
				values, isEnum := d.schemasOf(items)[1]["enum"].([]any)
				if !isEnum {
					continue
				}
				lists++
				if most := schema["maxItems"].(float64); int(most) < 2*len(values) {
					t.Errorf("an answer %s of %s lists %v at most, of %d: %v", status, op.id, most, len(values), items)
				}
			}
		}
	}
	if lists < 100 {
		t.Errorf("only %d lists were looked at", lists)
	}
}

// Clients switch on the code. In a generator that knows only what most documents do, it must neither
// become any text, nor nothing.
func TestErrorsHaveTheMembersOfAProblemAndTheirOwnCodes(t *testing.T) {
	t.Parallel()
	d := theDocument()
	problem := d.root["components"].(object)["schemas"].(object)["Problem"].(object)
	members := slices.Sorted(maps.Keys(problem["properties"].(object)))
	for _, op := range d.operations {
		for status, response := range op.responses {
			content, _ := response.(object)["content"].(object)
			media, ok := content["application/problem+json"].(object)
			if !ok {
				continue
			}
			schema := media["schema"].(object)
			properties, _ := schema["properties"].(object)
			required, _ := schema["required"].([]any)
			code, _ := properties["code"].(object)
			if schema["allOf"] != nil || !slices.Contains(required, any("code")) || code["type"] != "string" ||
				code["enum"] == nil ||
				!slices.Equal(slices.Sorted(maps.Keys(properties)), membersWith(members, code["enum"].([]any))) {
				t.Errorf("%s of %s is no flat problem with its codes", status, op.id)
			}
		}
	}
	for name := range d.root["components"].(object)["schemas"].(object) {
		if strings.Contains(name, "Or") || name != "Problem" && strings.HasSuffix(name, "Problem") {
			t.Errorf("%s is named after a set of codes", name)
		}
	}
}

// membersWith returns the members of a problem with one of the codes: all but those that only other codes have.
func membersWith(members []string, codes []any) []string {
	return slices.DeleteFunc(slices.Clone(members), func(name string) bool {
		return codesWith[name] != nil && !slices.ContainsFunc(codesWith[name],
			func(code string) bool { return slices.Contains(codes, any(code)) })
	})
}

// A generator makes BigInt of an int64, which JSON.stringify refuses.
func TestIntegersAreOnesThatJavaScriptCounts(t *testing.T) {
	t.Parallel()
	integers := 0
	theDocument().walk(theDocument().root, func(o object) {
		if !slices.Contains(typesOf(o), "integer") {
			return
		}
		integers++
		if o["minimum"] == float64(-1<<53+1) && !strings.HasPrefix(fmt.Sprint(o["description"]), "The change of") {
			t.Errorf("an integer may be any below zero: %v", o)
		}
		largest, bounded := o["maximum"].(float64)
		if o["format"] == "int64" || !bounded && o["format"] != "int32" || largest > 1<<53-1 {
			t.Errorf("an integer beyond 2^53-1: %v", o)
		}
	})
	if integers < 20 {
		t.Errorf("only %d integers were looked at", integers)
	}
}

// The sentence of a code stands where generators and docs can show it.
func TestEveryErrorCodeHasASentence(t *testing.T) {
	t.Parallel()
	codes := theDocument().root["components"].(object)["schemas"].(object)["ErrorCode"].(object)
	sentences, _ := codes["x-enum-descriptions"].([]any)
	if len(sentences) != len(codes["enum"].([]any)) {
		t.Fatalf("%d codes, %d sentences", len(codes["enum"].([]any)), len(sentences))
	}
	for i, sentence := range sentences {
		if !strings.HasSuffix(sentence.(string), ".") {
			t.Errorf("%s: %q", codes["enum"].([]any)[i], sentence)
		}
	}
}

// The document that a server sends names that server, as the client reaches it.
func TestTheServedDocumentNamesItsServer(t *testing.T) {
	t.Parallel()
	proxies, err := api.ParseProxies("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	a, err := api.New(t.Context(), nil, api.Options{TrustedProxies: proxies})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		peer, host, proto, want string
	}{
		"directly":                 {"192.0.2.1:1234", "", "", "http://waybill.example:8080"},
		"behind a trusted proxy":   {"10.0.0.1:1234", "api.example", "https", "https://api.example"},
		"behind an untrusted one":  {"192.0.2.1:1234", "evil.example", "https", "http://waybill.example:8080"},
		"a forwarded host with \"": {"10.0.0.1:1234", `a"b`, "", "http://waybill.example:8080"},
		"a forwarded path":         {"10.0.0.1:1234", "api.example/v2", "", "http://waybill.example:8080"},
	} {
		for _, path := range []string{"/openapi.json", "/openapi-3.0.json"} {
			r := httptest.NewRequest("GET", path, nil)
			r.RemoteAddr, r.Host = c.peer, "waybill.example:8080"
			r.Header.Set("X-Forwarded-Host", c.host)
			r.Header.Set("X-Forwarded-Proto", c.proto)
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			var document struct{ Servers []struct{ URL string } }
			if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil || len(document.Servers) != 1 ||
				document.Servers[0].URL != c.want {
				t.Errorf("%s, %s: %v, %v", name, path, document.Servers, err)
			}
		}
	}
}
