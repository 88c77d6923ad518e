package tree

import (
	"encoding/json"
	"os"
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
