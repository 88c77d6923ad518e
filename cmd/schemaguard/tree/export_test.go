package tree_test

import (
	"os"
	"path/filepath"
	"testing"

	"waybill/cmd/schemaguard/tree"
)

// A tree that is mixed of two states has the files of the other state below the paths, and only there.
func TestTwoStatesAreMixed(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write(".gitignore", "ignored\n")
	r.write("a/old", "1")
	r.write("a/both", "1")
	r.write("a/kept", "1")
	r.write("b/both", "1")
	if err := os.Symlink("both", filepath.Join(r.root, "b/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(r.root, "b/both"), 0o755); err != nil {
		t.Fatal(err)
	}
	commit := r.commit("b/old", "1")
	r.git("rm", "-q", "a/old", "b/old")
	for _, name := range []string{"a/both", "a/kept", "b/both", "a/new", "b/new", "ignored"} {
		r.write(name, "2")
	}
	old, mixed := t.TempDir(), t.TempDir()
	if err := tree.Export(t.Context(), r.root, commit, old); err != nil {
		t.Fatal(err)
	}
	holds(t, old, map[string]string{"a/old": "1", "a/both": "1", "b/both": "1", "b/link": "1", "b/old": "1",
		"a/new": "", "b/new": "", "ignored": ""})
	if err := tree.Copy(t.Context(), r.root, mixed); err != nil {
		t.Fatal(err)
	}
	holds(t, mixed, map[string]string{"a/old": "", "a/both": "2", "b/both": "2", "b/link": "2", "b/old": "",
		"a/new": "2", "b/new": "2", "ignored": ""})
	for _, folder := range []string{old, mixed} {
		if info, err := os.Stat(filepath.Join(folder, "b/both")); err != nil || info.Mode()&0o100 == 0 {
			t.Errorf("it cannot be executed: %v", err)
		}
	}
	if err := tree.Replace(mixed, old, []string{"a", "none"}, []string{"a/kept"}); err != nil {
		t.Fatal(err)
	}
	holds(t, mixed, map[string]string{"a/old": "1", "a/both": "1", "a/kept": "2", "b/both": "2", "b/old": "",
		"a/new": "", "b/new": "2"})
	if err := tree.Replace(mixed, old, []string{"../x"}, nil); err == nil {
		t.Error("a path outside is taken")
	}
}

// holds checks what files have; "" means that there is none.
func holds(t *testing.T, folder string, want map[string]string) {
	t.Helper()
	for name, text := range want {
		got, _ := os.ReadFile(filepath.Join(folder, name))
		if string(got) != text {
			t.Errorf("%s is %q, want %q", name, got, text)
		}
	}
}
