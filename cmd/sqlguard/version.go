package main

import (
	"cmp"
	"runtime/debug"
)

// version returns the version of sqlguard: the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "sqlguard (unknown version)"
	}
	return "sqlguard " + versionOf(info) + " " + info.GoVersion
}

// versionOf returns the release version, or else the commit.
func versionOf(info *debug.BuildInfo) string {
	setting := map[string]string{}
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	commit := setting["vcs.revision"]
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if commit != "" && setting["vcs.modified"] == "true" {
		commit += " with changes"
	}
	release := info.Main.Version
	if release == "(devel)" {
		release = ""
	}
	return cmp.Or(release, commit, "(devel)")
}
