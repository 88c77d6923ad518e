package programs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/settings"
)

var (
	// RaceFails is the rule that the base's race tests hold on the new schema.
	RaceFails = finding.Rule{
		Name: "old-race-fails",
		Load: "servers of the release before lose a race that they had won, or fail, until the last of them is gone",
		Safe: "keep what the guards of the base's statements rest on: the unique index, the constraint, the trigger; " +
			"replace it a release after the statement",
	}
	// ClientFails is the rule that the base's clients can live with the new server.
	ClientFails = finding.Rule{
		Name: "old-client-fails",
		Load: "clients that were built from the base fail from the deployment on; they cannot be deployed with it",
		Safe: "add the new beside the old, or declare the break in the project's file of breaks",
	}
)

// limit is how long a test may take.
const limit = 15 * time.Minute

// Replay runs the base's race tests on the head's migrations. It returns what failed, or "".
func (s *Source) Replay(ctx context.Context) (failure string, err error) {
	r := s.Settings.Replay
	folder, remove, err := s.base(ctx, r)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, remove()) }()
	return try(ctx, folder, r.Run)
}

// TryClients tests the base's clients on the head's server, all at once. It returns what failed, by the client's
// folder.
func (s *Source) TryClients(ctx context.Context) (failures map[string]string, err error) {
	all := s.Settings.Clients
	said, errs := make([]string, len(all)), make([]error, len(all))
	var wait sync.WaitGroup
	for i, c := range all {
		wait.Go(func() { said[i], errs[i] = s.client(ctx, c) })
	}
	wait.Wait()
	failures = map[string]string{}
	for i, c := range all {
		if said[i] != "" {
			failures[strings.Join(c.Take, ", ")] = said[i]
		}
	}
	return failures, errors.Join(errs...)
}

func (s *Source) client(ctx context.Context, c settings.Run) (failure string, err error) {
	folder, remove, err := s.head(ctx, c)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, remove()) }()
	return try(ctx, folder, c.Run)
}

// try runs a test in a folder, and returns the end of its output if it fails.
func try(ctx context.Context, folder string, command []string) (failure string, err error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := exec.CommandContext(limited, command[0], command[1:]...)
	c.Dir = folder
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	c.WaitDelay = 20 * time.Second
	together(c)
	err = c.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case limited.Err() != nil:
		return fmt.Sprintf("it took more than %v", limit), nil
	case errors.As(err, &exit):
		return end(out.String()) + err.Error(), nil
	}
	return "", fmt.Errorf("%s: %w", strings.Join(command, " "), err)
}

// failed matches the lines in which the tests of Go and Node name what failed.
var failed = regexp.MustCompile(`^\s*(--- FAIL|not ok|FAIL|panic:|error:|AssertionError)`)

// shown is how many lines of each kind are told: those that name a failure, and the last.
const shown = 8

// end returns of an output the lines that name a failure, and the last ones.
func end(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := max(0, len(lines)-shown)
	var told []string
	for _, line := range lines[:last] {
		if failed.MatchString(line) && len(told) < shown {
			told = append(told, line)
		}
	}
	return strings.Join(append(told, lines[last:]...), "\n  ") + "\n  "
}
