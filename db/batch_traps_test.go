package db_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// A CHECK sees the balance from before the wait: if the statement left the sum to it, one charge that
// needs the deposit would fail the whole batch.
func TestBatchOfChargesCountsTheDepositThatItWaitedFor(t *testing.T) {
	ctx, w := batchingFixture(t)
	account := w.fundedAccount(ctx, 10)
	tx := must(w.pool.Begin(ctx))
	defer tx.Rollback(ctx)
	w.must(w.depositing(ctx, account, 100)(w.over(tx)))
	done := make(chan []error)
	f := w.flushing()
	go func() {
		done <- w.sharingOver(db.BatchingOver(f), f, "entry", w.blockerCharges(ctx),
			w.charging(ctx, account, 60), w.charging(ctx, account, 50))
	}()
	w.awaitBlockedBy(ctx, tx)
	w.must(tx.Commit(ctx))
	if err := first(first(<-done...), w.expectBalance(ctx, account, 0)); err != nil ||
		f.count("CreateLedgerEntries") != blockers+1 {
		t.Errorf("%v, after %d statements", err, f.count("CreateLedgerEntries"))
	}
}

// meddling runs something before each statement that has a name.
type meddling struct {
	db.DBTX
	before map[string]func()
}

func (m meddling) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if name := queryName.FindStringSubmatch(sql)[1]; m.before[name] != nil {
		m.before[name]()
	}
	return m.DBTX.Query(ctx, sql, args...)
}

func (m meddling) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if name := queryName.FindStringSubmatch(sql)[1]; m.before[name] != nil {
		m.before[name]()
	}
	return m.DBTX.QueryRow(ctx, sql, args...)
}

func TestAnUnexplainedTransitionIsRetriedABoundedNumberOfTimes(t *testing.T) {
	ctx, w := batchingFixture(t)
	one, other := w.driver(ctx, 1, 1), w.driver(ctx, 1, 1)
	id := w.assigned(ctx, one)
	release := func() { w.must(w.moving(ctx, "release", id)(w.as)) }
	once := meddling{w.as.DBTX(), map[string]func(){"ExplainTransition": release}}
	if err := w.assigning(ctx, id, other)(db.BatchingOver(once)); err != nil {
		t.Error("released before the fresh read: ", err)
	}
	release()
	tries := 0
	always := meddling{w.as.DBTX(), map[string]func(){
		"TransitionPickups": func() { tries++; w.must(w.assigning(ctx, id, one)(w.as)) },
		"ExplainTransition": release,
	}}
	if err := refused(w.assigning(ctx, id, other)(db.BatchingOver(always)),
		db.Overloaded); err != nil || tries != db.Attempts {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

// A refusal that takes two reads was true at one moment.
func TestARefusalOfADriverIsOfThePickupAsItStands(t *testing.T) {
	ctx, w := batchingFixture(t)
	driver := w.driver(ctx, 1, 1)
	id, holder := w.submitted(ctx), w.assigned(ctx, driver)
	// The driver is busy at the attempt; then free, and assigned to this very pickup between the reads.
	between := meddling{w.as.DBTX(), map[string]func(){"ExplainDriver": func() {
		if w.row(ctx, holder).Status == "ASSIGNED" {
			w.must(w.moving(ctx, "release", holder)(w.as))
			w.must(w.assigning(ctx, id, driver)(w.as))
		}
	}}}
	if err := refused(w.assigning(ctx, id, driver)(db.BatchingOver(between)), db.IllegalTransition); err != nil {
		t.Error(err)
	}

	// The same charge is booked between the reads, with all that is left.
	account := w.fundedAccount(ctx, 10)
	e := charge(account, 60)
	paid := false
	twin := meddling{w.as.DBTX(), map[string]func(){"GetAccount": func() {
		if !paid {
			paid = true
			w.must(w.depositing(ctx, account, 50)(w.as))
			w.must(enter(ctx, w.as, w.admin, e))
		}
	}}}
	if _, replayed, err := db.BatchingOver(twin).Enter(ctx, w.admin, e); err != nil || !replayed {
		t.Errorf("replayed is %t, %v", replayed, err)
	}
}

func TestDuplicatesAtOnceMoveOnceAndAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openBatching(t)
	w := d.fixture(ctx)
	stores := []*db.Raw{w.Raw, openStore(t, db.Config{URL: d.AppURL, AcquireTimeout: 5 * time.Second})}
	driver := w.driver(ctx, 1, 1)
	id := w.pickup(ctx)
	for _, name := range []db.TransitionName{"submit", "assign", "release"} {
		errs := together(16, func(i int) error {
			return move(ctx, stores[i%2], w.dispatcher, name, id, withKey(string(name)),
				func(tr *db.Transition) { tr.DriverID = driver.DriverID })
		})
		if err := first(errs...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if version := w.row(ctx, id).Version; version != 4 {
		t.Errorf("moved %d times", version-1)
	}
	// The first of two loses: nothing is stored, and the second is judged on the new state.
	broke := w.fundedAccount(ctx, 0)
	id = w.pickup(ctx, paidBy(broke))
	w.must(refused(w.moving(ctx, "submit", id, withKey("again"))(w.Raw), db.InsufficientFunds))
	w.must(w.depositing(ctx, broke, 500)(w.as))
	if err := w.moving(ctx, "submit", id, withKey("again"))(w.Raw); err != nil {
		t.Error(err)
	}
}

func TestEveryOnConflictNamesItsTarget(t *testing.T) {
	t.Parallel()
	untargeted := regexp.MustCompile(`ON CONFLICT\s+DO`)
	for query, sql := range statements(t) {
		if untargeted.MatchString(sql) {
			t.Errorf("%s swallows the refusal of any constraint", query)
		}
	}
}

// A generic plan estimates ten rows for each array: it must not scan one array for each row of another.
func TestLargeBatchScansItsRequestsAFewTimesEach(t *testing.T) {
	ctx, w := batchingFixture(t)
	conn := must(w.pool.Acquire(ctx))
	defer conn.Release()
	must(conn.Exec(ctx, "SET plan_cache_mode = force_generic_plan"))
	defer conn.Exec(ctx, "RESET plan_cache_mode")
	const requests = 1000
	var entries []db.Entry
	for range requests {
		entries = append(entries, charge(w.account, 1))
	}
	var plan node
	if _, err := enterAll(ctx, w.over(explainingPrepared{explaining{conn, &plan}, conn.Conn()}),
		w.admin, entries); !errors.Is(err, errExplained) {
		t.Fatal(err)
	}
	plan.walk(func(n node) {
		if rows := n.Loops * (n.Rows + n.Removed + n.RemovedByJoin); rows > 2*requests {
			t.Errorf("%s %s goes through %.0f rows", n.Type, n.CTE, rows)
		}
	})
	w.must(w.expectBalance(ctx, w.account, 1_000_000-requests))
}

// explainingPrepared explains the plan of the prepared statement. A utility statement takes no parameters:
// they are sent as text.
type explainingPrepared struct {
	explaining
	conn *pgx.Conn
}

func (e explainingPrepared) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	prepared, err := e.conn.Prepare(ctx, "explained", sql)
	if err != nil {
		return nil, err
	}
	var texts []string
	for i, arg := range args {
		text, err := e.conn.TypeMap().Encode(prepared.ParamOIDs[i], pgx.TextFormatCode, arg, nil)
		if err != nil {
			return nil, fmt.Errorf("parameter %d has no text", i+1)
		}
		texts = append(texts, "'"+strings.ReplaceAll(string(text), "'", "''")+"'")
	}
	return e.explain(ctx, "EXECUTE explained ("+strings.Join(texts, ", ")+")")
}
