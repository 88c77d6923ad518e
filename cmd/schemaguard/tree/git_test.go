package tree_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"waybill/cmd/schemaguard/tree"
)

// repository is a git repository with a folder "project" in it.
type repository struct {
	t    *testing.T
	root string
}

func newRepository(t *testing.T) repository {
	r := repository{t, t.TempDir()}
	r.git("init", "-q", "-b", "main")
	return r
}

func (r repository) git(args ...string) string {
	r.t.Helper()
	c := exec.Command("git", append([]string{"-C", r.root, "-c", "user.name=T", "-c", "user.email=t@example.com",
		"-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"}, args...)...)
	out, err := c.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repository) write(path, text string) {
	r.t.Helper()
	name := filepath.Join(r.root, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r repository) commit(path, text string) string {
	r.t.Helper()
	r.write(path, text)
	r.git("add", ".")
	r.git("commit", "-q", "-m", "a change")
	return r.git("rev-parse", "HEAD")
}

func (r repository) base(t *testing.T, ref, want, why string) {
	t.Helper()
	got, err := tree.FindBase(t.Context(), r.root, tree.Wanted{Ref: ref})
	if err != nil || got.Commit != want || !strings.Contains(got.Why, why) {
		t.Errorf("got %v, %v; want %s: %s", got, err, want, why)
	}
}

// fails checks that there is no base, and what the error says.
func (r repository) fails(t *testing.T, w tree.Wanted, words string) {
	t.Helper()
	if got, err := tree.FindBase(t.Context(), r.root, w); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, %v; want %q", got, err, words)
	}
}

func TestTheBaseIsWhereTheBranchLeftMain(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	first := r.commit("a.sql", "1")
	r.base(t, "", first, "only what is not committed is new")
	left := r.commit("a.sql", "2")
	r.base(t, "", first, "the commit before the last landed one")
	r.git("checkout", "-q", "-b", "branch")
	r.commit("b.sql", "1")
	r.commit("b.sql", "2")
	r.git("checkout", "-q", "main")
	r.commit("c.sql", "1")
	r.git("checkout", "-q", "branch")
	r.base(t, "", left, "left main")
	r.base(t, first, first, first)
	r.fails(t, tree.Wanted{Ref: "nowhere"}, "nowhere")
}

func TestTheBaseOfAShallowCloneIsWhatItHas(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.commit("a.sql", "1")
	last := r.commit("a.sql", "2")
	clone := repository{t, t.TempDir()}
	clone.git("clone", "-q", "--depth=1", "file://"+r.root, ".")
	clone.base(t, "", last, "this clone has no older one")
}

func TestWithoutACommitThereIsNoBase(t *testing.T) {
	t.Parallel()
	for _, root := range []string{t.TempDir(), newRepository(t).root} {
		if _, err := tree.FindBase(t.Context(), root, tree.Wanted{}); err == nil {
			t.Error("there is one")
		}
	}
}

func TestACommitIsReadFromTheProjectsFolder(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write("project/queries/q.sql", "old")
	r.write("project/other/o.sql", "old")
	commit := r.commit("project/migrations/1_a.sql", "old")
	r.write("project/migrations/1_a.sql", "new")
	project := filepath.Join(r.root, "project")
	got, err := tree.ReadCommit(t.Context(), project, commit, []string{"migrations", "queries", "none.sql"})
	if err != nil || len(got) != 2 || got["migrations/1_a.sql"] != "old" || got["queries/q.sql"] != "old" {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = tree.ReadCommit(t.Context(), project, commit, []string{"other/*.sql", "queries/*.go"})
	if err != nil || len(got) != 1 || got["other/o.sql"] != "old" {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = tree.ReadCommit(t.Context(), project, commit, []string{"none.sql"})
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = tree.Read(project, []string{"migrations/*.sql", "none"})
	if err != nil || len(got) != 1 || got["migrations/1_a.sql"] != "new" {
		t.Errorf("got %v, %v", got, err)
	}
}
