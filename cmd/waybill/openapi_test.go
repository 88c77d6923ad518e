package main

import (
	"encoding/json"
	"strings"
	"testing"

	"waybill/db/dbtest"
)

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a command that does one thing after the other")
	var yaml string
	for format, begins := range map[string]string{"yaml": "", "json": `"openapi": "3.1`,
		"json-3.0": `"openapi": "3.0`} {
		code, out, errors := ended(t, "", nil, "openapi", "--format", format)
		if code != 0 || errors != "" {
			t.Errorf("%s: exit code %d: %s", format, code, errors)
		}
		if format == "yaml" {
			yaml = out
		}
		has(t, out, begins, "/v1/pickups/{pickup_id}/submit", "submit-pickup", "illegal_transition")
		if valid := json.Valid([]byte(out)); valid != strings.HasPrefix(format, "json") {
			t.Errorf("%s: valid JSON: %t", format, valid)
		}
	}
	_, byDefault, _ := ended(t, "", nil, "openapi")
	if byDefault != yaml || !strings.Contains(byDefault, "openapi: 3.1") {
		t.Error("the default is not YAML, or is not deterministic")
	}
	if code, _, errors := ended(t, "", nil, "openapi", "--format", "xml"); code != 1 ||
		!strings.Contains(errors, "--format") {
		t.Errorf("exit code %d: %s", code, errors)
	}
}
