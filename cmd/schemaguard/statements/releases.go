package statements

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"waybill/cmd/schemaguard/query"
	"waybill/cmd/schemaguard/tree"
)

// Release is the statements of a release.
type Release struct {
	Version string
	Queries []query.Query
}

// keptReleases is how many releases must work on a new schema: one that is rolled back to, and those that
// are still being replaced.
const keptReleases = 3

// Releases returns the last releases of a folder of files VERSION.sql, the newest first.
func Releases(t tree.Tree, folder string) (all []Release) {
	if folder == "" {
		return nil
	}
	for _, p := range t.Below(folder, ".sql") {
		all = append(all, Release{versionOf(p), query.Parse(p, t[p])})
	}
	slices.SortFunc(all, func(a, b Release) int { return compareVersions(b.Version, a.Version) })
	return all[:min(len(all), keptReleases)]
}

// versionOf returns the version that a file is named after.
func versionOf(file string) string { return strings.TrimSuffix(path.Base(file), ".sql") }

// compareVersions compares the numbers of versions: 1.9.0 is before 1.10.0.
func compareVersions(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, errA := strconv.Atoi(x[i])
		n, errB := strconv.Atoi(y[i])
		c := cmp.Compare(m, n)
		if errA != nil || errB != nil {
			c = cmp.Compare(x[i], y[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}

// Text returns a release's file.
func (r Release) Text() string {
	var out strings.Builder
	out.WriteString("-- The statements that release " + r.Version + " sends. Written by schemaguard; never changed.\n")
	for _, q := range r.Queries {
		out.WriteString("\n-- name: " + q.Name + " " + q.Command + "\n" + strings.TrimSuffix(q.SQL, ";") + ";\n")
	}
	return out.String()
}
