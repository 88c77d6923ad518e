package api_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A guide that names what is not there, or no longer, misleads.
func TestTheGuideNamesWhatIsInTheDocument(t *testing.T) {
	t.Parallel()
	d := theDocument()
	text := d.root["info"].(object)["description"].(string)
	var names []string // parameters and headers
	for _, op := range d.operations {
		for _, p := range op.parameters {
			names = append(names, strings.ToLower(p["name"].(string)))
		}
		for _, response := range op.responses {
			headers, _ := response.(object)["headers"].(object)
			for name := range headers {
				names = append(names, strings.ToLower(name))
			}
		}
	}
	named := 0
	for _, m := range regexp.MustCompile("`([a-z]+(?:-[a-z]+)+)`").FindAllStringSubmatch(text, -1) {
		named++
		if d.operation(m[1]) == nil {
			t.Errorf("there is no operation %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile("([45][0-9]{2})\\s`([a-z_]+)`").FindAllStringSubmatch(text, -1) {
		named++
		if !slices.ContainsFunc(d.operations, func(op *described) bool {
			response, ok := op.responses[m[1]].(object)
			return ok && d.codesOf(response)[m[2]]
		}) {
			t.Errorf("no operation answers %s %s", m[1], m[2])
		}
	}
	for _, m := range regexp.MustCompile("`([A-Z][A-Za-z]*(?:-[A-Z][A-Za-z]*)+)").FindAllStringSubmatch(text, -1) {
		named++
		if !slices.Contains(append(names, "x-request-id"), strings.ToLower(m[1])) {
			t.Errorf("no operation has a header %s", m[1])
		}
	}
	if named < 15 {
		t.Errorf("only %d names were looked up", named)
	}
}

// A range of time is two parameters, named alike.
func TestARangeOfTimeIsFromAndTo(t *testing.T) {
	t.Parallel()
	ranges := 0
	for _, op := range theDocument().operations {
		for _, p := range op.parameters {
			schema, _ := p["schema"].(object)
			if p["in"] != "query" || schema["format"] != "date-time" || p["name"] == "as_of" {
				continue
			}
			ranges++
			name := p["name"].(string)
			other := strings.TrimSuffix(name, "from") + "to"
			if stem, ok := strings.CutSuffix(name, "to"); ok {
				other = stem + "from"
			}
			if other == name+"to" ||
				!slices.ContainsFunc(op.parameters, func(p object) bool { return p["name"] == other }) {
				t.Errorf("%s: %s has no counterpart", op.id, name)
			}
		}
	}
	if ranges < 4 {
		t.Errorf("only %d parameters were looked at", ranges)
	}
}

// A function of a client is named after the operation: the noun that it is about must be in the name, whole.
func TestAnOperationNamesItsNoun(t *testing.T) {
	t.Parallel()
	for _, op := range theDocument().operations {
		nouns := regexp.MustCompile(
			`/([a-z-]+)/\{[a-z_]+\}/(facilities|entries|messages|events|members|reads|consents)`).
			FindStringSubmatch(op.path)
		if nouns == nil {
			continue
		}
		owner := strings.TrimSuffix(nouns[1], "s")
		if nouns[1] == "facilities" {
			owner = "facility"
		}
		if !strings.Contains(op.id, "-"+owner) {
			t.Errorf("%s is about a %s of a %s", op.id, nouns[2], owner)
		}
	}
}
