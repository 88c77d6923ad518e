// Package squawk asks squawk about the new migrations, and says what it finds in the words of this gate.
package squawk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
)

// report is a finding of squawk's. Its lines begin at 0.
type report struct {
	Line    int    `json:"line"`
	Message string `json:"message"`
	Rule    string `json:"rule_name"`
}

// Unknown tells of what squawk finds and this gate has no words for.
var Unknown = finding.Rule{Name: "squawk"}

// Missing is the rule that squawk is asked, if the settings name it.
var Missing = finding.Rule{
	Name: "squawk-missing",
	Load: "what squawk alone knows is not refused: types that grow out of their range, names that are cut",
	Safe: "install it as the settings (squawk) say",
}

// Check asks about the Up of each new migration. Where squawk is not installed, it tells so, or, if it must be there,
// refuses.
func Check(ctx context.Context, c *change.Change, must bool) (all []finding.Finding, err error) {
	command := c.Settings.Squawk
	if command == "" || len(c.New) == 0 {
		return nil, nil
	}
	if strings.Contains(command, "/") && !filepath.IsAbs(command) {
		command = filepath.Join(c.Settings.Root, command)
	}
	if command, err = exec.LookPath(command); err != nil {
		f := Missing.At(c.New[0].Path, 1, "", "squawk was not asked: it is not installed")
		f.Note = !must
		return []finding.Finding{f}, nil
	}
	for _, m := range c.New {
		reports, err := ask(ctx, command, m)
		if err != nil {
			return nil, err
		}
		all = append(all, translate(m, reports)...)
	}
	return all, nil
}

func ask(ctx context.Context, command string, m *migration.Migration) (all []report, err error) {
	args := []string{"--reporter", "json", "--stdin-filepath", m.Path}
	if !m.NoTransaction {
		args = append(args, "--assume-in-transaction")
	}
	c := exec.CommandContext(ctx, command, args...)
	c.Stdin = strings.NewReader(m.UpText)
	var problems strings.Builder
	c.Stderr = &problems
	out, err := c.Output()
	var found *exec.ExitError
	if err != nil && !(errors.As(err, &found) && found.ExitCode() == 1) {
		return nil, fmt.Errorf("squawk: %w: %s", err, strings.TrimSpace(problems.String()))
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("squawk: %w: %s", err, strings.TrimSpace(problems.String()))
	}
	return all, nil
}

func translate(m *migration.Migration, reports []report) (all []finding.Finding) {
	for _, r := range reports {
		rule, known := words[r.Rule]
		switch {
		case ours[r.Rule]:
		case known:
			f := rule.At(m.Path, r.Line+1, "", r.Message+" (squawk's "+r.Rule+")")
			f.Note = tastes[r.Rule]
			all = append(all, f)
		default:
			all = append(all, Unknown.At(m.Path, r.Line+1, "", r.Rule+": "+r.Message).Told())
		}
	}
	return all
}
