package programs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"waybill/cmd/schemaguard/settings"
)

// Answers are what callers of the base's program were answered.
type Answers struct {
	Answers map[int]int    `json:"answers"` // by HTTP status; 0: no answer
	Failed  map[string]int `json:"failed"`  // what the server failed to do, for people
	Longest int64          `json:"longest_ms"`
}

// Callers is a running command of the base, which serves a database and calls it. It gets the database as
// DATABASE_URL, and as the owner's OWNER_DATABASE_URL; "{callers}" in its arguments is their number. It writes the
// line "calling" when all is well, and for each line that it reads the [Answers] since the line before, when all
// callers have begun anew and done all that they do once more. It ends with its input.
type Callers struct {
	command  *exec.Cmd
	in       io.WriteCloser
	lines    chan string // of its output, closed at its end
	problems *output
	remove   func() error
}

// output collects what a program says while it runs.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Environment is how the command reaches the database.
type Environment struct {
	Application, Owner string // URLs
	Callers            int
}

// ready is how long the command may take to be built and started, and a round of the callers.
const ready = 10 * time.Minute

// Call builds the base's program, starts it, and returns when its callers are answered.
func (s *Source) Call(ctx context.Context, e Environment) (c *Callers, err error) {
	folder, remove, err := s.base(ctx, settings.Run{})
	if err != nil {
		return nil, err
	}
	c = &Callers{lines: make(chan string), problems: &output{}, remove: remove}
	if err := c.start(ctx, folder, s.Settings.Callers, e); err != nil {
		return nil, errors.Join(err, remove())
	}
	line, err := c.line(ctx)
	if err == nil && line != "calling" {
		err = fmt.Errorf("the base's callers said %q, and not that they are calling", line)
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Callers) start(ctx context.Context, folder string, command []string, e Environment) (err error) {
	args := slices.Clone(command)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "{callers}", strconv.Itoa(e.Callers))
	}
	c.command = exec.CommandContext(ctx, args[0], args[1:]...)
	c.command.Dir, c.command.Stderr = folder, c.problems
	c.command.Env = append(os.Environ(), "DATABASE_URL="+e.Application, "OWNER_DATABASE_URL="+e.Owner)
	c.command.WaitDelay = 20 * time.Second
	together(c.command)
	if c.in, err = c.command.StdinPipe(); err != nil {
		return err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.command.Start(); err != nil {
		return err
	}
	go func() {
		defer close(c.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.lines <- lines.Text()
		}
	}()
	return nil
}

func (c *Callers) line(ctx context.Context) (string, error) {
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(ready):
		return "", fmt.Errorf("the base's callers say nothing for %v", ready)
	case line, ok := <-c.lines:
		if !ok {
			return "", errors.New("the base's callers have ended: " + end(c.problems.String()))
		}
		return line, nil
	}
}

// Lap returns the answers since the last lap, when each caller has begun anew and done all once more.
func (c *Callers) Lap(ctx context.Context) (a Answers, err error) {
	if _, err := io.WriteString(c.in, "\n"); err != nil {
		return a, errors.New("the base's callers have ended: " + end(c.problems.String()))
	}
	line, err := c.line(ctx)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		return a, fmt.Errorf("the base's callers said %q: %w", line, err)
	}
	return a, nil
}

// Stop ends the callers and their server.
func (c *Callers) Stop() error {
	c.in.Close()
	for range c.lines { // until it ends
	}
	err := c.command.Wait()
	return errors.Join(err, c.remove())
}

// ServerErrors returns the number of answers in which the server failed, and of those that say it is busy.
func (a Answers) ServerErrors() (failed, busy int) {
	for status, n := range a.Answers {
		switch {
		case status == 503:
			busy += n
		case status == 0, status >= 500:
			failed += n
		}
	}
	return failed, busy
}

// String counts the answers by status, and what failed.
func (a Answers) String() string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(a.Answers)) {
		parts = append(parts, fmt.Sprintf("%d of %d", a.Answers[status], status))
	}
	text := strings.Join(parts, ", ")
	if failed := slices.Sorted(maps.Keys(a.Failed)); len(failed) > 0 {
		for i, what := range failed {
			failed[i] = fmt.Sprintf("%d x %s", a.Failed[what], what)
		}
		text += ": " + strings.Join(failed[:min(len(failed), 5)], "; ")
	}
	return text
}
