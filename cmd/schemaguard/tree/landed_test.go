package tree_test

import (
	"path/filepath"
	"strings"
	"testing"

	"waybill/cmd/schemaguard/tree"
)

func TestCISaysWhatLandedLast(t *testing.T) {
	t.Parallel()
	r := repository{t, t.TempDir()}
	file := filepath.Join(r.root, "event.json")
	for _, c := range []struct{ environment, event, want string }{
		{"", "", ""},
		{"GATE_BASE=abc CI_COMMIT_BRANCH=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=def", "", "abc"},
		{"CI_COMMIT_BRANCH=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=def", "", "def"},
		{"CI_COMMIT_BRANCH=topic CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=def", "", ""},
		{"CI_COMMIT_BRANCH=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=0000000000", "", ""},
		{"CI_MERGE_REQUEST_DIFF_BASE_SHA=fed CI_COMMIT_BEFORE_SHA=000", "", "fed"},
		{"", `{"ref":"refs/heads/main","before":"a1","repository":{"default_branch":"main"}}`, "a1"},
		{"", `{"ref":"refs/heads/main","before":"0000","repository":{"default_branch":"main"}}`, ""},
		{"", `{"ref":"refs/heads/topic","before":"a1","repository":{"default_branch":"main"}}`, ""},
		{"", `{"before":"a1","pull_request":{"base":{"sha":"b2"}},"repository":{"default_branch":"main"}}`, "b2"},
		{"", `not JSON`, ""},
	} {
		set := map[string]string{}
		for _, entry := range strings.Fields(c.environment) {
			name, value, _ := strings.Cut(entry, "=")
			set[name] = value
		}
		if c.event != "" {
			r.write("event.json", c.event)
			set["GITHUB_EVENT_PATH"] = file
		}
		if got := tree.Landed(func(name string) string { return set[name] }); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.environment, c.event, got, c.want)
		}
	}
}

// Several commits land at once, and what the first of them does to a file of before is seen.
func TestTheBaseIsWhatLandedBeforeSeveralCommits(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.commit("1_a.sql", "1")
	landed := r.commit("2_b.sql", "1")
	clone := repository{t, t.TempDir()}
	clone.git("clone", "-q", "file://"+r.root, ".")
	clone.git("rm", "-q", "2_b.sql")
	clone.commit("3_c.sql", "1")
	clone.commit("4_d.sql", "1")
	clone.base(t, "", landed, "where this branch left origin/main") // nothing is pushed
	clone.git("push", "-q", "origin", "main:topic")
	clone.base(t, "", landed, "where this branch left origin/main")
	pushed := clone.git("rev-parse", "HEAD")
	r.git("checkout", "-q", "topic")
	r.git("branch", "-q", "-f", "main", pushed)
	ci := repository{t, t.TempDir()}
	ci.git("clone", "-q", "--branch", "main", "file://"+r.root, ".")
	ci.base(t, landed, landed, landed) // as Landed says
	ci.base(t, "", ci.git("rev-parse", "HEAD~1"), "before the last")
	r.git("checkout", "-q", "-b", "elsewhere", landed)
	apart := r.commit("5_e.sql", "1")
	ci.git("fetch", "-q", "origin", "elsewhere")
	ci.base(t, apart, landed, "where this branch left "+apart)
}
