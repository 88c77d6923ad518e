package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
)

// input is a request of a history, output its answer.
type input struct {
	what           string
	pickup, driver int   // of the model's
	cents          int64 // of a charge or a deposit
	entry          int   // which entry: the same again is a repeat
}

type output struct {
	code     db.Code
	status   db.PickupStatus // read, or told by a refusal
	driver   int             // read
	balance  int64           // read
	replayed bool
}

const (
	modelPickups = 2
	modelDrivers = 2
	modelEntries = 6
	modelBalance = 150
	modelPrice   = 60
)

// modelState is the state of the model: two pickups, two drivers, one account.
type modelState struct {
	status  [modelPickups]db.PickupStatus
	driver  [modelPickups]int // from 1; 0 is none
	balance int64
	entered [modelEntries]bool
}

// step reports whether a request may have this answer in the current state, and returns the next state: it
// applies the design's rules to one request after the other.
func (m modelState) step(in input, out output) (bool, modelState) {
	if in.what == "charge" || in.what == "deposit" {
		return m.enter(in, out)
	}
	if in.what == "balance" {
		return out == output{balance: m.balance}, m
	}
	status := m.status[in.pickup]
	if in.what == "get" {
		return out == output{status: status, driver: m.driver[in.pickup]}, m
	}
	illegal := out == output{code: db.IllegalTransition, status: status}
	switch {
	case in.what == "submit" && status != "DRAFT", in.what == "assign" && status != "SUBMITTED",
		in.what == "release" && status != "ASSIGNED", status == "CANCELED":
		return illegal, m
	case in.what == "submit" && m.balance < modelPrice:
		return out == output{code: db.InsufficientFunds}, m
	case in.what == "assign" && (m.driver[0] == in.driver || m.driver[1] == in.driver):
		return out == output{code: db.DriverBusy}, m
	}
	switch in.what {
	case "submit":
		m.status[in.pickup], m.balance = "SUBMITTED", m.balance-modelPrice
	case "assign":
		m.status[in.pickup], m.driver[in.pickup] = "ASSIGNED", in.driver
	case "release":
		m.status[in.pickup], m.driver[in.pickup] = "SUBMITTED", 0
	case "cancel":
		if status != "DRAFT" {
			m.balance += modelPrice
		}
		m.status[in.pickup], m.driver[in.pickup] = "CANCELED", 0
	}
	return out == output{}, m
}

func (m modelState) enter(in input, out output) (bool, modelState) {
	delta := in.cents
	if in.what == "charge" {
		delta = -delta
	}
	switch {
	case m.entered[in.entry]:
		return out == output{replayed: true}, m
	case m.balance+delta < 0:
		return out == output{code: db.InsufficientFunds}, m
	}
	m.entered[in.entry], m.balance = true, m.balance+delta
	return out == output{}, m
}

var pickupModel = porcupine.Model{
	Init: func() any {
		return modelState{status: [modelPickups]db.PickupStatus{"DRAFT", "DRAFT"}, balance: modelBalance}
	},
	Step: func(state, in, out any) (bool, any) { return state.(modelState).step(in.(input), out.(output)) },
}

// history records the requests to a fixture and their answers.
type history struct {
	w       *fixture
	store   func() *db.Raw // any of the processes
	account uuid.UUID
	pickups []uuid.UUID
	drivers []db.Viewer
	entries []db.Entry

	mu  sync.Mutex
	all []porcupine.Operation
}

func newHistory(ctx context.Context, w *fixture, store func() *db.Raw) *history {
	h := &history{w: w, store: store, account: w.fundedAccount(ctx, modelBalance),
		drivers: w.drivers(ctx, modelDrivers)}
	for range modelPickups {
		h.pickups = append(h.pickups, w.pickup(ctx, paidBy(h.account), costing(modelPrice)))
	}
	for i := range modelEntries {
		e := charge(h.account, 10+rand.Int64N(50))
		if i%2 == 0 {
			e = deposit(h.account, 10+rand.Int64N(50))
		}
		h.entries = append(h.entries, e)
	}
	return h
}

// histories are the requests to choose from, some listed more often; few cancel, which ends everything.
var histories = []string{
	"submit", "submit", "submit", "assign", "assign", "assign", "assign", "release", "release", "release",
	"get", "get", "get", "entry", "entry", "entry", "entry", "balance", "balance", "cancel",
}

func (h *history) random() input {
	in := input{
		what:   histories[rand.IntN(len(histories))],
		pickup: rand.IntN(modelPickups), driver: 1 + rand.IntN(modelDrivers), entry: rand.IntN(modelEntries),
	}
	if in.what == "entry" {
		in.what, in.cents = string(h.entries[in.entry].Kind), h.entries[in.entry].AmountCents
	}
	return in
}

func (h *history) send(ctx context.Context, caller int, in input) error {
	s := h.store()
	call := time.Since(epoch).Nanoseconds()
	out, err := h.call(ctx, s, in)
	end := time.Since(epoch).Nanoseconds()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, porcupine.Operation{ClientId: caller, Input: in, Call: call, Output: out, Return: end})
	return err
}

var epoch = time.Now()

// call returns an error only if the answer is not one of the design's.
func (h *history) call(ctx context.Context, s *db.Raw, in input) (out output, err error) {
	switch in.what {
	case "charge", "deposit":
		_, out.replayed, err = s.Enter(ctx, h.w.admin, h.entries[in.entry])
	case "balance":
		var a db.Account
		a, err = s.GetAccount(ctx,
			db.GetAccountParams{TenantID: h.w.tenant, ID: h.account, ViewerRole: db.UserRoleAdmin})
		out.balance = a.BalanceCents
	case "get":
		var p db.Pickup
		p, err = s.GetOne(ctx, h.w.dispatcher, h.pickups[in.pickup])
		out.status = p.Status
		for i, d := range h.drivers {
			if p.DriverID != nil && *p.DriverID == d.DriverID {
				out.driver = i + 1
			}
		}
	default:
		err = move(ctx, s, h.w.dispatcher, db.TransitionName(in.what), h.pickups[in.pickup],
			func(t *db.Transition) { t.DriverID = h.drivers[in.driver-1].DriverID })
	}
	var refusal *db.Error
	if errors.As(err, &refusal) {
		out.code, out.status = refusal.Code, refusal.Status
		switch refusal.Code {
		case db.IllegalTransition, db.InsufficientFunds, db.DriverBusy:
			return out, nil
		}
	}
	return out, err
}

// end reads the final state, which the order must also lead to.
func (h *history) end(ctx context.Context) error {
	err := h.send(ctx, 0, input{what: "balance"})
	for i := range h.pickups {
		err = errors.Join(err, h.send(ctx, 0, input{what: "get", pickup: i}))
	}
	return err
}

// check looks for a sequential order of the requests that explains their answers (linearizability).
func (h *history) check() error {
	if result := porcupine.CheckOperationsTimeout(pickupModel, h.all, 5*time.Minute); result != porcupine.Ok {
		var lines strings.Builder
		for _, o := range h.all {
			fmt.Fprintf(&lines, "\n%d: %d to %d: %+v: %+v", o.ClientId, o.Call, o.Return, o.Input, o.Output)
		}
		return fmt.Errorf("no sequential order of these explains the answers (%s):%s", result, &lines)
	}
	return nil
}

// live runs concurrent callers, each of which makes random requests one after another.
func (h *history) live(ctx context.Context, callers, each int) error {
	err := first(together(callers, func(caller int) error {
		for range each {
			if err := h.send(ctx, caller, h.random()); err != nil {
				return err
			}
		}
		return nil
	})...)
	return errors.Join(err, h.end(ctx))
}

// The model agrees with the store: the store answers requests one by one, without batches, as the model
// does.
func TestTheModelOfHistoriesIsWhatTheStoreDoesOneByOne(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	for range dbtest.Rounds(20) {
		w := d.fixture(ctx)
		h := newHistory(ctx, w, func() *db.Raw { return w.as })
		if err := h.live(ctx, 1, 30); err != nil {
			t.Fatal(err)
		}
		if err := h.check(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHistoriesOfConcurrentCallersAreLinearizable(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openBatching(t)
	other := openStore(t, db.Config{URL: d.AppURL, AcquireTimeout: 5 * time.Second}) // as another process
	for range dbtest.Rounds(100) {
		w := d.fixture(ctx)
		h := newHistory(ctx, w, func() *db.Raw { return []*db.Raw{w.Raw, other}[rand.IntN(2)] })
		if err := h.live(ctx, 6, 6); err != nil {
			t.Fatal(err)
		}
		if err := h.check(); err != nil {
			t.Fatal(err)
		}
	}
}

// Requests that share a statement: all are sent before any is answered, so that every order of them is
// allowed, and one must explain the answers.
func TestTheResultOfASharedStatementIsThatOfSomeOrderOneByOne(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openBatching(t)
	for range dbtest.Rounds(100) {
		w := d.fixture(ctx)
		f := w.flushing()
		s := db.BatchingOver(f)
		h := newHistory(ctx, w, func() *db.Raw { return w.as })
		f.release()
		for range rand.IntN(6) { // from anywhere
			w.must(h.send(ctx, 0, h.random()))
		}
		h.store = func() *db.Raw { return s }
		f.hold()
		done := make(chan error)
		go func() {
			done <- first(together(6+2*blockers, func(caller int) error { return h.send(ctx, caller, h.random()) })...)
		}()
		time.Sleep(2 * time.Millisecond) // they gather; if not all do, others will
		f.release()
		if err := first(<-done, h.end(ctx), h.check()); err != nil {
			t.Fatal(err)
		}
	}
}

// broken sends statements with a guard removed, in each of their forms.
type broken struct {
	db.DBTX
	from, to string
}

func (b broken) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return b.DBTX.Query(ctx, strings.Replace(sql, b.from, b.to, 1), args...)
}

// The check of histories detects a store that breaks the rules.
func TestHistoriesOfABrokenStoreAreFoundOut(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "a test of the histories themselves")
	ctx := t.Context()
	for name, b := range map[string]broken{
		"accounts are not locked":   {nil, "FOR NO KEY UPDATE OF c", ""},
		"busy drivers are given":    {nil, "s.pickup_id IS NULL", "true"},
		"what does not fit is paid": {nil, "f.balance_after - f.balance_before = f.delta_cents", "true"},
		"the statuses do not count": {nil, "WHERE p.status = ANY (t.before)", "WHERE true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openUnchecked(t)
			// The constraints behind the guards are dropped, since only the check is tested here.
			must(d.owner.Exec(ctx, "DROP INDEX only_one_assigned_driver"))
			must(d.owner.Exec(ctx, "ALTER TABLE accounts DROP CONSTRAINT accounts_balance_check"))
			b.DBTX = d.DBTX()
			for range 100 {
				w := d.fixture(ctx)
				s, other := db.BatchingOver(b), db.BatchingOver(b)
				h := newHistory(ctx, w, func() *db.Raw { return []*db.Raw{s, other}[rand.IntN(2)] })
				err := h.live(ctx, 6, 6)
				if err == nil {
					err = h.check()
				}
				if err != nil {
					t.Logf("found: %.150s", err)
					return
				}
			}
			t.Error("the outcome was not determined")
		})
	}
}
