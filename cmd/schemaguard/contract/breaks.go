package contract

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
)

// Break is a declared break.
type Break struct {
	Operation string `yaml:"operation"` // the operation's id in the base; "*" for all, of one change
	Change    string `yaml:"change"`    // oasdiff's name of the difference; empty for all of the operation
	Release   string `yaml:"release"`   // the version that breaks: that of the document
	Sunset    string `yaml:"sunset"`    // the day from which clients cannot rely on the old form
	Reason    string `yaml:"reason"`
}

func (b Break) covers(d difference) bool {
	return (b.Operation == "*" || b.Operation == d.OperationID) && (b.Change == "" || b.Change == d.ID)
}

// BadBreak is the rule of the declarations.
var BadBreak = finding.Rule{
	Name: "bad-break",
	Load: "clients are not told when what they rely on ends",
	Safe: "operation, change, release (the document's version), sunset (YYYY-MM-DD) and a reason",
}

// declarations reads the project's file of breaks, and returns those of the document's version.
func declarations(c *change.Change) (good []Break, bad []finding.Finding) {
	file := c.Settings.Breaks
	var all []Break
	if err := yaml.Unmarshal([]byte(c.Head[file]), &all); err != nil {
		return nil, []finding.Finding{BadBreak.At(file, 1, file, err.Error())}
	}
	current := c.Version(c.Head)
	for i, b := range all {
		if why := b.wrong(c.Today); why != "" {
			bad = append(bad, BadBreak.At(file, 1, b.Operation, fmt.Sprintf("declaration %d: %s", i+1, why)))
		} else if b.Release == current {
			good = append(good, b)
		}
	}
	return good, bad
}

// wrong returns what is wrong with a declaration, or "".
func (b Break) wrong(today time.Time) string {
	sunset, err := time.Parse(time.DateOnly, b.Sunset)
	switch {
	case b.Operation == "":
		return "it names no operation"
	case b.Release == "":
		return "it names no release"
	case err != nil:
		return "its sunset is no day"
	case b.Operation == "*" && b.Change == "":
		return "it allows every change of every operation, and so says of none that it ends"
	case b.Operation == "*" && sunset.Before(today.Truncate(24*time.Hour)):
		return "it allowed everything until " + b.Sunset
	}
	if why := finding.Hollow(b.Reason); why != "" {
		return "its reason says nothing: " + why
	}
	return ""
}
