package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"waybill/db"
	"waybill/db/seed"
)

// storm holds the settings and connections of the benchmark login-storm.
type storm struct {
	rate     float64
	duration time.Duration
	rounds   int
	callers  int
	sources  int
	guessers int
	cost     int
	retry    time.Duration

	client *http.Client
	url    string
	tenant Tenant
	emails []string
	token  string
}

// stormResult is the printed result.
type stormResult struct {
	Benchmark string       `json:"benchmark"`
	Rate      float64      `json:"requests_per_second"`
	Callers   int          `json:"callers"`
	Sources   int          `json:"sources"`  // distinct client addresses
	Guessers  int          `json:"guessers"` // all from one further address
	Cost      int          `json:"bcrypt_cost"`
	Seconds   float64      `json:"seconds"` // of each phase of a round, alone and in the storm
	Rounds    []stormRound `json:"rounds"`
	Alone     stormLatency `json:"alone"` // all rounds
	Storm     stormLatency `json:"storm"`
	P99Ratio  float64      `json:"p99_ratio"` // of the median rounds, so that a burst of other load does not count
	Logins    logins       `json:"logins"`
	Guesses   guesses      `json:"guesses"`
	Machine   Machine      `json:"machine"`
}

type stormLatency struct {
	Summary
	Late   float64 `json:"generator_late_p99_ms"`
	Failed int     `json:"failed"`
}

// stormRound is one round: neighboring rounds show whether the machine was quiet.
type stormRound struct {
	Alone float64 `json:"alone_p99_ms"`
	Storm float64 `json:"storm_p99_ms"`
}

// logins counts the logins of the storm by answer.
type logins struct {
	Opened  int    `json:"opened"`
	Refused int    `json:"refused"` // 503 with Retry-After
	Other   int    `json:"other"`
	First   string `json:"first_other,omitempty"`
}

// guesses counts the guesses of wrong passwords by answer.
type guesses struct {
	Wrong   int `json:"wrong"`   // 401: the password was checked
	Limited int `json:"limited"` // 429
	Busy    int `json:"busy"`    // 503: the queue was full
	Other   int `json:"other"`
}

const stormPassword = "correct horse"

// trustedProxies are the addresses of this machine.
const trustedProxies = "127.0.0.0/8,::1"

// loginStorm runs the benchmark login-storm. On two cores, PostgreSQL 15, fsync on: p99 2.3 ms alone,
// 5.7 ms next to 32 callers (2.5 times as much), 5.8 ms next to one caller. A lower priority of the
// hashing thread did not help: SCHED_IDLE instead of a nice value, time slices of 0.1 ms and
// GOMAXPROCS=3 changed little. With 250 ticks per second and a scheduling group per session, the kernel
// preempts that thread for a database session only at a tick, and ticks are 4 ms apart.
func loginStorm(ctx context.Context, env *Env, args []string) error {
	var s storm
	s.register(env.Flags)
	if err := env.Parse(args); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	if err := s.prepare(ctx, env); err != nil {
		return err
	}
	r := stormResult{
		Benchmark: "login-storm", Rate: s.rate, Callers: s.callers, Sources: s.sources,
		Guessers: s.guessers, Cost: s.cost,
		Seconds: s.duration.Seconds(), Machine: ThisMachine(),
	}
	env.Progress("%d rounds: %v alone, then %v with %d callers that log in", s.rounds, s.duration, s.duration,
		s.callers)
	if err := s.measure(ctx, &r); err != nil {
		return err
	}
	if err := env.Report(r, r.String()); err != nil {
		return err
	}
	if failed := r.Alone.Failed + r.Storm.Failed; failed > 0 {
		return fmt.Errorf("%d requests failed", failed)
	}
	return nil
}

func (s *storm) register(flags *flag.FlagSet) {
	flags.Float64Var(&s.rate, "rate", 200, "cheap requests per second: GET /v1/session")
	flags.DurationVar(&s.duration, "duration", 5*time.Second,
		"duration of each measurement in a round: alone, and in the storm")
	flags.IntVar(&s.rounds, "rounds", 6, "number of rounds, in turn, so that other load affects both alike")
	flags.IntVar(&s.callers, "callers", 32, "concurrent callers that log in, each as a different user")
	flags.IntVar(&s.sources, "sources", 8, "number of their client addresses")
	flags.IntVar(&s.guessers, "guessers", 0,
		"additional callers at one address that try wrong passwords of their tenant without pause")
	flags.IntVar(&s.cost, "bcrypt-cost", 12, "bcrypt cost of their passwords")
	flags.DurationVar(&s.retry, "retry", 0,
		"delay of a refused caller before the next try, plus up to half of it (default: what the "+
			"server asks)")
}

func (s *storm) check() error {
	if s.rate <= 0 || s.duration <= 0 || s.rounds < 1 || s.callers < 1 || s.retry < 0 {
		return errors.New("--rate, --duration, --rounds and --callers must be positive, --retry not negative")
	}
	if s.sources < 1 || s.guessers < 0 {
		return errors.New("--sources must be positive, --guessers not negative")
	}
	if s.rate*s.duration.Seconds() < 1 {
		return errors.New("--rate times --duration is less than one request")
	}
	if s.cost < bcrypt.MinCost || s.cost > 16 {
		return fmt.Errorf("--bcrypt-cost must be between %d and 16", bcrypt.MinCost)
	}
	return nil
}

func (s *storm) prepare(ctx context.Context, env *Env) error {
	owner, app, err := env.Database(ctx)
	if err != nil {
		return err
	}
	if err := s.createUsers(ctx, env, owner); err != nil {
		return err
	}
	s.client = NewClient(s.callers + s.guessers + int(s.rate))
	s.url, err = env.Serve(ctx, app, "--bcrypt-cost", strconv.Itoa(s.cost), "--trusted-proxies", trustedProxies)
	return err
}

// createUsers creates the users who log in, and the user whose requests are measured.
func (s *storm) createUsers(ctx context.Context, env *Env, owner string) (err error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(stormPassword), s.cost)
	if err != nil {
		return err
	}
	s.tenant, err = newTenant(ctx, owner, func(r *seed.Rows) {
		for range s.callers {
			s.emails = append(s.emails, r.User(db.UserRoleStaff, withHash(hash)).Email)
		}
		s.token = string(r.Session(r.User(db.UserRoleDispatcher, withHash(hash))))
	})
	return err
}

// measure runs both phases in turn. A round ends after the answer to its last login: no hash is left
// for the next round.
func (s *storm) measure(ctx context.Context, r *stormResult) error {
	warm := Load{PerSecond: s.rate, For: min(s.duration, time.Second)}
	if _, err := warm.Run(ctx, s.session); err != nil {
		return err
	}
	var alone, storm Loaded
	for range s.rounds {
		calm, err := s.sessions(ctx, &alone)
		if err != nil {
			return err
		}
		end := make(chan struct{})
		over := make(chan struct{})
		go func() { s.run(ctx, end, r); close(over) }()
		stormy, err := s.sessions(ctx, &storm)
		close(end)
		<-over
		if err != nil {
			return err
		}
		r.Rounds = append(r.Rounds, stormRound{calm, stormy})
	}
	r.Alone, r.Storm = stormLatencyOf(&alone), stormLatencyOf(&storm)
	calm, stormy := r.medians()
	r.P99Ratio = math.Round(100*stormy/calm) / 100
	return nil
}

// medians returns the p99 of the median rounds.
func (r *stormResult) medians() (alone, storm float64) {
	var as, ss []float64
	for _, round := range r.Rounds {
		as, ss = append(as, round.Alone), append(ss, round.Storm)
	}
	slices.Sort(as)
	slices.Sort(ss)
	return as[len(as)/2], ss[len(ss)/2]
}

// sessions makes the cheap requests of half a round, and returns their p99.
func (s *storm) sessions(ctx context.Context, all *Loaded) (p99 float64, err error) {
	loaded, err := Load{PerSecond: s.rate, For: s.duration}.Run(ctx, s.session)
	if err != nil {
		return 0, err
	}
	all.Add(loaded)
	summary := loaded.Latencies.Summary()
	if loaded.Failed == summary.Count {
		return 0, fmt.Errorf("every request failed: %w", loaded.Err)
	}
	return summary.P99, nil
}

func stormLatencyOf(l *Loaded) stormLatency {
	return stormLatency{l.Latencies.Summary(), l.Late.Summary().P99, l.Failed}
}

func (s *storm) session(ctx context.Context, _ int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/session", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	response, err := Exchange(s.client, request)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET /v1/session answers %s", response.Status)
	}
	return err
}

// run runs the callers' logins and the guesses until end is closed.
func (s *storm) run(ctx context.Context, end <-chan struct{}, r *stormResult) {
	total := &r.Logins
	var mu sync.Mutex
	var callers sync.WaitGroup
	for guesser := range s.guessers {
		callers.Go(func() { s.guess(ctx, end, guesser, &mu, &r.Guesses) })
	}
	for i, email := range s.emails {
		source := fmt.Sprintf("198.51.100.%d", i%s.sources)
		callers.Go(func() {
			for wait := time.Duration(0); ; {
				select {
				case <-end:
					return
				case <-ctx.Done():
					return
				case <-time.After(wait):
				}
				response, err := s.login(ctx, source, email, stormPassword)
				mu.Lock()
				wait = total.count(response, err)
				mu.Unlock()
				if s.retry > 0 && wait > 0 {
					wait = s.retry
				}
				if wait > 0 { // a header in whole seconds would synchronize the retries
					wait += rand.N(wait / 2)
				}
			}
		})
	}
	callers.Wait()
}

// guess tries wrong passwords of existing and unknown users from one address.
func (s *storm) guess(ctx context.Context, end <-chan struct{}, guesser int, mu *sync.Mutex, total *guesses) {
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case <-end:
			return
		default:
		}
		email := fmt.Sprintf("guess%d-%d@example.com", guesser, n)
		if n%2 == 0 {
			email = s.emails[(guesser+n)%len(s.emails)]
		}
		response, err := s.login(ctx, "203.0.113.9", email, "wrong horse")
		mu.Lock()
		total.count(response, err)
		mu.Unlock()
	}
}

func (g *guesses) count(response *http.Response, err error) {
	switch {
	case err != nil:
		g.Other++
	case response.StatusCode == http.StatusUnauthorized:
		g.Wrong++
	case response.StatusCode == http.StatusTooManyRequests:
		g.Limited++
	case response.StatusCode == http.StatusServiceUnavailable:
		g.Busy++
	default:
		g.Other++
	}
}

// count returns the caller's delay before the next try.
func (n *logins) count(response *http.Response, err error) (wait time.Duration) {
	wait, asked := retryAfter(response)
	switch {
	case err == nil && response.StatusCode == http.StatusCreated:
		n.Opened++
	case err == nil && response.StatusCode == http.StatusServiceUnavailable && asked:
		n.Refused++
	default:
		if n.Other++; n.Other == 1 {
			n.First = fmt.Sprint(err)
			if err == nil {
				n.First = response.Status
			}
		}
		wait = max(wait, 100*time.Millisecond)
	}
	return wait
}

func retryAfter(r *http.Response) (wait time.Duration, asked bool) {
	if r == nil {
		return 0, false
	}
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	return time.Duration(seconds) * time.Second, err == nil && seconds > 0
}

func (s *storm) login(ctx context.Context, source, email, password string) (*http.Response, error) {
	return logIn(ctx, s.client, s.url, source, object{"tenant": s.tenant.Slug, "email": email, "password": password})
}

// logIn sends a login from an address that the server believes because it trusts the proxy: see
// trustedProxies.
func logIn(ctx context.Context, client *http.Client, url, source string, credentials object) (*http.Response, error) {
	body, err := json.Marshal(credentials)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/sessions", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Forwarded-For", source)
	return Exchange(client, request)
}

func (r stormResult) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "GET /v1/session at %g/s  p50 ms  p99 ms  max ms  failed  generator lag, p99 ms\n", r.Rate)
	for _, row := range []struct {
		name string
		stormLatency
	}{{"alone", r.Alone}, {fmt.Sprintf("beside %d callers", r.Callers), r.Storm}} {
		fmt.Fprintf(&b, "  %-23s %7.2f %7.2f %7.2f %7d  %.2f\n", row.name,
			row.P50, row.P99, row.Max, row.Failed, row.Late)
	}
	alone, storm := r.medians()
	fmt.Fprintf(&b, "p99 of the median round: %.2f ms alone, %.2f ms in the storm, ratio %.2f; of each round:",
		alone, storm, r.P99Ratio)
	for _, round := range r.Rounds {
		fmt.Fprintf(&b, "  %.2f/%.2f", round.Alone, round.Storm)
	}
	fmt.Fprintf(&b, "\nlogins at bcrypt cost %d: %d succeeded, %d refused (503, Retry-After), "+
		"%d got anything else %s\n",
		r.Cost, r.Logins.Opened, r.Logins.Refused, r.Logins.Other, r.Logins.First)
	if r.Guessers > 0 {
		fmt.Fprintf(&b, "guesses of %d callers at one address: %d checked, %d limited (429), %d busy (503), "+
			"%d got anything else\n",
			r.Guessers, r.Guesses.Wrong, r.Guesses.Limited, r.Guesses.Busy, r.Guesses.Other)
	}
	fmt.Fprintf(&b, "%s, %d CPUs, GOMAXPROCS %d, %s; running client, server and database", r.Machine.System,
		r.Machine.CPUs, r.Machine.GOMAXPROCS, r.Machine.Go)
	return b.String()
}

// NewClient returns a client that keeps as many idle connections.
func NewClient(connections int) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, connections
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// Exchange makes a request and reads the whole answer, so that the connection can be reused.
func Exchange(client *http.Client, request *http.Request) (*http.Response, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response, err
}
