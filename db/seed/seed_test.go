package seed_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m)) }

// standard makes a Standard tenant in a test's own database.
func standard(t *testing.T) (*dbtest.DB, *seed.Standard) {
	t.Helper()
	d := dbtest.New(t)
	var s *seed.Standard
	more(t, d, uuid.New(), func(r *seed.Rows) { s = r.Standard() })
	return d, s
}

func more(t *testing.T, d *dbtest.DB, tenant uuid.UUID, fill func(*seed.Rows)) {
	t.Helper()
	if err := seed.Make(t.Context(), d.Owner(), tenant, fill); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, d *dbtest.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := d.Owner().QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPickupsReachEveryStatus(t *testing.T) {
	t.Parallel()
	d, s := standard(t)
	for _, status := range db.AllPickupStatusValues() {
		var ids []uuid.UUID
		more(t, d, s.TenantID, func(r *seed.Rows) { ids = r.Pickups(3, s.Pickup(seed.In(status))) })
		if n := count(t, d, "SELECT count(*) FROM pickups WHERE id = ANY ($1) AND status = $2", ids, status); n != 3 {
			t.Errorf("%d of 3 are %s", n, status)
		}
	}
	// Each step has its event, and its entry and text if it owes them; only pickups that are still assigned
	// occupy a slot.
	const charges = "SELECT count(*) FROM ledger_entries WHERE kind = 'charge'"
	const texts = "SELECT count(*) FROM messages WHERE to_number = '" + seed.StandardPhone + "'"
	for ours, theirs := range map[string]string{
		"SELECT 1000000 - balance_cents FROM accounts": "SELECT sum(charged_cents) FROM pickups",
		"SELECT count(*) FROM pickup_events":           "SELECT sum(version - 1) FROM pickups",
		charges:                                        transitionsWith("t.money = 'charge'"),
		"SELECT count(pickup_id) FROM driver_slots":    "SELECT count(*) FROM pickups WHERE status = 'ASSIGNED'",
		texts: transitionsWith("t.text IS NOT NULL"),
	} {
		if n, want := count(t, d, ours), count(t, d, theirs); n != want || n == 0 {
			t.Errorf("%s: %d, want %d", ours, n, want)
		}
	}
}

// transitionsWith counts the events of transitions of which the dictionary says so.
func transitionsWith(condition string) string {
	return "SELECT count(*) FROM pickup_events JOIN pickup_transitions AS t USING (transition) WHERE " + condition
}

func TestWhatIsMadeIsAllOrNothing(t *testing.T) {
	t.Parallel()
	d, s := standard(t)
	var driver uuid.UUID
	more(t, d, s.TenantID, func(r *seed.Rows) { driver = r.Driver() })
	pickups := func(n int, status db.PickupStatus, edits ...func(*seed.Pickup)) func(*seed.Rows) {
		return func(r *seed.Rows) { r.Pickups(n, s.Pickup(append(edits, seed.In(status))...)) }
	}
	for what, wrong := range map[string]func(*seed.Rows){
		"an id that is there": func(r *seed.Rows) {
			r.Facility(func(p *db.CreateFacilityParams) { p.ID = s.Facility })
		},
		"a number in use":                   func(r *seed.Rows) { r.PhoneNumber(s.Hub.UserID, seed.StandardPhone) },
		"a patient by who sees no facility": func(r *seed.Rows) { r.Patient(s.Facility, s.Stranger.Viewer) },
		"a session for another password": func(r *seed.Rows) {
			r.Session(seed.User{Viewer: s.Staff.Viewer, PasswordHash: "x"})
		},
		"more than there is":                   pickups(1, db.PickupStatusSUBMITTED, costingTooMuch),
		"two assigned to one driver":           pickups(2, db.PickupStatusASSIGNED, drivenBy(driver)),
		"a status that no transition leads to": pickups(1, "LOST"),
		"a statement of the caller's that fails": func(r *seed.Rows) {
			r.Do(func(context.Context, *db.Queries) error { return errors.New("no") })
		},
	} {
		err := seed.Make(t.Context(), d.Owner(), s.TenantID, func(r *seed.Rows) {
			r.User(db.UserRoleAdmin)
			wrong(r)
			r.Driver()
		})
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	n := count(t, d, `SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM drivers)
		+ (SELECT count(*) FROM pickups)`)
	if n != 6 {
		t.Errorf("%d users, drivers and pickups, want the 6 from before", n)
	}
}

func costingTooMuch(p *seed.Pickup) { p.PriceCents = seed.StandardCents + 1 }

func drivenBy(driver uuid.UUID) func(*seed.Pickup) {
	return func(p *seed.Pickup) { p.Driver = driver }
}

func TestRowsGoIntoACallersTransaction(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	tx, err := d.Owner().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = seed.Make(t.Context(), tx, uuid.New(), func(r *seed.Rows) { r.Standard() })
	if err := errors.Join(err, tx.Rollback(t.Context())); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, "SELECT count(*) FROM tenants"); n != 0 {
		t.Errorf("%d tenants after the rollback", n)
	}
}

func TestWhatIsThereIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	d, s := standard(t)
	complete := func(taken ...db.Code) error {
		return seed.Complete(t.Context(), d.Owner(), s.TenantID, taken, func(r *seed.Rows) {
			r.Facility(func(p *db.CreateFacilityParams) { p.ID, p.Name = s.Facility, "Another" })
			r.PhoneNumber(s.Hub.UserID, seed.StandardPhone)
			r.Driver()
		})
	}
	if err := complete(); db.Explain(err).Code != db.PhoneNumberTaken {
		t.Errorf("got %v", err)
	}
	if err := complete(db.PhoneNumberTaken); err != nil {
		t.Error(err)
	}
	if n := count(t, d, "SELECT count(*) FROM facilities WHERE name = 'Clinic'"); n != 2 {
		t.Errorf("%d facilities with the earlier name, want 2", n)
	}
	if n := count(t, d, "SELECT count(*) FROM drivers"); n != 1 {
		t.Errorf("%d drivers: the first run must not make one, the second must", n)
	}
}

func TestSessionsAndLoginsAreThoseOfTheirUsers(t *testing.T) {
	t.Parallel()
	d, s := standard(t)
	var token db.Token
	var driver uuid.UUID
	more(t, d, s.TenantID, func(r *seed.Rows) {
		login := r.User(db.UserRoleDriver)
		driver, token = r.Driver(seed.Login(login.UserID), seed.OnDuty(1, 2)), r.Session(login)
		r.Patient(s.Facility, s.Staff.Viewer)
	})
	more(t, d, s.TenantID, func(r *seed.Rows) {
		hourAgo := time.Now().Add(-time.Hour)
		r.Locate(r.Driver(func(p *db.CreateDriverParams) { p.OnDuty = true }), 3, 4, hourAgo)
	})
	if n := count(
		t, d, "SELECT count(*) FROM drivers WHERE latitude = 3 AND located_at < now() - interval '1 hour'"); n != 1 {
		t.Errorf("%d drivers were there an hour ago, want 1", n)
	}
	store, err := db.Open(t.Context(), db.Config{URL: d.AppURL, AcquireTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if v, err := store.Authenticate(t.Context(), token, time.Hour); err != nil || v.DriverID != driver {
		t.Errorf("driver %v (%v), want %v", v.DriverID, err, driver)
	}
	p, err := store.As(s.Staff.Viewer).ListPatients(t.Context(), db.ListPatientsParams{
		TenantID: s.TenantID, ViewerID: s.Staff.UserID, MaxRows: 2,
	})
	if err != nil || len(p) != 1 {
		t.Errorf("staff see %d patients (%v), want 1", len(p), err)
	}
	if n := count(t, d, "SELECT count(*) FROM driver_slots WHERE driver_id = $1 AND on_duty", driver); n != 1 {
		t.Errorf("%d free slots on duty, want 1", n)
	}
}

func TestManyRowsAreThoseAskedFor(t *testing.T) {
	t.Parallel()
	d, s := standard(t)
	from := time.Date(2030, 1, 2, 9, 0, 0, 0, time.UTC)
	more(t, d, s.TenantID, func(r *seed.Rows) {
		r.FacilitiesSeenBy(s.Stranger.UserID, 10, 3)
		r.Patients(s.Facility, 7)
		r.Appointments(s.Facility, seed.Appointments{Patients: 5, From: from, Every: time.Hour, N: 12, Prefix: "a"})
		patient := r.Patient(s.Facility, s.Staff.Viewer)
		r.Appointment(seed.Appointment{Patient: patient, ExternalID: "one", StartsAt: from})
	})
	for query, want := range map[string]int{
		"SELECT count(*) FROM facility_viewers WHERE user_id = '" + s.Stranger.UserID.String() + "'": 10,
		"SELECT count(*) FROM groups": 4,
		"SELECT count(*) FROM patient_viewers WHERE user_id = '" + s.Staff.UserID.String() + "'": 8,
		"SELECT count(DISTINCT patient_id) FROM appointments":                                    6,
		"SELECT count(*) FROM appointments WHERE external_id IN ('one', 'a0', 'a11')":            3,
		"SELECT count(*) FROM appointments WHERE starts_at >= '2030-01-02 19:30Z' AND ends_at <= '2030-01-02 " +
			"20:30Z'": 1,
	} {
		if n := count(t, d, query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	err := seed.Make(t.Context(), d.Owner(), s.TenantID, func(r *seed.Rows) {
		r.Appointments(s.Facility, seed.Appointments{Patients: 8, From: from, Every: time.Hour, N: 12, Prefix: "b"})
	})
	if err == nil {
		t.Error("appointments of more patients than there are")
	}
}
