package statements

import (
	"fmt"
	"path"
	"slices"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
)

var (
	// Unrecorded is the rule that a release's statements are kept.
	Unrecorded = finding.Rule{
		Name: "release-unrecorded",
		Load: "nothing knows any more what the released servers send: a column can be dropped that they read, while " +
			"they run or after a rollback to them",
		Safe: "at the commit that was released: waybill migrate check --record-release VERSION (or schemaguard), and " +
			"commit its file before the version is raised",
	}
	// Rewritten is the rule that the statements of a release stay what its servers send.
	Rewritten = finding.Rule{
		Name: "release-rewritten",
		Load: "servers of the release send what they were built with, whatever the file says: their statements fail",
		Safe: "restore the file; it can go when three newer releases are there",
	}
)

// CheckReleases runs the rules of the list of releases: it has the version that the base's document had, if the
// change raises it, and what it has does not change.
func CheckReleases(c *change.Change) (all []finding.Finding) {
	folder, document := c.Settings.Releases, c.Settings.Document
	if folder == "" {
		return nil
	}
	was, is := c.Version(c.Base), c.Version(c.Head)
	if _, recorded := c.Head[path.Join(folder, was+".sql")]; was != "" && was != is && !recorded {
		all = append(all, Unrecorded.At(document, 1, was, fmt.Sprintf(
			"the version is raised from %s to %q, and %s has no statements of %s", was, is, folder, was)))
	}
	kept := Releases(c.Head, folder)
	for _, p := range c.Base.Below(folder, ".sql") {
		now, there := c.Head[p]
		if there && now == c.Base[p] {
			continue
		}
		old := len(kept) == keptReleases && !slices.ContainsFunc(kept, func(r Release) bool {
			return compareVersions(r.Version, versionOf(p)) <= 0
		})
		if there || !old {
			all = append(all, Rewritten.At(p, 1, versionOf(p), "the statements of a release are changed or gone"))
		}
	}
	return all
}
