package prove

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// CallerOptions select the program that serves, and who calls it.
type CallerOptions struct {
	Program     string            // waybill
	DatabaseURL string            // of the application's role
	Tokens      map[string]string // a session of each role, by its name
	Callers     int
	Pause       time.Duration // of each caller between two requests
}

// Answers are what callers were answered. A request without an answer counts as status 0.
type Answers struct {
	Answers map[int]int    `json:"answers"`    // by status
	Failed  map[string]int `json:"failed"`     // by status, code and operation, where the server failed
	Longest int64          `json:"longest_ms"` // time of an answer
}

// Callers serves a database by a process of its own, and has callers use it until in ends: each takes pickups
// through their life, moves money, and reads what the document has to read. It writes "calling" to out when each
// has done all once. To each line of in it answers with the [Answers] since the line before, as a line of JSON,
// when each caller has begun anew and done all once more.
func Callers(ctx context.Context, o CallerOptions, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	addresses, err := freeAddresses(1)
	if err != nil {
		return err
	}
	server, err := startProcess(ctx, []string{"DATABASE_URL=" + o.DatabaseURL}, o.Program, "serve", "--addr",
		addresses[0], "--admin-addr", "", "--log-level", "error", "--drain", "0")
	if err != nil {
		return err
	}
	defer server.stop()
	if err := eventually(ctx, time.Minute, func() bool { return listens(addresses[0]) }); err != nil {
		return fmt.Errorf("the server does not listen: %w", err)
	}
	l, err := newCallerLoad(ctx, "http://"+addresses[0], o)
	if err != nil {
		return err
	}
	finish := l.run(ctx)
	defer finish()
	return l.tell(ctx, in, out)
}

// callerLoad is the callers and what they were answered.
type callerLoad struct {
	CallerOptions
	client   *client
	users    map[string]user
	facility string
	account  string
	reads    []reading

	mu      sync.Mutex
	answers Answers
	rounds  []int // that each caller has finished
}

func newAnswers() Answers { return Answers{Answers: map[int]int{}, Failed: map[string]int{}} }

func newCallerLoad(ctx context.Context, url string, o CallerOptions) (*callerLoad, error) {
	l := &callerLoad{CallerOptions: o, client: newClient(url, o.Callers), users: map[string]user{},
		answers: newAnswers(), rounds: make([]int, o.Callers)}
	for role, token := range o.Tokens {
		l.users[role] = user{client: l.client, token: token}
	}
	for path, into := range map[string]*string{"/v1/facilities": &l.facility, "/v1/accounts": &l.account} {
		rows, err := list[row](ctx, l.users["dispatcher"], path)
		if err == nil && len(rows) == 0 {
			err = errors.New("there is none")
		}
		if err != nil {
			return nil, fmt.Errorf("GET %s: %w", path, err)
		}
		*into = rows[0].ID
	}
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	var by []user
	for _, role := range slices.Sorted(maps.Keys(l.users)) {
		by = append(by, l.users[role])
	}
	var err error
	l.reads, err = readsOf(ctx, l.client, by)
	return l, err
}

// prepare takes one pickup through its life, so that each list has a row. What the callers do must work before
// anything is changed.
func (l *callerLoad) prepare(ctx context.Context) error {
	c, err := l.caller(ctx, 0)
	if err != nil {
		return err
	}
	c.write(ctx)
	for status := range l.answers.Answers {
		if status < 200 || status > 299 {
			return fmt.Errorf("a caller alone was answered by %d: %v", status, l.answers.Failed)
		}
	}
	l.answers = newAnswers()
	return nil
}

// run starts the callers, and returns a function that ends them.
func (l *callerLoad) run(ctx context.Context) (finish func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range l.Callers {
		all.Go(func() {
			c, err := l.caller(ctx, i)
			for err == nil && ctx.Err() == nil {
				c.write(ctx)
				c.readAll(ctx)
				l.mu.Lock()
				l.rounds[i]++
				l.mu.Unlock()
			}
			if err != nil && ctx.Err() == nil {
				l.count("a driver for the caller", answer{err: err}, 0)
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// tell answers each line of in.
func (l *callerLoad) tell(ctx context.Context, in io.Reader, out io.Writer) error {
	if err := l.finished(ctx, 1); err != nil {
		return err
	}
	l.take() // what callers notice of each other's start
	fmt.Fprintln(out, "calling")
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := l.finished(ctx, 2); err != nil { // the one that has begun, and one after it
			return err
		}
		if err := json.NewEncoder(out).Encode(l.take()); err != nil {
			return err
		}
	}
	return nil
}

// finished waits until each caller has finished so many rounds more.
func (l *callerLoad) finished(ctx context.Context, more int) error {
	l.mu.Lock()
	before := slices.Clone(l.rounds)
	l.mu.Unlock()
	return eventually(ctx, 10*time.Minute, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i, n := range before {
			if l.rounds[i] < n+more {
				return false
			}
		}
		return true
	})
}

// take returns the answers since it was last called.
func (l *callerLoad) take() Answers {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.answers
	l.answers = newAnswers()
	return a
}

func (l *callerLoad) count(operation string, a answer, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers.Answers[a.status]++
	l.answers.Longest = max(l.answers.Longest, took.Milliseconds())
	if a.err != nil || a.status >= 500 {
		if a.code == strconv.Itoa(a.status) {
			a.code = ""
		}
		l.answers.Failed[fmt.Sprintf("%d %s %s", a.status, a.code, operation)]++
	}
}
