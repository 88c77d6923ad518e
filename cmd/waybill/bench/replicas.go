package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/localpg"
	"waybill/db/seed"
)

// replicasBench is a primary with a standby, and two servers: one that reads from the primary alone, and one
// whose reads the standby serves.
type replicasBench struct {
	callers, rounds int
	duration        time.Duration
	primary         *localpg.Server
	standby         *localpg.Server
	postmasters     [2]int      // of the primary and the standby
	servers         [2]*fixture // without and with the replica
}

// replicasRow is what one read costs each of the servers, without and with a replica.
type replicasRow struct {
	Benchmark string      `json:"benchmark"`
	Operation string      `json:"operation"`
	Callers   int         `json:"callers"`
	Alone     replicasUse `json:"alone"`
	Replica   replicasUse `json:"replica"`
	// Ratio is that of the primary's CPU time: how many times the reads it could bear, were it the limit. It is 0 if
	// that time, which is counted in hundredths of a second, was too short with a replica.
	Ratio   float64 `json:"primary_ratio"`
	Machine Machine `json:"machine"`
}

// replicasUse is the use of a request.
type replicasUse struct {
	PerSecond float64 `json:"per_second"`
	Primary   float64 `json:"primary_us"` // CPU time of its processes
	Standby   float64 `json:"standby_us"`
}

var replicaReads = []struct {
	operation string
	path      func(w *fixture, n int64) (path, id string)
}{
	{"get-account", func(w *fixture, n int64) (string, string) {
		return "/v1/accounts/", w.accounts.at(n % w.accountCount)
	}},
	{"list-accounts", func(*fixture, int64) (string, string) { return "/v1/accounts?limit=50", "" }},
	{"list-users", func(*fixture, int64) (string, string) { return "/v1/users", "" }},
	{"get-pickup-counts", func(*fixture, int64) (string, string) { return "/v1/pickup-counts", "" }},
}

// benchReplicas runs the benchmark replicas. On a machine whose processors all of them share, a replica adds
// nothing to the requests per second: what counts is what is left to the primary.
func benchReplicas(ctx context.Context, env *Env, args []string) error {
	b := &replicasBench{}
	env.Flags.DurationVar(&b.duration, "duration", 3*time.Second, "of each measurement")
	env.Flags.IntVar(&b.callers, "callers", 16, "number of concurrent callers")
	env.Flags.IntVar(&b.rounds, "rounds", 3, "number of rounds, in turn, so that other load affects both alike")
	if err := env.Parse(args); err != nil {
		return err
	}
	if b.duration <= 0 || b.callers <= 0 || b.rounds <= 0 {
		return errors.New("--duration, --callers and --rounds must be positive")
	}
	if env.databaseURL != "" {
		return errors.New("it makes its primary and standby itself: unset DATABASE_URL")
	}
	if err := b.prepare(ctx, env); err != nil {
		return err
	}
	for _, read := range replicaReads {
		row := replicasRow{Benchmark: "replicas", Operation: read.operation, Callers: b.callers, Machine: ThisMachine()}
		operate := func(c *caller, n int64) error {
			path, id := read.path(c.fixture, n)
			return c.get(db.UserRoleAdmin, path, id)
		}
		for range b.rounds {
			for i, use := range []*replicasUse{&row.Alone, &row.Replica} {
				if err := b.measure(ctx, b.servers[i], operate, use); err != nil {
					return fmt.Errorf("%s: %w", read.operation, err)
				}
			}
		}
		row.Alone.average(b.rounds)
		row.Replica.average(b.rounds)
		if row.Replica.Primary > 0 {
			row.Ratio = row.Alone.Primary / row.Replica.Primary
		}
		if err := env.Report(row, row.text()); err != nil {
			return err
		}
	}
	return nil
}

func (r replicasRow) text() string {
	return fmt.Sprintf(
		"%-18s CPU of the primary %5.0f us a request, with a replica %5.0f us (and %5.0f us of the replica): "+
			"ratio %.1f; requests/s %6.0f and %6.0f", r.Operation, r.Alone.Primary,
		r.Replica.Primary, r.Replica.Standby,
		r.Ratio, r.Alone.PerSecond, r.Replica.PerSecond)
}

func (u *replicasUse) average(rounds int) {
	for _, sum := range []*float64{&u.PerSecond, &u.Primary, &u.Standby} {
		*sum /= float64(rounds)
	}
}

// measure adds the use of a load to a sum.
func (b *replicasBench) measure(
	ctx context.Context, w *fixture, operate func(*caller, int64) error, sum *replicasUse,
) error {
	before, err := b.used()
	if err != nil {
		return err
	}
	loaded, err := httpLoad{callers: w.callers(b.callers), operate: operate, For: b.duration}.run(ctx)
	if err != nil {
		return err
	}
	if loaded.err != nil || loaded.done == 0 {
		return fmt.Errorf("%d of %d answers were unexpected: %w", loaded.unexpected, loaded.done+loaded.unexpected,
			loaded.err)
	}
	after, err := b.used()
	each := func(i int) float64 { return float64((after[i] - before[i]).Microseconds()) / float64(loaded.done) }
	sum.PerSecond += loaded.perSecond()
	sum.Primary += each(0)
	sum.Standby += each(1)
	return err
}

func (b *replicasBench) used() (all [2]time.Duration, err error) {
	for i, pid := range b.postmasters {
		var ok bool
		if all[i], ok = cpuOfAll(pid); !ok {
			return all, errors.New("the CPU time of processes can be read on Linux only")
		}
	}
	return all, nil
}

func (b *replicasBench) prepare(ctx context.Context, env *Env) (err error) {
	env.Progress("starting a primary and a standby with fsync on")
	b.primary, err = localpg.Start(ctx, localpg.Options{
		Durable: true, Settings: map[string]string{"synchronous_commit": "on"},
	})
	if err != nil {
		return err
	}
	env.stops = append(env.stops, b.primary.Stop)
	if err := db.Migrate(ctx, b.primary.URL(localpg.Owner, localpg.Database)); err != nil {
		return fmt.Errorf("cannot migrate: %w", err)
	}
	if b.standby, err = b.primary.Standby(ctx, "replica"); err != nil {
		return err
	}
	env.stops = append(env.stops, b.standby.Stop)
	for i, s := range []*localpg.Server{b.primary, b.standby} {
		if b.postmasters[i], err = postmaster(ctx, s); err != nil {
			return err
		}
	}
	if err := b.serve(ctx, env); err != nil {
		return err
	}
	return b.primary.AwaitReplay(ctx, b.standby)
}

func postmaster(ctx context.Context, s *localpg.Server) (int, error) {
	conn, err := pgx.Connect(ctx, s.URL(localpg.Owner, localpg.Database))
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	pid, ok := postmasterOf(int(conn.PgConn().PID()))
	if !ok {
		return 0, errors.New("the CPU time of processes can be read on Linux only")
	}
	return pid, nil
}

// serve starts both servers over one tenant.
func (b *replicasBench) serve(ctx context.Context, env *Env) error {
	var token db.Token
	tenant, err := newTenant(ctx, b.primary.URL(localpg.Owner, localpg.Database), func(r *seed.Rows) {
		token = r.Session(r.User(db.UserRoleAdmin))
	})
	if err != nil {
		return err
	}
	app := b.primary.URL(localpg.App, localpg.Database)
	alone, err := env.Serve(ctx, app)
	if err != nil {
		return err
	}
	replicated, err := env.Serve(ctx, app, "--replica-database-url", b.standby.URL(localpg.App, localpg.Database))
	if err != nil {
		return err
	}
	env.Progress("preparing accounts, users and pickups")
	if b.servers[0], err = newFixture(ctx, alone, tenant.Slug, string(token), 200, 1000, 1); err != nil {
		return err
	}
	at, err := url.Parse(replicated)
	if err != nil {
		return err
	}
	other := *b.servers[0]
	other.base, other.host = replicated, at.Host
	other.setHeads()
	b.servers[1] = &other
	return nil
}
