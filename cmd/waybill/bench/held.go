package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/seed"
)

// heldRow is a kind of row that another session holds.
type heldRow struct {
	name string
	// needs is a write that needs the row; it fails when it has waited long enough.
	needs func(context.Context, *heldBench) error
	id    func(*heldBench) uuid.UUID
}

var heldRows = []heldRow{
	{"pickup", func(ctx context.Context, b *heldBench) error { return b.submit(ctx, b.pickup) },
		func(b *heldBench) uuid.UUID { return b.pickup }},
	{"account", func(ctx context.Context, b *heldBench) error {
		id, err := b.draft(ctx, b.accounts[0])
		return errors.Join(err, b.submit(ctx, id))
	}, func(b *heldBench) uuid.UUID { return b.accounts[0] }},
	{"slot", func(ctx context.Context, b *heldBench) error { return b.assign(ctx, b.submitted, b.drivers[0]) },
		func(b *heldBench) uuid.UUID { return b.drivers[0] }},
}

// heldBench is a tenant whose rows are held, and its callers.
type heldBench struct {
	*jobsFixture
	owner            *pgx.Conn
	callers, needing int
	duration         time.Duration
	drivers          []uuid.UUID // the first is held
	pickup           uuid.UUID   // a draft, held
	submitted        uuid.UUID   // waits for the held driver
}

// heldReport is the latency of those who do not need a row, without and with the row held.
type heldReport struct {
	Benchmark string  `json:"benchmark"`
	Row       string  `json:"row"`
	Callers   int     `json:"callers"`
	Free      Summary `json:"free"`
	Held      Summary `json:"held"`
	Ratio     float64 `json:"p99_ratio"`
	Machine   Machine `json:"machine"`
}

func benchHeld(ctx context.Context, env *Env, args []string) error {
	b := &heldBench{}
	env.Flags.DurationVar(&b.duration, "duration", 5*time.Second, "of each measurement")
	env.Flags.IntVar(&b.callers, "callers", 64, "callers who do not need the row")
	env.Flags.IntVar(&b.needing, "needing", 12, "callers who need the row")
	if err := env.Parse(args); err != nil {
		return err
	}
	if b.duration <= 0 || b.callers <= 0 || b.needing <= 0 {
		return errors.New("--duration, --callers and --needing must be positive")
	}
	if err := b.prepare(ctx, env); err != nil {
		return err
	}
	for _, row := range heldRows {
		report, err := b.measure(ctx, row)
		if err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
		text := fmt.Sprintf("%-8s p99 of the others %7.1f ms, while it is held %7.1f ms: ratio %.2f", row.name,
			report.Free.P99, report.Held.P99, report.Ratio)
		if err := env.Report(report, text); err != nil {
			return err
		}
	}
	return nil
}

func (b *heldBench) prepare(ctx context.Context, env *Env) error {
	ownerURL, appURL, err := env.Database(ctx)
	if err != nil {
		return err
	}
	if b.jobsFixture, err = env.jobsFixture(ctx, ownerURL, appURL, 16); err != nil {
		return err
	}
	if err := addRows(ctx, ownerURL, b.by.TenantID, func(r *seed.Rows) {
		for range 1 + b.callers {
			b.drivers = append(b.drivers, r.Driver())
		}
	}); err != nil {
		return err
	}
	if err := b.warm(ctx, ownerURL, warmBy); err != nil {
		return err
	}
	ids, err := b.jobsFixture.drafts(ctx, 2)
	if err != nil {
		return err
	}
	b.pickup, b.submitted = ids[0], ids[1]
	if err := b.submit(ctx, b.submitted); err != nil {
		return err
	}
	if b.owner, err = pgx.Connect(ctx, ownerURL); err != nil {
		return err
	}
	env.stops = append(env.stops, func() error { return b.owner.Close(context.WithoutCancel(ctx)) })
	return nil
}

// measure measures the others before a row is held, and while it is.
func (b *heldBench) measure(ctx context.Context, row heldRow) (heldReport, error) {
	free, err := b.others(ctx)
	if err != nil {
		return heldReport{}, err
	}
	holder, err := b.owner.Begin(ctx)
	if err != nil {
		return heldReport{}, err
	}
	defer holder.Rollback(context.WithoutCancel(ctx))
	if _, err := holder.Exec(ctx, statement("hold_"+row.name), b.by.TenantID, row.id(b)); err != nil {
		return heldReport{}, err
	}
	needing, over := context.WithCancel(ctx)
	var all sync.WaitGroup
	for range b.needing {
		all.Go(func() {
			for needing.Err() == nil {
				_ = row.needs(needing, b) // it waits in vain
			}
		})
	}
	held, err := b.others(ctx)
	over()
	all.Wait()
	return heldReport{"held", row.name, b.callers, free, held, held.P99 / free.P99, ThisMachine()}, err
}

// others has all callers submit, assign and release pickups of their own, and returns the latency of each write.
func (b *heldBench) others(ctx context.Context) (Summary, error) {
	var latencies Latencies
	errs := make(chan error, b.callers)
	for i := range b.callers {
		go func() { errs <- b.another(ctx, i, time.Now().Add(b.duration), &latencies) }()
	}
	var all []error
	for range b.callers {
		all = append(all, <-errs)
	}
	return latencies.Summary(), errors.Join(all...)
}

func (b *heldBench) another(ctx context.Context, i int, until time.Time, latencies *Latencies) error {
	account, driver := b.accounts[1+i%(len(b.accounts)-1)], b.drivers[1+i]
	for time.Now().Before(until) {
		id, err := b.draft(ctx, account)
		if err != nil {
			return err
		}
		for _, step := range []func() error{
			func() error { return b.submit(ctx, id) },
			func() error { return b.assign(ctx, id, driver) },
			func() error { return b.move(ctx, db.TransitionNameRelease, id, uuid.Nil) },
		} {
			begun := time.Now()
			if err := step(); err != nil {
				return err
			}
			latencies.Record(time.Since(begun))
		}
	}
	return nil
}

func (b *heldBench) draft(ctx context.Context, account uuid.UUID) (uuid.UUID, error) {
	id := uuid.Must(uuid.NewV7())
	_, _, err := b.CreateDrafts(ctx, b.by, []db.Draft{{
		ID: id, FacilityID: b.facility, AccountID: account, PriceCents: 100, PickupAddress: "Here",
		DropoffAddress: "There", Digest: benchDigest,
	}})
	return id, err
}

func (b *heldBench) assign(ctx context.Context, id, driver uuid.UUID) error {
	return b.move(ctx, db.TransitionNameAssign, id, driver)
}

func (b *heldBench) move(ctx context.Context, name db.TransitionName, id, driver uuid.UUID) error {
	_, _, err := b.MoveOne(ctx, b.by,
		db.Transition{Name: name, PickupID: id, DriverID: driver, Digest: benchDigest})
	return err
}
