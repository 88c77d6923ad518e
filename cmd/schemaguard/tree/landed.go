package tree

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Landed returns the commit that landed last before the one that is checked, where the environment of CI tells it,
// or "": GATE_BASE, or what GitLab and GitHub (Gitea, Forgejo) say of a push to the main branch or a request to
// merge into it. A push can have several commits, so that HEAD~1 is not what landed last; a push to another branch
// says nothing about what landed.
func Landed(getenv func(string) string) string {
	if base := getenv("GATE_BASE"); base != "" {
		return base
	}
	if base := getenv("CI_MERGE_REQUEST_DIFF_BASE_SHA"); base != "" {
		return base
	}
	if branch := getenv("CI_COMMIT_BRANCH"); branch != "" && branch == getenv("CI_DEFAULT_BRANCH") {
		return commitOf(getenv("CI_COMMIT_BEFORE_SHA"))
	}
	return fromEvent(getenv("GITHUB_EVENT_PATH"))
}

// event is what is read of the file that GitHub writes for a workflow.
type event struct {
	Ref         string `json:"ref"`
	Before      string `json:"before"`
	PullRequest *struct {
		Base struct {
			SHA string `json:"sha"`
		} `json:"base"`
	} `json:"pull_request"`
	Repository struct {
		DefaultBranch string `json:"default_branch"`
	} `json:"repository"`
}

func fromEvent(file string) string {
	text, err := os.ReadFile(file)
	var e event
	switch {
	case err != nil || json.Unmarshal(text, &e) != nil:
		return ""
	case e.PullRequest != nil:
		return commitOf(e.PullRequest.Base.SHA)
	case e.Repository.DefaultBranch != "" && e.Ref == "refs/heads/"+e.Repository.DefaultBranch:
		return commitOf(e.Before)
	}
	return ""
}

// commitOf returns a commit's name, or "" for that of zeros, which stands for none.
func commitOf(sha string) string {
	if strings.Trim(sha, "0") == "" {
		return ""
	}
	return sha
}

var commitName = regexp.MustCompile(`^[0-9a-f]{40}$`)

// lastLanded returns the commit that a file names as the one that landed last. A change is judged against it whole,
// however many commits it has. It is an error if the clone lacks it, or if HEAD does not come after it.
func lastLanded(ctx context.Context, root, file string) (Base, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		return Base{}, fmt.Errorf("what landed last: %w", err)
	}
	commit := strings.TrimSpace(string(text))
	if !commitName.MatchString(commit) {
		return Base{}, fmt.Errorf("%s has not the 40 digits of the commit that landed last", file)
	}
	if _, err := git(ctx, root, "rev-parse", "--verify", "--quiet", commit+"^{commit}"); err != nil {
		return Base{}, fmt.Errorf("this clone lacks the commit %.12s, which landed last as %s says: "+
			"git fetch --unshallow", commit, file)
	}
	if _, err := git(ctx, root, "merge-base", "--is-ancestor", commit, "HEAD"); err != nil {
		return Base{}, fmt.Errorf("the commit %.12s, which landed last as %s says, is not an ancestor of HEAD: merge "+
			"what landed, or correct the file", commit, file)
	}
	return Base{commit, "which landed last, as " + file + " says"}, nil
}
