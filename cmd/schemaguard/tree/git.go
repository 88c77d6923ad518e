package tree

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"strings"
)

// Base is the commit that a change is compared with.
type Base struct {
	Commit string
	Why    string // how it was found, for people
}

// mainlines are the names of the branch that changes land on, the shared one first.
var mainlines = []string{"origin/main", "origin/master", "main", "master"}

// Wanted says with which commit a change is to be compared.
type Wanted struct {
	Ref    string // a commit, a branch that HEAD left, or "none"
	Landed string // a file below the root that has the commit that landed last, or ""
	CI     bool   // nobody works here: what is judged is committed
}

// FindBase returns the commit that w.Ref names, or the one where HEAD left it. Without it, in CI the one that the file
// w.Landed names; elsewhere the one where the branch of root left the main branch, or, on the main branch itself, the
// one of the file, or without a file the commit before the last. In a clone that has only one commit, or none of a
// main branch, that is the commit checked out: only what is not committed is then new, and in CI that is an error, as
// nothing would be judged.
func FindBase(ctx context.Context, root string, w Wanted) (Base, error) {
	base, err := find(ctx, root, w)
	if err != nil || !w.CI || w.Ref == nothing {
		return base, err
	}
	if head, err := headOf(ctx, root); err != nil || head == base.Commit {
		return Base{}, errors.Join(err, fmt.Errorf("the change cannot be judged: it would be compared with itself "+
			"(%s). A clone that is not shallow has what landed before (git fetch --unshallow), and GATE_BASE names it",
			base.Why))
	}
	return base, nil
}

// nothing as a Ref says that there is nothing to compare with, as for the first commit of a repository.
const nothing = "none"

func find(ctx context.Context, root string, w Wanted) (Base, error) {
	switch {
	case w.Ref == nothing:
		head, err := headOf(ctx, root)
		return Base{head, "nothing before it: only what is not committed is new"}, err
	case w.Ref != "":
		return named(ctx, root, w.Ref)
	case w.Landed != "" && w.CI:
		return lastLanded(ctx, root, w.Landed)
	}
	head, err := headOf(ctx, root)
	if err != nil {
		return Base{}, err
	}
	for _, line := range mainlines {
		commit, err := git(ctx, root, "merge-base", line, "HEAD")
		if err == nil && commit != head {
			return Base{commit, "where this branch left " + line}, nil
		}
	}
	if w.Landed != "" {
		return lastLanded(ctx, root, w.Landed)
	}
	if commit, err := git(ctx, root, "rev-parse", "--verify", "--quiet", "HEAD~1^{commit}"); err == nil {
		return Base{commit, "the commit before the last landed one"}, nil
	}
	return Base{head, "the commit checked out: this clone has no older one, so only what is not committed is new"}, nil
}

func headOf(ctx context.Context, root string) (string, error) {
	head, err := git(ctx, root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	if err != nil {
		return "", errors.New("there is no commit to compare with: not a git repository, or one without a commit")
	}
	return head, nil
}

// named returns the commit that ref names, or the one where HEAD left it.
func named(ctx context.Context, root, ref string) (Base, error) {
	commit, err := git(ctx, root, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if err != nil {
		return Base{}, fmt.Errorf("there is no commit %s in this clone (git fetch --deepen=100?)", ref)
	}
	if left, err := git(ctx, root, "merge-base", commit, "HEAD"); err == nil && left != commit {
		return Base{left, "where this branch left " + ref}, nil
	}
	return Base{commit, ref}, nil
}

// ReadCommit reads the files of a commit that are below the paths, or match them, relative to root, which may
// be a folder inside the repository.
func ReadCommit(ctx context.Context, root, commit string, paths []string) (Tree, error) {
	var present []string
	for _, p := range paths {
		some, err := list(ctx, root, commit, p)
		if err != nil {
			return nil, err
		}
		present = append(present, some...)
	}
	t := Tree{}
	if len(present) == 0 {
		return t, nil
	}
	prefix, err := git(ctx, root, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	archive, err := output(ctx, root, append([]string{"archive", "--format=tar", commit, "--"}, present...)...)
	if err != nil {
		return nil, err
	}
	return t, t.untar(archive, prefix)
}

// list returns what a commit has of a path or pattern.
func list(ctx context.Context, root, commit, pattern string) (present []string, err error) {
	args := []string{"ls-tree", "-z", "--name-only", commit, "--", pattern}
	if isPattern(pattern) {
		args = []string{"ls-tree", "-z", "--name-only", "-r", "-t", commit, "--"}
		if fixed, _, _ := strings.Cut(pattern, "*"); strings.Contains(fixed, "/") {
			args = append(args, path.Dir(fixed)+"/")
		}
	}
	out, err := output(ctx, root, args...)
	if err != nil {
		return nil, err
	}
	for _, name := range strings.Split(string(out), "\x00") {
		if match, _ := path.Match(pattern, name); name != "" && (match || !isPattern(pattern)) {
			present = append(present, name)
		}
	}
	return present, nil
}

func (t Tree) untar(archive []byte, prefix string) error {
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		t[path.Clean(strings.TrimPrefix(h.Name, prefix))] = string(text)
	}
}

// git returns the output of a git command, without the line break at its end.
func git(ctx context.Context, root string, args ...string) (string, error) {
	out, err := output(ctx, root, args...)
	return strings.TrimSpace(string(out)), err
}

func output(ctx context.Context, root string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...)
	var problems bytes.Buffer
	c.Stderr = &problems
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(problems.String()))
	}
	return out, nil
}
