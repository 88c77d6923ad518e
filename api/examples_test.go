package api_test

import (
	"encoding/json"
	"path"
	"strings"
	"testing"
)

// What an operation takes and answers is seen before it is understood: each has an example of its request and of its
// answer, and each error one of each code. (That the server takes and answers them, a test of cmd/waybill holds.)
func TestEveryOperationHasExamples(t *testing.T) {
	t.Parallel()
	d, errors := theDocument(), 0
	for route, item := range d.root["paths"].(object) {
		for method, v := range item.(object) {
			op := d.operation(v.(object)["operationId"].(string))
			if body, ok := v.(object)["requestBody"].(object); ok {
				d.exemplified(t, op.id+", request", body)
			}
			for status, response := range op.responses {
				errors += d.exemplified(t, op.id+", "+status, response.(object))
			}
			for _, p := range op.parameters {
				if (p["in"] == "path" || p["required"] == true) && p["example"] == nil {
					t.Errorf("%s %s: %s has no example", method, route, p["name"])
				}
			}
		}
	}
	if errors < 700 {
		t.Errorf("only %d errors were looked at", errors)
	}
}

// exemplified fails the test for content without a valid example. It returns the number of errors.
func (d *document) exemplified(t *testing.T, where string, part object) (errors int) {
	t.Helper()
	content, _ := part["content"].(object)
	for kind, media := range content {
		media := media.(object)
		schema, example := media["schema"].(object), media["example"]
		if kind != "application/problem+json" {
			if example == nil {
				t.Errorf("%s: no example of %s", where, kind)
			} else if strings.HasSuffix(kind, "/json") {
				if err := d.validate(schema, example, ""); err != nil {
					t.Errorf("%s: the example is invalid: %v", where, err)
				}
			}
			continue
		}
		examples, _ := media["examples"].(object)
		for code := range d.codesOf(part) {
			errors++
			ref, _ := examples[code].(object)
			if ref == nil {
				t.Errorf("%s: no example of %s", where, code)
				continue
			}
			name := path.Base(ref["$ref"].(string))
			value := d.root["components"].(object)["examples"].(object)[name].(object)["value"].(object)
			if err := d.validate(schema, value, ""); err != nil || value["code"] != code ||
				!strings.Contains(where, ", "+jsonOf(value["status"])) {
				t.Errorf("%s: the example of %s is %v: %v", where, code, value, err)
			}
		}
	}
	return errors
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}
