package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"waybill/api"
	"waybill/db"
)

// runVersion prints the version for bug reports.
func runVersion(_ context.Context, args []string, out io.Writer) error {
	if err := parse(newFlags("version", out), args); err != nil {
		return err
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	_, err := fmt.Fprintf(out, "waybill    %s\nrevision   %s\ngo         %s %s/%s\napi        %s\nmigration  %d\n",
		cmp.Or(info.Main.Version, "unknown"), revision(info), runtime.Version(), runtime.GOOS,
		runtime.GOARCH, api.Version, db.NewestMigration())
	return err
}

// revision returns the commit that the program was built from, if known.
func revision(info *debug.BuildInfo) string {
	of := map[string]string{}
	for _, s := range info.Settings {
		of[s.Key] = s.Value
	}
	switch {
	case of["vcs.revision"] == "":
		return "unknown"
	case of["vcs.modified"] == "true":
		return of["vcs.revision"] + ", modified"
	}
	return of["vcs.revision"]
}
