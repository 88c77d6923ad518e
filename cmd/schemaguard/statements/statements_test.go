package statements_test

import (
	"strings"
	"testing"

	"waybill/cmd/schemaguard/query"
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
