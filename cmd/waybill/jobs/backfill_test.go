package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/cmd/waybill/texts"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/sql"
)

// addsOne fills in a column of things. It is relative: a row that is done twice has 2.
const addsOne = `
	WITH batch AS MATERIALIZED (
		SELECT t.id FROM things AS t
		WHERE $1::jsonb IS NULL OR t.id > ($1 ->> 0)::int
		ORDER BY t.id LIMIT $2::int FOR NO KEY UPDATE OF t
	), filled AS (
		UPDATE things AS t SET times = times + 1 FROM batch AS b WHERE t.id = b.id RETURNING t.id
	)
	SELECT (SELECT jsonb_build_array(max(b.id)) FROM batch AS b HAVING count(*) > 0), (SELECT count(*) FROM filled)`

// backfills is a database with a backfill, declared by a migration.
type backfills struct {
	t     *testing.T
	url   string
	owner *pgxpool.Pool
	store *db.System
	up    db.MigratorConfig
}

const things = 2000

func newBackfills(t *testing.T) *backfills {
	t.Helper()
	d := dbtest.New(t)
	ctx := t.Context()
	for _, statement := range []string{
		"CREATE TABLE things (id int PRIMARY KEY, times int NOT NULL DEFAULT 0)",
		fmt.Sprintf("INSERT INTO things SELECT n FROM generate_series(1, %d) AS n", things),
		"GRANT SELECT, UPDATE ON things TO waybill_app",
	} {
		if _, err := d.Owner().Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	store, err := db.Open(ctx, db.Config{URL: d.AppURL, MaxConns: 8, AcquireTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	folder := fstest.MapFS{}
	entries, err := sql.Migrations.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := sql.Migrations.ReadFile("migrations/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		folder[e.Name()] = &fstest.MapFile{Data: text}
	}
	b := &backfills{t: t, url: d.OwnerURL, owner: d.Owner(), store: store, up: db.MigratorConfig{
		Files: folder, Backfills: fstest.MapFS{"adds_one.sql": {Data: []byte(addsOne)}}}}
	b.migrate("-- +waybill backfill: adds_one of things\n-- +goose Up\nSELECT 1;")
	return b
}

// migrate applies one more migration.
func (b *backfills) migrate(text string) {
	b.t.Helper()
	if err := b.tryMigrate(text); err != nil {
		b.t.Fatal(err)
	}
}

func (b *backfills) tryMigrate(text string) error {
	files := b.up.Files.(fstest.MapFS)
	files[fmt.Sprintf("9%04d_x.sql", len(files))] = &fstest.MapFile{Data: []byte(text)}
	m, err := db.NewMigratorWith(b.url, b.up)
	if err != nil {
		return err
	}
	defer m.Close()
	_, err = m.Up(b.t.Context())
	return err
}

func (b *backfills) start(o Options) *Workers {
	b.t.Helper()
	o.Store, o.Sender, o.Workers, o.Log, o.BackfillFiles = b.store, texts.Log{Logger: quiet}, 1, quiet, b.up.Backfills
	w, err := Start(b.t.Context(), o)
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

func (b *backfills) row() db.Backfill {
	b.t.Helper()
	row, err := b.store.GetBackfill(b.t.Context(), "adds_one")
	if err != nil {
		b.t.Fatal(err)
	}
	return row
}

// until waits until the backfill is as it should be.
func (b *backfills) until(what string, is func(db.Backfill) bool) {
	b.t.Helper()
	for !is(b.row()) {
		select {
		case <-b.t.Context().Done():
			b.t.Fatalf("not %s: %+v", what, b.row())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (b *backfills) done(row db.Backfill) bool { return row.State == "DONE" }

// eachOnce checks that every row was done once.
func (b *backfills) eachOnce() {
	b.t.Helper()
	var once, all int64
	if err := b.owner.QueryRow(b.t.Context(), "SELECT count(*) FILTER (WHERE times = 1), count(*) FROM things").
		Scan(&once, &all); err != nil {
		b.t.Fatal(err)
	}
	if row := b.row(); once != all || row.RowsDone != all {
		b.t.Errorf("%d of %d rows were done once, %d are recorded", once, all, row.RowsDone)
	}
}

func TestABackfillIsDoneByTheWorkersRowByRowOnce(t *testing.T) {
	t.Parallel()
	b := newBackfills(t)
	w := b.start(Options{})
	b.until("done", b.done)
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
	b.eachOnce()
	var jobs int
	if err := b.owner.QueryRow(t.Context(), `SELECT count(*) FROM river_job
		WHERE kind = 'backfill' AND state <> 'completed'`).Scan(&jobs); err != nil || jobs != 0 {
		t.Errorf("%d jobs are left, %v", jobs, err)
	}
}

// A worker that is killed leaves a batch and its place both undone, or both done. Here its sessions end, as those of
// a process do that is killed, at any moment.
func TestABackfillWhoseWorkersAreKilledDoesEveryRowOnce(t *testing.T) {
	t.Parallel()
	b := newBackfills(t)
	ctx := t.Context()
	deaths := 0
	for !b.done(b.row()) {
		store, err := db.Open(ctx, db.Config{URL: b.store.Pool().Config().ConnString(), MaxConns: 2})
		if err != nil {
			t.Fatal(err)
		}
		running, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range 20 {
				if out, err := store.RunBackfill(running, "adds_one", addsOne, 25); err != nil || out.Done {
					return
				}
			}
		}()
		time.Sleep(time.Duration(deaths%13) * time.Millisecond)
		if _, err := b.owner.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()
				AND (query LIKE '%adds_one%' OR query LIKE '%UPDATE things%')`); err != nil {
			t.Fatal(err)
		}
		deaths++
		cancel()
		<-ended
		store.Close()
	}
	b.eachOnce()
	t.Logf("%d deaths", deaths)
}

// Two workers, such as one that was taken for dead and is not, take turns.
func TestTwoWorkersOfABackfillDoEveryRowOnce(t *testing.T) {
	t.Parallel()
	b := newBackfills(t)
	errs := make(chan error)
	for range 4 {
		go func() {
			for {
				out, err := b.store.RunBackfill(t.Context(), "adds_one", addsOne, 50)
				if err != nil || out.Done {
					errs <- err
					return
				}
			}
		}()
	}
	for range 4 {
		if err := <-errs; err != nil && !errors.Is(err, db.ErrBackfillNotRunning) && db.CodeOf(err) != db.Overloaded {
			t.Error(err)
		}
	}
	b.eachOnce()
}

func TestABackfillStopsAndResumes(t *testing.T) {
	t.Parallel()
	b := newBackfills(t)
	ctx := t.Context()
	if _, err := b.store.RunBackfill(ctx, "adds_one", addsOne, 10); err != nil {
		t.Fatal(err)
	}
	if n, err := b.store.StopBackfill(ctx, "adds_one"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := b.store.RunBackfill(ctx, "adds_one", addsOne, 10); !errors.Is(err, db.ErrBackfillNotRunning) {
		t.Errorf("a batch of a stopped one: %v", err)
	}
	if row := b.row(); row.RowsDone != 10 {
		t.Errorf("%d rows are done", row.RowsDone)
	}
	if err := b.tryMigrate("-- +waybill requires_backfill: adds_one\n-- +goose Up\nSELECT 1;"); err == nil ||
		!strings.Contains(err.Error(), "requires the backfill adds_one, which is STOPPED with 10 rows done") {
		t.Errorf("a migration that requires it: %v", err)
	}
	if n, err := b.store.ResumeBackfill(ctx, "adds_one"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	// Of a small table the migration does the rest itself.
	b.migrate("-- +waybill requires_backfill: adds_one\n-- +goose Up\nSELECT 1;")
	b.eachOnce()
}

// While the database has no time for it a backfill waits, and says why.
func TestABackfillHoldsWhileRequestsAreSlow(t *testing.T) {
	t.Parallel()
	b := newBackfills(t)
	p := newPace()
	r := &backfillRunner{store: b.store, name: "adds_one", statement: addsOne, pace: p}
	p.atRest = time.Millisecond
	for range probes {
		p.add(time.Millisecond)
	}
	if err := r.holdIfBusy(t.Context()); err != nil {
		t.Fatalf("as fast as at rest: %v", err)
	}
	for range probes {
		p.add(20 * time.Millisecond)
	}
	size := p.size
	if err := r.holdIfBusy(t.Context()); !errors.Is(err, errHeld) {
		t.Fatalf("slower: %v", err)
	}
	if row := b.row(); !strings.Contains(row.Held, "is 20ms beside it, and 1ms at rest") || p.size >= size {
		t.Errorf("held because %q, with batches of %d", row.Held, p.size)
	}
	// The next batch says that it no longer waits.
	if _, err := b.store.RunBackfill(t.Context(), "adds_one", addsOne, 10); err != nil || b.row().Held != "" {
		t.Errorf("%v, held because %q", err, b.row().Held)
	}
	hidden, lag := true, int64(20<<20)
	for want, row := range map[string]db.GetReplicaLagRow{"GRANT pg_monitor TO waybill_app": {IsHidden: &hidden},
		"a replica lags by 20 MB": {Bytes: &lag}, "": {}} {
		if got := lagText(row); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%+v: %q", row, got)
		}
	}
}

// Batches are shorter than the time between two probes: the database is probed all the while, as often as at rest.
func TestABackfillProbesBesideItsBatches(t *testing.T) {
	t.Parallel()
	b := newBackfills(t)
	endless := "SELECT jsonb_build_array($2::int), 1::bigint WHERE $1::jsonb IS NULL OR true"
	r := &backfillRunner{store: b.store, name: "adds_one", statement: endless, pace: newPace()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := r.run(ctx, time.Hour)
		ended <- err
	}()
	probed := func() bool {
		r.pace.mu.Lock()
		defer r.pace.mu.Unlock()
		return r.pace.atRest > 0 && len(r.pace.samples) >= 10
	}
	for !probed() {
		select {
		case err := <-ended:
			t.Fatalf("it ended before it was probed: %v", err)
		case <-time.After(probeInterval):
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A probe that waited in vain is a slow one, and the next ones are sent all the same.
func TestPaceCountsProbesThatFail(t *testing.T) {
	t.Parallel()
	p, sent := newPace(), make(chan struct{})
	stop := p.probing(t.Context(), func(context.Context) error {
		time.Sleep(2 * slack)
		sent <- struct{}{}
		return errors.New("no connection was free")
	})
	for n := range probes/2 + 1 {
		select {
		case <-sent:
		case <-time.After(time.Minute):
			t.Fatalf("no probe was sent after %d", n)
		}
	}
	go func() {
		for range sent { // the one that is under way
		}
	}()
	stop()
	close(sent)
	if p.busy() == "" {
		t.Error("the database has time for a backfill, although no probe was answered")
	}
}

// A batch's time is that of its statement, however long its commit and the way to the database take.
func TestABatchTellsHowLongItsStatementTook(t *testing.T) {
	t.Parallel()
	b := newBackfills(t)
	batch := func(statement string) db.BackfillBatch {
		t.Helper()
		out, err := b.store.RunBackfill(t.Context(), "adds_one", statement, 10)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	slow := "SELECT jsonb_build_array($2::int), 1::bigint FROM pg_sleep(0.5) WHERE $1::jsonb IS NULL OR true"
	for try := 0; ; try++ { // the small write that it is compared with may take longer on a busy machine
		if took := batch(slow).Took; took > 0 {
			break
		} else if try == 10 {
			t.Fatalf("a statement of half a second took %s", took)
		}
	}
}

func TestPaceMakesBatchesOfTheTargetsLength(t *testing.T) {
	t.Parallel()
	p := newPace()
	for range 20 {
		p.took(targetBatch/10, time.Second)
	}
	if p.size != largestBatch {
		t.Errorf("of quick rows: %d", p.size)
	}
	for range 20 {
		p.took(time.Second, time.Second)
	}
	if p.size != smallestBatch {
		t.Errorf("of slow ones: %d", p.size)
	}
}

// Where batches slow others down, they become shorter, and longer again by and by.
func TestPaceGivesWayToOthers(t *testing.T) {
	t.Parallel()
	p := newPace()
	p.atRest = 10 * time.Millisecond
	settled := func() int { // with rows of 1 µs, and a commit of 10 ms
		for range 30 {
			statement := time.Duration(p.size) * time.Microsecond
			p.took(statement, statement+10*time.Millisecond)
		}
		return p.size
	}
	quick := settled()
	for range probes {
		p.add(13 * time.Millisecond) // the limit: 1.2 times, and 1 ms
	}
	if why := p.busy(); why != "" {
		t.Errorf("at the limit: %s", why)
	}
	for range 2 { // one may be an accident
		p.add(14 * time.Millisecond)
	}
	if why := p.busy(); why == "" {
		t.Error("beyond it there is no reason to wait")
	}
	for range 10 {
		p.smaller()
	}
	if p.target != shortestTarget || p.busy() != "" {
		t.Errorf("batches may take %s, and wait: %s", p.target, p.busy())
	}
	slow := settled()
	if slow >= quick*3/4 || slow <= quick/20 {
		t.Errorf("batches of %d, and of %d where they slow nobody down", slow, quick)
	}
	for range 10 {
		settled()
	}
	if again := settled(); again != quick {
		t.Errorf("batches of %d again, of %d before", again, quick)
	}
}

// A failing statement is told by its code alone.
func TestAFailingBackfillSaysItsCode(t *testing.T) {
	t.Parallel()
	b := newBackfills(t)
	b.up.Backfills = fstest.MapFS{"adds_one.sql": {Data: []byte("SELECT $1::jsonb, (1 / ($2::int - $2::int))::bigint")}}
	w := b.start(Options{})
	b.until("held", func(row db.Backfill) bool { return row.Held == "its statement fails: SQLSTATE 22012" })
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
}

// A table whose rows are shown to viewers alone would seem empty to a worker.
func TestABackfillOfPatientsIsRefused(t *testing.T) {
	t.Parallel()
	b := newBackfills(t)
	for _, table := range []string{"patients", "nowhere"} {
		err := b.tryMigrate("-- +waybill backfill: adds_one of " + table + "\n-- +goose Up\nSELECT 1;")
		if err == nil || !strings.Contains(err.Error(), "there is no table "+table) {
			t.Errorf("%s: %v", table, err)
		}
		delete(b.up.Files.(fstest.MapFS), fmt.Sprintf("9%04d_x.sql", len(b.up.Files.(fstest.MapFS))-1))
	}
}
