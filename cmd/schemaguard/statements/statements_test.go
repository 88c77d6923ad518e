package statements_test

import (
	"strings"
	"testing"
	"time"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/query"
	"waybill/cmd/schemaguard/settings"
	"waybill/cmd/schemaguard/statements"
	"waybill/cmd/schemaguard/tree"
)

func TestTheLastThreeReleasesAreKept(t *testing.T) {
	t.Parallel()
	files := tree.Tree{}
	for _, v := range []string{"1.9.0", "1.10.0", "0.1.0", "1.2.0", "1.10"} {
		r := statements.Release{Version: v, Queries: []query.Query{{Name: "Get", Command: ":one",
			SQL: "SELECT $1::int"}}}
		files["releases/"+v+".sql"] = r.Text()
	}
	var got []string
	for _, r := range statements.Releases(files, "releases") {
		got = append(got, r.Version)
		if len(r.Queries) != 1 || r.Queries[0].SQL != "SELECT $1::int" || r.Queries[0].Name != "Get" {
			t.Errorf("read as %+v", r.Queries)
		}
	}
	if strings.Join(got, " ") != "1.10.0 1.10 1.9.0" {
		t.Errorf("got %v", got)
	}
}

func TestAReleasesStatementsStay(t *testing.T) {
	t.Parallel()
	release := func(versions ...string) tree.Tree {
		files := tree.Tree{}
		for _, v := range versions {
			files["r/"+v+".sql"] = "-- name: Get :one\nSELECT 1;\n"
		}
		return files
	}
	changed := release("1.0.0")
	changed["r/1.0.0.sql"] = "-- name: Get :one\nSELECT 2;\n"
	for what, c := range map[string]struct {
		base, head tree.Tree
		rules      string
	}{
		"nothing":   {release("1.0.0"), release("1.0.0"), ""},
		"a new one": {release("1.0.0"), release("1.0.0", "1.1.0"), ""},
		"changed":   {release("1.0.0"), changed, "release-rewritten"},
		"gone, one of the last three": {release("1.0.0", "1.1.0", "1.2.0"), release("1.1.0", "1.2.0"),
			"release-rewritten"},
		"gone, and older": {release("1.0.0", "1.1.0", "1.2.0"), release("1.1.0", "1.2.0", "1.10.0"),
			""},
		"gone, and in the midst": {release("1.0.0", "1.1.0", "1.2.0", "1.3.0"), release("1.0.0", "1.1.0", "1.3.0"),
			"release-rewritten"},
	} {
		var got []string
		s := &settings.Settings{Releases: "r", Document: "d"}
		for _, f := range statements.CheckReleases(change.Of(s, c.base, c.head, time.Now())) {
			got = append(got, f.Rule)
		}
		if strings.Join(got, " ") != c.rules {
			t.Errorf("%s: refused by %v, want %s", what, got, c.rules)
		}
	}
}

func TestAVersionIsRaisedWhenItsStatementsAreRecorded(t *testing.T) {
	t.Parallel()
	document := func(version string) string { return "info:\n  version: " + version + "\n" }
	s := &settings.Settings{Releases: "r", Document: "d"}
	base, head := tree.Tree{"d": document("0.1.0")}, tree.Tree{"d": document("0.2.0")}
	if got := statements.CheckReleases(change.Of(s, base, head, time.Now())); len(got) != 1 ||
		got[0].Rule != "release-unrecorded" || !strings.Contains(got[0].Message, "0.1.0") {
		t.Errorf("got %v", got)
	}
	head["r/0.1.0.sql"] = "-- name: Get :one\nSELECT 1;\n"
	if got := statements.CheckReleases(change.Of(s, base, head, time.Now())); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	first := change.Of(s, tree.Tree{}, tree.Tree{"d": document("0.1.0")}, time.Now())
	if got := statements.CheckReleases(first); len(got) != 0 {
		t.Errorf("the first document: %v", got)
	}
}
