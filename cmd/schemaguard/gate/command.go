package gate

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"time"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/settings"
	"waybill/cmd/schemaguard/tree"
)

// ErrRefused means that the change has a finding that is more than a note.
var ErrRefused = errors.New("the change is refused")

// Flags are the flags of the command.
type Flags struct {
	Config string
	Getenv func(string) string // nil: that of the process
	base   string
	json   bool
	all    bool
	record string

	Measure Measure
}

// Define adds the flags to a set.
func (f *Flags) Define(set *flag.FlagSet) {
	set.StringVar(&f.Config, "config", f.Config, "the project's settings, or the folder with "+settings.Name)
	set.StringVar(&f.base, "base", "", "the commit to compare with (default: $GATE_BASE, or what landed last as the "+
		"variables of CI say, or the file of the setting landed; elsewhere than in CI, where the branch left main)")
	set.StringVar(&f.record, "record-release", "", "write the statements of the working tree to the folder of "+
		"releases, as those of this version, and judge nothing")
	set.IntVar(&f.Measure.Rows, "rows", 20_000, "try new migrations on a database of about so many rows; 0: of none")
	set.IntVar(&f.Measure.Callers, "callers", 32, "connections that send the base's statements meanwhile")
	set.DurationVar(&f.Measure.Longest, "longest-lock", 100*time.Millisecond, "how long ACCESS EXCLUSIVE may be held")
	set.BoolVar(&f.Measure.Quick, "quick", false, "build no program of the base: no server of it is called while new "+
		"migrations are applied, its race tests are not replayed, and its clients not tried")
	set.BoolVar(&f.json, "json", false, "print a finding a line, as JSON")
	set.BoolVar(&f.all, "all", false, "print each finding, not only some of those that are alike")
}

// Run judges the working tree, and prints the findings. It returns [ErrRefused] if one is more than a note.
func (f *Flags) Run(ctx context.Context, out io.Writer) error {
	s, err := settings.Read(f.Config)
	if err != nil {
		return err
	}
	if f.record != "" {
		return record(s, f.record)
	}
	if f.Getenv == nil {
		f.Getenv = os.Getenv
	}
	f.Measure.InCI = f.Getenv("CI") != ""
	r, err := Run(ctx, Options{Settings: s, Base: cmp.Or(f.base, tree.Landed(f.Getenv)), Measure: f.Measure})
	if err != nil {
		return err
	}
	if f.json {
		err = JSON(out, r)
	} else {
		err = Text(out, r, f.all)
	}
	if err != nil {
		return err
	}
	if finding.Refused(r.Findings) {
		return ErrRefused
	}
	return nil
}
