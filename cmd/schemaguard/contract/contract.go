// Package contract has the rule about the API's document: what clients of the base rely on stays, or its end
// is declared. oasdiff finds the differences.
package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
)

// Broken is the rule that clients of the base go on working.
var Broken = finding.Rule{
	Name: "api-break",
	Load: "clients that were generated from the base's document send what is refused, or cannot read the " +
		"answer, from " +
		"the deployment on; they cannot be deployed with it",
	Safe: "add the new beside the old, mark the old deprecated, and declare its end (release, sunset) in the " +
		"project's " +
		"file of breaks",
}

// Changed tells of differences that clients must be prepared for, and of breaks that are declared.
var Changed = finding.Rule{Name: "api-change"}

// difference is what oasdiff reports.
type difference struct {
	ID          string `json:"id"`
	Text        string `json:"text"`
	Level       int    `json:"level"`
	Operation   string `json:"operation"`
	OperationID string `json:"operationId"`
	Path        string `json:"path"`
	BaseSource  place  `json:"baseSource"`
	NewSource   place  `json:"revisionSource"`

	more int // other operations with the same difference
}

type place struct {
	Line int `json:"line"`
}

// breaking is oasdiff's level of what breaks clients.
const breaking = 3

// further are differences that break generated clients, and that oasdiff reports as information.
var further = []string{"api-operation-id-removed", "response-optional-property-removed",
	"response-non-success-status-removed"}

// open are differences that clients must be prepared for: an answer can have values that they do not know.
var open = []string{"response-property-enum-value-added", "response-mediatype-enum-value-added"}

// Check compares the documents of a change.
func Check(ctx context.Context, c *change.Change) (all []finding.Finding, err error) {
	document := c.Settings.Document
	before, now := c.Base[document], c.Head[document]
	if document == "" || before == "" || before == now {
		return nil, nil
	}
	if now == "" {
		return []finding.Finding{Broken.At(document, 1, document, "the document is gone")}, nil
	}
	declared, all := declarations(c)
	differences, err := compare(ctx, c, before, now)
	if err != nil {
		return nil, err
	}
	for _, d := range grouped(differences) {
		line := max(d.NewSource.Line, 1)
		switch {
		case slices.Contains(open, d.ID):
			all = append(all, Changed.At(document, line, d.OperationID, d.message()).Of(d.ID).Told())
		case d.Level < breaking && !slices.Contains(further, d.ID):
		case slices.ContainsFunc(declared, func(b Break) bool { return b.covers(d) }):
			all = append(all, Changed.At(document, line, d.OperationID, d.message()+declaredBreak).
				Of(d.ID+declaredBreak).Told())
		default:
			all = append(all, Broken.At(document, line, d.OperationID, d.message()).Of(d.ID))
		}
	}
	return all, nil
}

const declaredBreak = ", as is declared"

// IsDeclared reports whether a finding tells of a break that is declared.
func IsDeclared(f finding.Finding) bool {
	return f.Rule == Changed.Name && strings.HasSuffix(f.Message, declaredBreak)
}

// grouped returns one difference for those that one change of a shared schema makes in several operations, unless
// it breaks them: a declaration names one operation.
func grouped(all []difference) (groups []difference) {
	at := map[string]int{}
	for _, d := range all {
		key := fmt.Sprint(d.ID, d.Text, d.NewSource.Line)
		if i, known := at[key]; known && slices.Contains(open, d.ID) {
			groups[i].more++
			continue
		}
		at[key] = len(groups)
		groups = append(groups, d)
	}
	return groups
}

func (d difference) message() string {
	message := strings.TrimSpace(fmt.Sprintf("%s %s: %s (%s)", d.Operation, d.Path, strings.ReplaceAll(d.Text, "`", ""),
		d.ID))
	if d.more > 0 {
		message += fmt.Sprintf(", and in %d other operations", d.more)
	}
	return message
}

// compare runs oasdiff on the two texts.
func compare(ctx context.Context, c *change.Change, before, now string) (all []difference, err error) {
	folder, err := os.MkdirTemp("", "schemaguard")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	args := append(slices.Clone(c.Settings.Oasdiff[1:]), "changelog", "--format", "json")
	for name, text := range map[string]string{"base.yaml": before, "head.yaml": now} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	args = append(args, filepath.Join(folder, "base.yaml"), filepath.Join(folder, "head.yaml"))
	command := exec.CommandContext(ctx, c.Settings.Oasdiff[0], args...)
	command.Dir = c.Settings.Root
	var problems strings.Builder
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("oasdiff: %w: %s", err, strings.TrimSpace(problems.String()))
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("oasdiff: %w", err)
	}
	return all, nil
}
