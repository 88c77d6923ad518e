package tree_test

import (
	"maps"
	"slices"
	"testing"

	"waybill/cmd/schemaguard/tree"
)

// A pattern means the same files in a commit and in the working tree, whichever part of it is a pattern.
func TestAPatternMeansTheSameFilesInBothStates(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	for _, name := range []string{"a/x/q/1.sql", "a/y/q/deep/2.sql", "a/y/other/3.sql", "b/q/4.sql", "c/5.sql.go",
		"c/deep/6.sql.go", "7.sql"} {
		r.write(name, "--")
	}
	commit := r.commit("8.txt", "")
	for pattern, want := range map[string][]string{
		"a/*/q":      {"a/x/q/1.sql", "a/y/q/deep/2.sql"},
		"*/q":        {"b/q/4.sql"},
		"c/*.sql.go": {"c/5.sql.go"},
		"a/x*":       {"a/x/q/1.sql"},
		"*.sql":      {"7.sql"},
		"b":          {"b/q/4.sql"},
	} {
		now, err := tree.Read(r.root, []string{pattern})
		if err != nil {
			t.Fatal(err)
		}
		then, err := tree.ReadCommit(t.Context(), r.root, commit, []string{pattern})
		if err != nil {
			t.Fatal(err)
		}
		for state, got := range map[string]tree.Tree{"the working tree": now, "the commit": then} {
			if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
				t.Errorf("%s has of %s %v, want %v", state, pattern, names, want)
			}
			if names := got.Under([]string{pattern}, ""); !slices.Equal(names, want) {
				t.Errorf("%s finds by %s %v, want %v", state, pattern, names, want)
			}
		}
	}
}
