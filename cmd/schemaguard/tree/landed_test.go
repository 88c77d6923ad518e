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

// Where CI does not say what landed, the repository does, and several commits are judged whole.
func TestTheRepositorySaysWhatLandedLast(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.commit("1_a.sql", "1")
	landed := r.commit("2_b.sql", "1")
	r.write("landed", landed+"\n")
	r.commit("3_c.sql", "1")
	last := r.commit("4_d.sql", "1")
	in := tree.Wanted{Landed: "landed", CI: true}
	for _, w := range []tree.Wanted{in, {Landed: "landed"}} {
		if got, err := tree.FindBase(t.Context(), r.root, w); err != nil || got.Commit != landed {
			t.Errorf("%v: got %v, %v; want %s", w, got, err, landed)
		}
	}
	said := tree.Wanted{Ref: last + "~1", Landed: "landed", CI: true}
	if got, err := tree.FindBase(t.Context(), r.root, said); err != nil || got.Commit != r.git("rev-parse", "HEAD~1") {
		t.Errorf("got %v, %v; want what CI says", got, err)
	}
	r.git("checkout", "-q", "-b", "topic")
	topic := r.commit("5_e.sql", "1")
	if got, err := tree.FindBase(t.Context(), r.root, tree.Wanted{Landed: "landed"}); err != nil || got.Commit != last {
		t.Errorf("got %v, %v; want where the branch left main", got, err)
	}
	r.git("checkout", "-q", "main")
	for text, words := range map[string]string{
		"":                      "has not the 40 digits",
		"main":                  "has not the 40 digits",
		topic:                   "is not an ancestor of HEAD",
		strings.Repeat("1", 40): "git fetch --unshallow",
	} {
		r.write("landed", text)
		r.fails(t, in, words)
	}
	r.fails(t, tree.Wanted{Landed: "none", CI: true}, "none")
}

// In CI, a change that is compared with itself is not judged, and does not pass.
func TestAChangeIsNotComparedWithItselfInCI(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	landed := r.commit("a.sql", "1")
	r.write("landed", landed)
	r.commit("b.sql", "1")
	clone := repository{t, t.TempDir()}
	clone.git("clone", "-q", "--depth=1", "file://"+r.root, ".")
	clone.fails(t, tree.Wanted{CI: true}, "cannot be judged")
	clone.fails(t, tree.Wanted{CI: true, Ref: "HEAD"}, "cannot be judged")
	clone.fails(t, tree.Wanted{CI: true, Landed: "landed"}, "git fetch --unshallow")
	told, err := tree.FindBase(t.Context(), clone.root, tree.Wanted{CI: true, Ref: "none", Landed: "landed"})
	if err != nil || told.Commit != clone.git("rev-parse", "HEAD") || !strings.Contains(told.Why, "nothing before it") {
		t.Errorf("got %v, %v; want what is told not to be compared", told, err)
	}
	clone.git("fetch", "-q", "--unshallow")
	got, err := tree.FindBase(t.Context(), clone.root, tree.Wanted{CI: true, Landed: "landed"})
	if err != nil || got.Commit != landed {
		t.Errorf("got %v, %v", got, err)
	}
}
