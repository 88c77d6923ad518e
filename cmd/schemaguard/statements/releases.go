package statements

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"waybill/cmd/schemaguard/query"
	"waybill/cmd/schemaguard/tree"
)

// Release is the statements of a release.
type Release struct {
	Version string
	Newest  int64 // its newest migration; 0 if its file does not say it
	Queries []query.Query
}

var newestLine = regexp.MustCompile(`(?m)^-- Newest migration: 0*([0-9]+)\.?$`)

// newestOf returns the newest migration of a release, as its file says.
func newestOf(text string) (n int64) {
	if m := newestLine.FindStringSubmatch(text); m != nil {
		n, _ = strconv.ParseInt(m[1], 10, 64)
	}
	return n
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
		all = append(all, Release{versionOf(p), newestOf(t[p]), query.Parse(p, t[p])})
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
	if r.Newest > 0 {
		fmt.Fprintf(&out, "-- Newest migration: %05d\n", r.Newest)
	}
	for _, q := range r.Queries {
		out.WriteString("\n-- name: " + q.Name + " " + q.Command + "\n" + strings.TrimSuffix(q.SQL, ";") + ";\n")
	}
	return out.String()
}
