// Package prove replays known concurrency bugs against a running server: what went wrong elsewhere when
// two callers came at once, or one request arrived twice. It uses only HTTP, and checks the server
// against the stories, not against what the server reports about itself.
package prove

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options select the server and the load.
type Options struct {
	URL string

	// An admin of some tenant, by a session token or by a login, who creates everything that a story
	// needs.
	Token                   string
	Tenant, Email, Password string

	Callers  int      // number of concurrent callers
	Rounds   int      // number of runs of each race
	Attempts int      // number of submits in the story attempts
	Stories  []string // names of stories; empty for all

	Progress io.Writer // receives the progress of long stories
	Redraw   bool      // Progress is a terminal, where a line can be redrawn
}

// Result is the result of one story.
type Result struct {
	Story   string  `json:"story"`
	Claim   string  `json:"told"`
	Attempt string  `json:"tried"`
	Held    bool    `json:"held"`
	Figure  string  `json:"figure"`
	Took    float64 `json:"seconds"`
}

// story is a known concurrency bug and the test for it.
type story struct {
	name    string
	claim   string // what went wrong
	attempt string // what is done here
	try     func(*trial)
}

// stories lists the stories in the order in which they run.
func stories() []story {
	return slices.Concat(pickupStories(), driverStories(), accountStories(), userStories())
}

// Names returns the names of the stories.
func Names() []string {
	var names []string
	for _, s := range stories() {
		names = append(names, s.name)
	}
	return names
}

// Run runs the stories one after the other and reports each result. It returns an error if a story
// could not run; a story that does not hold is a result and no error.
func Run(ctx context.Context, o Options, tell func(Result)) error {
	chosen, err := choose(o.Stories)
	if err != nil {
		return err
	}
	w, err := newFixture(ctx, o)
	if err != nil {
		return err
	}
	defer w.cleanUp()
	for _, s := range chosen {
		result, err := w.run(ctx, s)
		if err != nil {
			return fmt.Errorf("story %s: %w", s.name, err)
		}
		tell(result)
	}
	return nil
}

func choose(names []string) ([]story, error) {
	all := stories()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []story
	for _, name := range names {
		i := slices.IndexFunc(all, func(s story) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown story %q; the stories are: %s", name, strings.Join(Names(), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// trial is one run of a story.
type trial struct {
	*fixture
	ctx     context.Context
	figure  string
	failure string // the first failed expectation
}

// setupError aborts a trial that could not be set up, or whose server went away: the story has no result.
type setupError struct{ error }

func (w *fixture) run(ctx context.Context, s story) (r Result, err error) {
	start := time.Now()
	t := &trial{fixture: w, ctx: ctx}
	defer func() {
		if caught := recover(); caught != nil {
			u, ok := caught.(setupError)
			if !ok {
				panic(caught)
			}
			err = u.error
		}
	}()
	s.try(t)
	if err := ctx.Err(); err != nil {
		return r, errors.New("interrupted")
	}
	r = Result{s.name, s.claim, s.attempt, t.failure == "", t.figure, time.Since(start).Seconds()}
	if !r.Held {
		r.Figure = t.failure
	}
	return r, nil
}

// require aborts the trial if err is not nil.
func (t *trial) require(err error) {
	if err != nil {
		panic(setupError{err})
	}
}

// expect records the first failed expectation.
func (t *trial) expect(ok bool, format string, args ...any) {
	if !ok && t.failure == "" {
		t.failure = fmt.Sprintf(format, args...)
	}
}

// expectEqual expects two values to be equal.
func expectEqual[T comparable](t *trial, what string, got, want T) {
	t.expect(got == want, "%s: got %v, want %v", what, got, want)
}

// expectRefused expects so many of the answers to be errors with a code, and tells what all of them were.
func (t *trial) expectRefused(what string, as answers, code string, want int) {
	t.expect(as.with(code) == want, "%s refused with %s: got %d, want %d, of %v", what, code, as.with(code), want, as)
}

// figures sets the counts to print if the story holds.
func (t *trial) figures(format string, args ...any) { t.figure = fmt.Sprintf(format, args...) }
