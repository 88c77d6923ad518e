package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
	"waybill/db/seed"
)

// httpBench holds the settings and servers of the benchmark http.
type httpBench struct {
	works              []work
	callers            []int
	seconds            float64
	rounds             int
	rate               float64
	accounts           int
	pickups            int
	serve              string // further flags of "waybill serve"
	tenants, processes int
	delay              time.Duration // of what the server sends to the database
	compare            otherServer

	ours, theirs *fixture // theirs is nil without another server
	owner        *pgx.Conn
	servers      []*server
	hosts        []string   // of the servers
	fixtures     []*fixture // ours and its neighbors
	log          *os.File   // the log of the server
	postmaster   int        // 0 if unknown or on another machine
	pgbench      *pgbench   // nil if not available
	status       *statusLine
}

// otherServer is an already running server to compare with.
type otherServer struct{ url, tenant, token, readyFile string }

func (b *httpBench) register(flags *flag.FlagSet) {
	flags.Func("work", "run only these, separated by commas: "+strings.Join(workNames(), ", "), b.setWorks)
	flags.Func("callers", "numbers of concurrent callers, separated by commas (default 1,32,256)", b.setCallers)
	flags.Float64Var(&b.seconds, "seconds", 3, "duration of each measurement in a round: over HTTP, and one by one")
	flags.IntVar(&b.rounds, "rounds", 3, "number of rounds, in turn, so that other load affects both alike")
	flags.Float64Var(&b.rate, "rate", 0,
		"fixed rate of operations per second: latency counts from the intended start; skips one by one "+
			"(default: no limit)")
	flags.IntVar(&b.accounts, "accounts", 1000, "number of paying accounts, except in charge-hot")
	flags.IntVar(&b.pickups, "pickups", 20_000,
		"number of pickups to read: with a thousand, the planner would scan the whole table")
	flags.IntVar(&b.tenants, "tenants", 1,
		"number of tenants among which each work is spread, but for lifecycle; pgbench works in one")
	flags.IntVar(&b.processes, "processes", 1, "number of server processes, among which the callers are spread")
	flags.StringVar(&b.serve, "serve", "",
		"additional flags of serve, separated by blanks, such as --combine=false")
	flags.DurationVar(&b.delay, "database-delay", 0,
		"the delay of each request of the server to the database: with 1ms, the p50 of one caller shows how "+
			"many round "+
			"trips an operation takes")
	flags.StringVar(&b.compare.url, "compare", "",
		"URL of another server with this API to compare with: needs --tenant and --token, or --ready-file; "+
			"created rows stay")
	flags.StringVar(&b.compare.tenant, "tenant", "", "slug of a tenant of that server")
	flags.StringVar(&b.compare.token, "token", "", "token of an admin of that tenant")
	flags.StringVar(&b.compare.readyFile, "ready-file", "", "read all three from the ready file of waybill dev")
}

func workNames() (names []string) {
	for _, w := range works() {
		names = append(names, w.name)
	}
	return names
}

func (b *httpBench) setWorks(text string) error {
	b.works = nil
	for name := range strings.SplitSeq(text, ",") {
		i := slices.Index(workNames(), name)
		if i < 0 {
			return fmt.Errorf("unknown name %q", name)
		}
		b.works = append(b.works, works()[i])
	}
	return nil
}

func (b *httpBench) setCallers(text string) error {
	b.callers = nil
	for number := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return errors.New("the number of callers must be at least 1")
		}
		b.callers = append(b.callers, n)
	}
	return nil
}

func (b *httpBench) check() error {
	if b.seconds <= 0 || b.rounds < 1 || b.accounts < 1 || b.pickups < 1 || b.rate < 0 {
		return errors.New("--seconds, --rounds, --accounts and --pickups must be positive, --rate not negative")
	}
	if b.rate > 0 && b.rate*b.seconds < 1 {
		return errors.New("--rate times --seconds is less than one operation")
	}
	if b.tenants < 1 || b.processes < 1 {
		return errors.New("--tenants and --processes must be positive")
	}
	if err := b.compare.read(); err != nil {
		return err
	}
	if b.compare.url != "" && (b.compare.tenant == "" || b.compare.token == "") {
		return errors.New("--compare needs --tenant and --token, or --ready-file")
	}
	if b.compare.url != "" && b.tenants > 1 {
		return errors.New("--compare works in one tenant of each server: without --tenants")
	}
	return nil
}

// read takes missing values from the ready file.
func (o *otherServer) read() error {
	if o.readyFile == "" {
		return nil
	}
	text, err := os.ReadFile(o.readyFile)
	if err != nil {
		return err
	}
	var ready struct {
		URL    string
		Tenant string
		Users  []struct {
			Role  db.UserRole
			Token string
		}
	}
	if err := json.Unmarshal(text, &ready); err != nil {
		return fmt.Errorf("%s is not a ready file of waybill dev: %w", o.readyFile, err)
	}
	o.url, o.tenant = cmp.Or(o.url, ready.URL), cmp.Or(o.tenant, ready.Tenant)
	for _, u := range ready.Users {
		if u.Role == db.UserRoleAdmin {
			o.token = cmp.Or(o.token, u.Token)
		}
	}
	return nil
}

// httpWork runs the benchmark http. Results on two quiet cores, PostgreSQL 15, fsync on, with client, server and
// database on one machine (--seconds 1.5 --rounds 1): operations per second, and the ratios to pgbench, which sends the
// same statements, and scalar ones, one by one:
//
//	               1 caller            32 callers           256 callers
//	get            2,972  0.32  0.21   23,199  0.85  0.41   31,766   3.25  1.38
//	create         1,149  1.60  0.53    7,336  6.51  1.92    9,998   9.65  3.52
//	charge-spread  1,255  0.61  0.31    8,337  2.38  0.72   13,362   5.09  1.99
//	charge-hot     1,397  1.07  0.33   12,083  5.24  2.62   18,318   8.25  3.78
//	transition     1,006  0.65  0.39    8,710  4.56  1.83   12,853   6.91  3.59
//	submit           804  0.67  0.48    4,569  3.62  2.07    8,883   6.78  4.41
//	lifecycle        114  0.85             595  6.18          1,141  11.91
//
// Runs of the same kind differ by a fifth: submit by 32 callers alone, three times, 5,538 to 6,140, 2.35 to 2.41 of the
// scalar rate.
//
// What keeps it from more is processor time. Of a get by one of 32 callers, the client takes 13 us, the server 44 and
// the database 18, while pgbench's scalar get takes 35 in all: two processors allow 0.47 of its rate. Of the server's
// 44 us, sockets are 27 % (writing the answer 18), huma with its checks and the body's JSON 20, the shared statement
// 14, garbage and its collection 10, the scheduler 8, reading the request 7, and the log line 7. A charge of one hot
// account takes 120 us, 62 of them the server's: two processors would allow 3.6 times the scalar rate, but the charges
// of one row come one statement after another, and a quarter of the time is idle. A lone get takes 205 us of the
// server, 50 of the client and 138 of the database, as it shares its statement, its session's and its wake-ups with
// nobody: pgbench's takes 71.
func httpWork(ctx context.Context, env *Env, args []string) error {
	b := httpBench{works: works(), callers: []int{1, 32, 256}}
	b.register(env.Flags)
	if err := env.Parse(args); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	if err := b.prepare(ctx, env); err != nil {
		return err
	}
	env.Progress("%s", httpHeader)
	failed := b.measureAll(ctx, env)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m := ThisMachine()
	env.Progress("%s, %d CPUs, GOMAXPROCS %d, %s; running client, server and database", m.System, m.CPUs, m.GOMAXPROCS,
		m.Go)
	return failed
}

// measureAll prints each line as soon as it is measured. A failed measurement is reported in its line and
// skipped; the first failure is returned.
func (b *httpBench) measureAll(ctx context.Context, env *Env) (failed error) {
	b.status = env.newStatusLine()
	for _, w := range b.works {
		for _, callers := range b.callers {
			line, err := b.measure(ctx, w, callers)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				line = b.failedLine(w, callers, err)
			}
			b.status.clear()
			if err := env.Report(line, line.String()); err != nil {
				return err
			}
			failed = cmp.Or(failed, line.err)
		}
	}
	return failed
}

func (b *httpBench) prepare(ctx context.Context, env *Env) error {
	ownerURL, app, err := env.Database(ctx)
	if err != nil {
		return err
	}
	if b.owner, err = pgx.Connect(ctx, ownerURL); err != nil {
		return err
	}
	env.stops = append(env.stops, func() error { return b.owner.Close(context.WithoutCancel(ctx)) })
	b.findDatabase()
	var token db.Token
	tenant, err := newTenant(ctx, ownerURL, func(r *seed.Rows) { token = r.Session(r.User(db.UserRoleAdmin)) })
	if err != nil {
		return err
	}
	served := app
	if b.delay > 0 {
		if served, err = env.delayed(app, b.delay); err != nil {
			return err
		}
	}
	url, err := b.start(ctx, env, served)
	if err != nil {
		return err
	}
	env.Progress("preparing accounts, users and pickups")
	most := slices.Max(b.callers)
	if b.ours, err = newFixture(ctx, url, tenant.Slug, string(token), b.accounts, b.pickups, most); err != nil {
		return err
	}
	if err = b.addNeighbors(ctx, ownerURL); err != nil {
		return err
	}
	if o := b.compare; o.url != "" {
		if b.theirs, err = newFixture(ctx, o.url, o.tenant, o.token, b.accounts, b.pickups, most); err != nil {
			return err
		}
	}
	if b.rate > 0 {
		return nil
	}
	if b.pgbench, err = env.newPgbench(app); b.pgbench != nil {
		b.pgbench.setVariables(tenant.ID, b.ours)
	}
	return err
}

// findDatabase finds the process of the database, if it runs on this machine.
func (b *httpBench) findDatabase() {
	host := b.owner.Config().Host
	if network, _ := pgconn.NetworkAddress(host, 0); network == "unix" || host == "localhost" ||
		strings.HasPrefix(host, "127.") {
		b.postmaster, _ = postmasterOf(int(b.owner.PgConn().PID()))
	}
}

// start runs the server. It logs to a file, so that nobody has to read a pipe.
func (b *httpBench) start(ctx context.Context, env *Env, databaseURL string) (url string, err error) {
	if b.log, err = os.CreateTemp("", "waybill-bench-"); err != nil {
		return "", err
	}
	env.stops = append(env.stops, func() error { return errors.Join(b.log.Close(), os.Remove(b.log.Name())) })
	log, err := os.OpenFile(b.log.Name(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return "", err
	}
	defer log.Close()
	// Hashing the users' passwords is not part of the measurement.
	args := append([]string{"--bcrypt-cost", "4"}, strings.Fields(b.serve)...)
	for range b.processes {
		server, err := env.serve(databaseURL, log, args)
		if err != nil {
			return "", err
		}
		at, err := server.ready(ctx)
		if err != nil {
			if ctx.Err() == nil {
				io.Copy(os.Stderr, b.log)
			}
			return "", err
		}
		b.servers, b.hosts = append(b.servers, server), append(b.hosts, strings.TrimPrefix(at, "http://"))
		url = cmp.Or(url, at)
	}
	return url, nil
}

// side is one of the servers during the measurement of one workload.
type side struct {
	fixtures []*fixture // of the tenants among which the work is spread
	callers  []*caller
	guess    float64 // estimated operations per second, to prepare rows for
	rates    []float64
	all      httpLoaded
}

func newSide(fixtures []*fixture, callers int) *side {
	return &side{fixtures: fixtures, callers: fixtures[0].callers(callers), guess: 2000}
}

// run measures the workload for a duration, on rows of its own.
func (s *side) run(
	ctx context.Context, w work, seconds, rate float64, watch func(run func() error) error,
) (loaded *httpLoaded, err error) {
	run := newRun()
	l := httpLoad{callers: s.callers, rate: rate, For: time.Duration(seconds * float64(time.Second))}
	l.operate = func(c *caller, n int64) error {
		c.fixture = s.fixtures[w.of(n, len(s.fixtures))]
		return w.operate(c, run, n)
	}
	if w.drafts {
		l.most = int64(2*max(rate, s.guess)*seconds) + int64(4*len(s.callers))
		if err = s.prepare(ctx, w, run, l.most); err != nil {
			return nil, err
		}
	}
	err = watch(func() error {
		loaded, err = l.run(ctx)
		return err
	})
	if err == nil {
		s.guess = loaded.perSecond()
	}
	return loaded, err
}

// count adds the result of a round.
func (s *side) count(l *httpLoaded) {
	s.rates = append(s.rates, l.perSecond())
	s.all.add(l)
	s.all.took += l.took
}

// measure measures one workload at a number of callers: over HTTP and by pgbench in turn.
func (b *httpBench) measure(ctx context.Context, w work, callers int) (*httpLine, error) {
	sides := b.sides(w, callers)
	unwatched := func(run func() error) error { return run() }
	b.status.show("%s, %d callers: warming up", w.name, callers)
	for _, s := range sides {
		if _, err := s.run(ctx, w, min(b.seconds, 1), 0, unwatched); err != nil {
			return nil, err
		}
	}
	if err := b.settle(ctx); err != nil {
		return nil, err
	}
	var used cpu
	guess := sides[0].guess
	yardsticks := []*singles{b.singles(w, callers, guess, false), b.singles(w, callers, guess, true)}
	for round := range b.rounds {
		b.status.show("%s, %d callers: round %d of %d", w.name, callers, round+1, b.rounds)
		for i, s := range sides {
			watch := unwatched
			if i == 0 {
				watch = func(run func() error) error { return b.watch(&used, run) }
			}
			loaded, err := s.run(ctx, w, b.seconds, b.rate, watch)
			if err != nil {
				return nil, err
			}
			s.count(loaded)
		}
		for _, y := range yardsticks {
			y.round(ctx)
		}
	}
	return b.line(w, callers, sides, yardsticks, used), nil
}

// settle analyzes the prepared rows, and truncates the server's log.
func (b *httpBench) settle(ctx context.Context) error {
	text, err := scripts.ReadFile("pgbench/settle.sql")
	if err != nil {
		return err
	}
	if _, err := b.owner.Exec(ctx, string(text)); err != nil {
		return err
	}
	return b.log.Truncate(0)
}

// cpu is the CPU time of client, server and database. It is unknown without /proc.
type cpu struct{ client, server, database time.Duration }

func (b *httpBench) watch(used *cpu, run func() error) error {
	before := b.cpu()
	err := run()
	after := b.cpu()
	used.client += after.client - before.client
	used.server += after.server - before.server
	used.database += after.database - before.database
	return err
}

func (b *httpBench) cpu() (now cpu) {
	now.client, _ = cpuOf(os.Getpid())
	for _, s := range b.servers {
		used, _ := cpuOf(s.cmd.Process.Pid)
		now.server += used
	}
	if b.postmaster != 0 {
		now.database, _ = cpuOfAll(b.postmaster)
	}
	return now
}

// median returns the median of the rounds; 0 without any.
func median(rates []float64) float64 {
	if len(rates) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(rates))
	return sorted[len(sorted)/2]
}

// roundSignificant rounds to the significant digits.
func roundSignificant(f float64) float64 {
	if f >= 1000 {
		return math.Round(f)
	}
	return math.Round(100*f) / 100
}
