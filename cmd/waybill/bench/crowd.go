package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"waybill/db"
	"waybill/db/seed"
)

// crowdBench holds the settings and connections of the benchmark crowd.
type crowdBench struct {
	only     []string
	rate     float64
	events   float64
	duration time.Duration
	cost     int
	serve    string // further flags of "waybill serve"

	guessers, streams, feeds, lists, batches, items, records int

	ownerURL string
	url      string
	server   *server
	client   *http.Client // of the crowd
	calm     *http.Client // of the other tenant
	body     []byte       // of each batch: without ids, so that its rows are always new
	crowd    *crowdTenant
	neighbor *crowdTenant
}

// crowdTenant is one of the two tenants, with a user who logs in.
type crowdTenant struct {
	*fixture
	email string
}

func (b *crowdBench) register(flags *flag.FlagSet) {
	flags.Func("phase", "run only these, separated by commas: "+strings.Join(b.phaseNames(), ", "), b.setPhases)
	flags.Float64Var(&b.rate, "rate", 20,
		"requests per second of the other tenant: in turn a read, a batch, a feed, and opening a stream")
	flags.Float64Var(&b.events, "events", 10,
		"pickups per second that the other tenant submits, and receives as events")
	flags.DurationVar(&b.duration, "duration", 8*time.Second,
		"duration of each measurement: alone, and next to the crowd")
	flags.IntVar(&b.guessers, "guessers", 16, "connections that guess passwords of one tenant without pause")
	flags.IntVar(&b.streams, "streams", 256, "concurrent event streams of one driver")
	flags.IntVar(&b.feeds, "feeds", 8, "concurrent slow feeds of one user")
	flags.IntVar(&b.lists, "lists", 64, "concurrent lists of pickups that one user reads without pause")
	flags.IntVar(&b.batches, "batches", 40, "concurrent batches of pickups that one user sends without pause")
	flags.IntVar(&b.items, "batch-items", 1000, "pickups per batch, of 3.2 kB each; at most 1000")
	flags.IntVar(&b.records, "records", 20_000, "new records in the feed of one tenant")
	flags.IntVar(&b.cost, "bcrypt-cost", bcrypt.DefaultCost, "bcrypt cost of the passwords")
	flags.StringVar(&b.serve, "serve", "",
		"additional flags of serve, separated by blanks, such as --streams=64")
}

func (b *crowdBench) phaseNames() (names []string) {
	for _, p := range b.phases() {
		names = append(names, p.name)
	}
	return names
}

func (b *crowdBench) setPhases(text string) error {
	b.only = strings.Split(text, ",")
	for _, name := range b.only {
		if !slices.Contains(b.phaseNames(), name) {
			return fmt.Errorf("unknown name %q", name)
		}
	}
	return nil
}

func (b *crowdBench) check() error {
	if b.rate <= 0 || b.events <= 0 || b.duration <= 0 || min(b.rate, b.events)*b.duration.Seconds() < 1 {
		return errors.New("--rate and --events must be positive, and amount to at least one within --duration")
	}
	if min(b.guessers, b.streams, b.feeds, b.lists, b.batches, b.items, b.records) < 1 || b.items > 1000 {
		return errors.New("the sizes of the crowd must be positive, --batch-items at most 1000")
	}
	if b.cost < bcrypt.MinCost || b.cost > 16 {
		return fmt.Errorf("--bcrypt-cost must be between %d and 16", bcrypt.MinCost)
	}
	return nil
}

// benchCrowd measures the effect of a noisy neighbor: one tenant, or one of its users, takes all the
// capacity it can get. It measures the latency of another tenant, alone and next to the crowd. It
// returns an error if the other tenant has a request refused or an event lost.
func benchCrowd(ctx context.Context, env *Env, args []string) error {
	var b crowdBench
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
	var failed error
	for _, p := range b.phases() {
		if len(b.only) > 0 && !slices.Contains(b.only, p.name) {
			continue
		}
		line, err := b.measure(ctx, p)
		if err != nil {
			return err
		}
		if err := env.Report(line, line.String()); err != nil {
			return err
		}
		failed = cmp.Or(failed, line.failed())
	}
	m := ThisMachine()
	env.Progress("%s, %d CPUs, GOMAXPROCS %d, %s; running client, server and database", m.System, m.CPUs, m.GOMAXPROCS,
		m.Go)
	return failed
}

func (b *crowdBench) prepare(ctx context.Context, env *Env) (err error) {
	var app string
	if b.ownerURL, app, err = env.Database(ctx); err != nil {
		return err
	}
	args := append([]string{"--log-level", "error", "--bcrypt-cost", strconv.Itoa(b.cost),
		"--trusted-proxies", trustedProxies}, strings.Fields(b.serve)...)
	if b.server, err = env.serve(app, os.Stderr, args); err != nil {
		return err
	}
	if b.url, err = b.server.ready(ctx); err != nil {
		return err
	}
	env.Progress("preparing two tenants")
	b.client = NewClient(max(b.guessers, b.streams, b.feeds, b.lists, b.batches))
	b.calm = NewClient(32)
	b.client.Timeout, b.calm.Timeout = 0, 0 // a stream must not time out
	if b.crowd, err = b.tenant(ctx); err != nil {
		return err
	}
	if b.neighbor, err = b.tenant(ctx); err != nil {
		return err
	}
	if b.body, err = json.Marshal(object{"items": b.crowd.newPickups(b.items, 500, 2000)}); err != nil {
		return err
	}
	return b.hireDriver(ctx)
}

// tenant creates a tenant with some pickups to read, and a user with a known password.
func (b *crowdBench) tenant(ctx context.Context) (*crowdTenant, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(stormPassword), b.cost)
	if err != nil {
		return nil, err
	}
	var admin seed.User
	var token db.Token
	tenant, err := newTenant(ctx, b.ownerURL, func(r *seed.Rows) {
		admin = r.User(db.UserRoleAdmin, withHash(hash))
		token = r.Session(admin)
	})
	if err != nil {
		return nil, err
	}
	w, err := newFixture(ctx, b.url, tenant.Slug, string(token), 1, 1000, 1)
	return &crowdTenant{w, admin.Email}, err
}

// hireDriver creates a driver of the crowding tenant who can log in.
func (b *crowdBench) hireDriver(ctx context.Context) error {
	if err := b.crowd.newUser(ctx, db.UserRoleDriver); err != nil {
		return err
	}
	return b.crowd.do(ctx, "POST", "/v1/drivers",
		object{"name": "Benchmark", "user_id": b.crowd.users[db.UserRoleDriver]}, nil)
}
