package db_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// neighbours is the number of valid requests that share a batch with an offender.
var neighbours = dbtest.Rounds(24) + 7

// refuses makes the server refuse rows of a table whose column has the value, by a constraint that no
// statement checks beforehand: at once, or at the commit.
func (w *fixture) refuses(ctx context.Context, table, column string, value any, atCommit bool) {
	name := "refuse_" + table + "_" + column
	must(w.owner.Exec(ctx, fmt.Sprintf(`CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF NEW.%s::text = '%v' THEN
				RAISE check_violation USING TABLE = 'pickups', CONSTRAINT = 'pickups_note_check';
			END IF;
			RETURN NEW;
		END $$`, name, column, value)))
	kind := "CREATE TRIGGER %s AFTER INSERT OR UPDATE ON %s"
	if atCommit {
		kind = "CREATE CONSTRAINT TRIGGER %s AFTER INSERT OR UPDATE ON %s DEFERRABLE INITIALLY DEFERRED"
	}
	must(w.owner.Exec(ctx, fmt.Sprintf(kind+" FOR EACH ROW EXECUTE FUNCTION %[1]s()", name, table)))
}

// offence is a kind of request, and an example that the server will refuse.
type offence struct {
	kind, query   string
	table, column string // where the server refuses the value
	value         any
	blocker       func(int) act
	good          func() act
	offender      act
	undone        func() error // says whether something of the offender is left
}

func (w *fixture) offences(ctx context.Context) []offence {
	fundedAccount, draft, driver := w.fundedAccount(ctx, 100), w.draft(), w.driver(ctx, 1, 1)
	submit, assign, cancel := w.pickup(ctx), w.submitted(ctx), w.submitted(ctx)
	stays := func(id uuid.UUID, status db.PickupStatus) func() error {
		return func() error { return w.expect(ctx, id, status) }
	}
	return []offence{
		{"entry", "CreateLedgerEntries", "ledger_entries", "account_id", fundedAccount, w.blockerCharges(ctx),
			func() act { return w.charging(ctx, w.account, 1) }, w.charging(ctx, fundedAccount, 1),
			func() error { return w.expectBalance(ctx, fundedAccount, 100) }},
		{"submit", "TransitionPickups", "pickup_events", "pickup_id", submit, w.blockerMoves(ctx, "submit", "DRAFT"),
			func() act { return w.moving(ctx, "submit", w.pickup(ctx)) },
			w.moving(ctx, "submit", submit), stays(submit, "DRAFT")},
		{"assign", "TransitionPickups", "messages", "pickup_id", assign, w.blockerAssigns(ctx),
			func() act { return w.assigning(ctx, w.submitted(ctx), w.driver(ctx, 1, 1)) },
			w.assigning(ctx, assign, w.driver(ctx, 1, 1)), stays(assign, "SUBMITTED")},
		{"move", "TransitionPickups", "pickups", "cancel_reason", "offender", w.blockerMoves(ctx, "cancel", "DRAFT"),
			func() act { return w.moving(ctx, "cancel", w.submitted(ctx)) },
			w.moving(ctx, "cancel", cancel, func(t *db.Transition) { t.Reason = "offender" }),
			stays(cancel, "SUBMITTED")},
		{"create", "CreatePickups", "pickups", "id", draft.ID, w.blockerCreates(ctx),
			func() act { return w.creating(ctx, w.draft()) }, w.creating(ctx, draft),
			func() error { _, err := w.as.GetOne(ctx, w.staff, draft.ID); return refused(err, db.NotFound) }},
		{"location", "LocateDrivers", "drivers", "location_version", 1, w.blockerLocations(ctx),
			func() act { return w.locating(ctx, w.secondTime(ctx, w.driver(ctx, 1, 1))) },
			w.locating(ctx, driver), nil},
	}
}

// secondTime returns a driver who has been located before.
func (w *fixture) secondTime(ctx context.Context, driver db.Viewer) db.Viewer {
	must(w.owner.Exec(ctx, "UPDATE drivers SET location_version = 2 WHERE tenant_id = $1 AND id = $2",
		w.tenant, driver.DriverID))
	return driver
}

func TestRejectedBatchFailsTheOffenderAlone(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"at once", "at the commit"} {
		t.Run(when, func(t *testing.T) {
			ctx, w := batchingFixture(t)
			for _, o := range w.offences(ctx) {
				if o.kind == "location" {
					o.blocker = func(int) act { return w.locating(ctx, w.secondTime(ctx, w.driver(ctx, 1, 1))) }
				}
				w.refuses(ctx, o.table, o.column, o.value, when == "at the commit")
				var acts []act
				for range neighbours {
					acts = append(acts, o.good())
				}
				acts = append(acts[:7], append([]act{o.offender}, acts[7:]...)...)
				errs, f := w.sharing(batcherOf(o.kind), o.blocker, acts...)
				if err := refused(errs[7], db.ValidationFailed); err != nil {
					t.Errorf("%s: the offender: %v", o.kind, err)
				}
				if err := first(append(errs[:7], errs[8:]...)...); err != nil {
					t.Errorf("%s: a neighbour: %v", o.kind, err)
				}
				if o.undone != nil && o.undone() != nil {
					t.Errorf("%s: %v", o.kind, o.undone())
				}
				// Bisection: twice the logarithm, besides the blockers and the first attempt.
				if n := f.count(o.query); n > blockers+1+2*5 {
					t.Errorf("%s: %d statements", o.kind, n)
				}
			}
		})
	}
}

// One of 32 callers makes requests that the server always rejects.
func TestOffenderInQuarantineDoesNotSlowTheOthers(t *testing.T) {
	ctx, w := batchingFixture(t)
	fundedAccount := w.fundedAccount(ctx, 100)
	w.refuses(ctx, "ledger_entries", "account_id", fundedAccount, false)
	f := w.flushing()
	s := db.BatchingOver(f)
	offender := func(s *db.Raw) error { return enter(ctx, s, w.dispatcher, charge(fundedAccount, 1)) }
	var good []act
	for range neighbours {
		good = append(good, w.charging(ctx, w.account, 1))
	}
	errs := w.sharingOver(s, f, "entry", w.blockerCharges(ctx), append(good, offender)...)
	if err := first(refused(errs[neighbours], db.ValidationFailed), first(errs[:neighbours]...)); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		f.hold()
		before := f.count("CreateLedgerEntries")
		alone := make(chan error)
		go func() { alone <- offender(s) }()
		w.await(func() bool { return f.count("CreateLedgerEntries") == before+1 })
		errs := w.sharingOver(s, f, "entry", w.blockerCharges(ctx), good...)
		if err := first(refused(<-alone, db.ValidationFailed), first(errs...)); err != nil {
			t.Fatal(err)
		}
		if n := f.count("CreateLedgerEntries") - before; n != 1+blockers+1 {
			t.Errorf("%d statements; want one of the offender, the blockers', and one of the others", n)
		}
	}
}

// PostgreSQL sends the rows before it commits.
func TestNoRequestIsAnsweredBeforeTheCommit(t *testing.T) {
	ctx, w := batchingFixture(t)
	fundedAccounts := [blockers]uuid.UUID{w.fundedAccount(ctx, 1), w.fundedAccount(ctx, 1)}
	w.refuses(ctx, "ledger_entries", "tenant_id", w.tenant, true)
	refusedOn := func(account uuid.UUID) act {
		return func(s *db.Raw) error {
			return refused(enter(ctx, s, w.admin, charge(account, 1)), db.ValidationFailed)
		}
	}
	var acts []act
	for range 8 {
		acts = append(acts, refusedOn(w.account))
	}
	errs, _ := w.sharing("entry", func(i int) act { return refusedOn(fundedAccounts[i]) }, acts...)
	if err := first(first(errs...), w.expectBalance(ctx, w.account, 1_000_000)); err != nil {
		t.Error(err)
	}
}

// The server rejects everything for a while, as it does when its disk is full. When that is over, the requests share
// statements as before, whatever they were rejected with.
func TestAfterABurstOfRefusalsRequestsShareStatementsAgain(t *testing.T) {
	t.Parallel()
	for state, most := range map[string]int{
		"53100": blockers + 1, // disk full
		"53200": blockers + 1, // out of memory
		"XX000": blockers + 1, // internal error
		"57014": blockers + 1, // statement timeout
		"23514": blockers + 3, // as if each were at fault: they are in quarantine, together
	} {
		t.Run(state, func(t *testing.T) {
			ctx, w := batchingFixture(t)
			must(w.owner.Exec(ctx, `
				CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
					$$ BEGIN RAISE 'no' USING ERRCODE = '`+state+`'; END $$;
				CREATE TRIGGER full_disk BEFORE INSERT ON ledger_entries EXECUTE FUNCTION full_disk()`,
				pgx.QueryExecModeSimpleProtocol))
			f := w.flushing()
			s := db.BatchingOver(f)
			var acts, refused []act
			fails := func(by db.Viewer, account uuid.UUID) act {
				return func(s *db.Raw) error {
					if enter(ctx, s, by, charge(account, 1)) == nil {
						return errors.New("it is booked")
					}
					return nil
				}
			}
			for range neighbours {
				var by db.Viewer
				w.make(ctx, func(r *seed.Rows) { by = r.User(db.UserRoleAdmin).Viewer })
				acts = append(acts, func(s *db.Raw) error { return enter(ctx, s, by, charge(w.account, 1)) })
				refused = append(refused, fails(by, w.account))
			}
			blocker := func(int) act { return fails(w.admin, newID()) } // an account that is not there
			if err := first(w.sharingOver(s, f, "entry", blocker, refused...)...); err != nil {
				t.Fatal(err)
			}
			must(w.owner.Exec(ctx, "DROP TRIGGER full_disk ON ledger_entries"))
			f.hold()
			before := f.count("CreateLedgerEntries")
			if err := first(w.sharingOver(s, f, "entry", w.blockerCharges(ctx), acts...)...); err != nil {
				t.Error(err)
			}
			if n := f.count("CreateLedgerEntries") - before; n > most {
				t.Errorf("%d statements for %d requests", n, blockers+len(acts))
			}
		})
	}
}
