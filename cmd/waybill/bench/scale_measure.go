package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/db/scale"
)

// scaleMeasure is an operation to measure, by a user, on some rows.
type scaleMeasure struct {
	operation, viewer, which string
	mostPages                int // 0: none
	// start makes a first request, and returns the number of items in its answer and how to repeat it.
	start func(ctx context.Context, d *scaleDatabase) (load httpLoad, items int, err error)
}

func (m scaleMeasure) name() string {
	return strings.TrimRight(fmt.Sprintf("%s, %s, %s", m.operation, m.viewer, m.which), ", ")
}

func readMeasure(r ScaleRead, viewer scale.Role) scaleMeasure {
	m := scaleMeasure{operation: r.Operation, viewer: roleNames[viewer], which: r.Which, mostPages: mostPages}
	if r.MostPages > 0 {
		m.mostPages = r.MostPages
	}
	m.start = func(ctx context.Context, d *scaleDatabase) (httpLoad, int, error) { return d.startRead(ctx, r, viewer) }
	if r.Stream {
		m.start = func(ctx context.Context, d *scaleDatabase) (httpLoad, int, error) {
			return d.startStream(ctx, viewer)
		}
	}
	return m
}

func (d *scaleDatabase) startRead(ctx context.Context, r ScaleRead, viewer scale.Role) (l httpLoad, items int,
	err error) {
	path, err := d.pathOf(ctx, r, viewer)
	if err != nil {
		return l, 0, err
	}
	page, err := d.pageOf(ctx, r, viewer, path)
	if err != nil {
		return l, 0, err
	}
	reader := d.readers[viewer]
	l.callers = []*caller{reader}
	l.operate = func(*caller, int64) error { return reader.get(anyRole, path, "") }
	if r.Body != "" {
		l.operate = func(*caller, int64) error {
			reader.body = append(reader.body[:0], r.Body...)
			return reader.post(anyRole, http.StatusOK, path)
		}
	}
	return l, len(page.Items), nil
}

func (d *scaleDatabase) startStream(ctx context.Context, viewer scale.Role) (l httpLoad, items int, err error) {
	conn, err := pgx.Connect(ctx, d.ownerURL)
	if err != nil {
		return l, 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var after string
	middle := d.data.Pickups[len(d.data.Pickups)/2]
	if err := conn.QueryRow(ctx, statement("scale_event"), d.data.TenantID, middle).Scan(&after); err != nil {
		return l, 0, err
	}
	l.callers = []*caller{d.readers[viewer]}
	l.pause = streamPause
	l.operate = func(*caller, int64) error { return d.stream(ctx, viewer, after) }
	return l, streamed, l.operate(nil, 0)
}

// streamPause lets the server notice that a stream was closed: a user may have eight.
const streamPause = 200 * time.Millisecond

// firstRequests are not measured: the first one on a connection of the server reads of the catalog what its statement's
// triggers and functions need (500 pages for a submit), and PostgreSQL plans the first five anew. On a busy machine a
// round has few others.
const firstRequests = 6

// slow is the duration from which a request is repeated only as often as necessary.
const slow = time.Second

// measure measures each database in turn. If one fails, the others are still measured.
func (b *scaleBench) measure(ctx context.Context, m scaleMeasure) *scaleLine {
	line := &scaleLine{Operation: m.operation, Viewer: m.viewer, Which: m.which, MostPages: m.mostPages,
		Machine: b.machine}
	runs := make([]*scaleRun, len(b.databases))
	for i, d := range b.databases {
		runs[i] = &scaleRun{database: d}
		if runs[i].load, runs[i].items, runs[i].err = m.start(ctx, d); runs[i].err == nil {
			runs[i].err = b.warm(ctx, runs[i])
		}
	}
	for round := range b.rounds {
		for _, r := range runs {
			if r.err == nil && (round == 0 || !r.slow) {
				r.err = b.round(ctx, r)
			}
		}
	}
	for _, r := range runs {
		line.add(r, b.counters.conn != nil)
	}
	line.Ratio = ratioOf(runs[0], runs[len(runs)-1])
	line.judge()
	return line
}

// ratioOf compares the fastest rounds: other load on the machine only ever makes a round slower. It is nil
// for one database, and if one failed.
func ratioOf(least, largest *scaleRun) *float64 {
	if least == largest || least.err != nil || largest.err != nil {
		return nil
	}
	return new(roundSignificant(slices.Min(largest.p50s) / slices.Min(least.p50s)))
}

// scaleRun is one database's part of a line.
type scaleRun struct {
	database *scaleDatabase
	load     httpLoad
	items    int
	slow     bool
	pages    int64
	all      httpLoaded
	p50s     []float64 // of each round, in milliseconds
	err      error
}

// warm sends the first requests, for as long as a round at most.
func (b *scaleBench) warm(ctx context.Context, r *scaleRun) error {
	first := r.load
	first.For, first.most = b.roundTime(), firstRequests
	loaded, err := first.run(ctx)
	if err != nil {
		return err
	}
	r.slow = loaded.Latencies.Summary().P50 > float64(slow/time.Millisecond)
	return loaded.err
}

func (b *scaleBench) roundTime() time.Duration {
	return time.Duration(b.seconds * float64(time.Second))
}

// round counts the pages of all requests, including those whose statements PostgreSQL planned with a
// custom plan.
func (b *scaleBench) round(ctx context.Context, r *scaleRun) error {
	before, err := b.counters.of(ctx, r.database.name)
	if err != nil {
		return err
	}
	r.load.For = b.roundTime()
	loaded, err := r.load.run(ctx)
	if err != nil {
		return err
	}
	after, err := b.counters.of(ctx, r.database.name)
	if err != nil {
		return err
	}
	r.pages += after - before
	r.p50s = append(r.p50s, loaded.Latencies.Summary().P50)
	r.all.add(loaded)
	return loaded.err
}

// failureText returns a failure as it is reported: the status, without the address.
func failureText(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case strings.Contains(err.Error(), " 504"):
		return "504"
	default:
		return err.Error()
	}
}
