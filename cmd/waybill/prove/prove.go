// Package prove replays bad stories against a running server: what went wrong
// elsewhere when two callers came at once, or one came twice. It knows the server
// through HTTP alone, and holds it to what the stories say, not to what the server
// says of itself.
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

// Options say against which server, and how hard.
type Options struct {
	URL string

	// An admin of some tenant, by a session's token or by a login. Whatever a story
	// needs is made by them.
	Token                   string
	Tenant, Email, Password string

	Callers  int      // how many at once
	Rounds   int      // how often each race is run
	Attempts int      // how often one submit is tried, in the story of that name
	Stories  []string // their names; none for all

	Progress io.Writer // told how a long story goes
	Redraw   bool      // Progress is a terminal, where one line is written over
}

// Result is what became of one story.
type Result struct {
	Story  string  `json:"story"`
	Told   string  `json:"told"`
	Tried  string  `json:"tried"`
	Held   bool    `json:"held"`
	Figure string  `json:"figure"`
	Took   float64 `json:"seconds"`
}

// story is one of them.
type story struct {
	name  string
	told  string // what went wrong
	tried string // what is done here
	try   func(*trial)
}

// stories are told in this order.
func stories() []story {
	return slices.Concat(pickupStories(), driverStories(), accountStories(), userStories())
}

// Names lists the stories.
func Names() []string {
	var names []string
	for _, s := range stories() {
		names = append(names, s.name)
	}
	return names
}

// Run tries the stories one after the other and tells of each. It fails if a story
// could not be tried at all; one that did not hold is no failure of Run.
func Run(ctx context.Context, o Options, tell func(Result)) error {
	chosen, err := choose(o.Stories)
	if err != nil {
		return err
	}
	w, err := newWorld(ctx, o)
	if err != nil {
		return err
	}
	defer w.leave()
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
			return nil, fmt.Errorf("there is no story %q; there are: %s", name, strings.Join(Names(), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// trial is one run of a story.
type trial struct {
	*world
	ctx    context.Context
	figure string
	broken string // the first thing that was not as it must be
}

// unable ends a trial that could not be set up, or whose server went away: there is
// nothing to say about the story.
type unable struct{ error }

func (w *world) run(ctx context.Context, s story) (r Result, err error) {
	start := time.Now()
	t := &trial{world: w, ctx: ctx}
	defer func() {
		if caught := recover(); caught != nil {
			u, ok := caught.(unable)
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
	r = Result{s.name, s.told, s.tried, t.broken == "", t.figure, time.Since(start).Seconds()}
	if !r.Held {
		r.Figure = t.broken
	}
	return r, nil
}

// give ends the trial if what it needs cannot be had.
func (t *trial) give(err error) {
	if err != nil {
		panic(unable{err})
	}
}

// expect notes the first thing that is not as it must be.
func (t *trial) expect(ok bool, format string, args ...any) {
	if !ok && t.broken == "" {
		t.broken = fmt.Sprintf(format, args...)
	}
}

// same expects two things to be the same.
func same[T comparable](t *trial, what string, got, want T) {
	t.expect(got == want, "%s: %v in place of %v", what, got, want)
}

// figures says what was counted, where the story held.
func (t *trial) figures(format string, args ...any) { t.figure = fmt.Sprintf(format, args...) }
