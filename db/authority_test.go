package db_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// signedIn returns the viewer as a request has them, with a session of their own.
func (w *fixture) signedIn(ctx context.Context, v db.Viewer) (db.Viewer, db.Token) {
	hash := scan[string](ctx, w.owner, "SELECT password_hash FROM users WHERE tenant_id = $1 AND id = $2",
		w.tenant, v.UserID)
	token := must(openSession(ctx, w.as, v, hash))
	return must(w.as.Authenticate(ctx, token, time.Hour)), token
}

// signIn gives each viewer of the fixture a session. With cached, the process knows each viewer from its
// cache only.
func (w *fixture) signIn(ctx context.Context, cached bool) {
	w.cached = map[*db.Viewer]db.Token{}
	for _, v := range []*db.Viewer{&w.admin, &w.dispatcher, &w.staff, &w.stranger, &w.hub} {
		var token db.Token
		*v, token = w.signedIn(ctx, *v)
		if cached {
			w.cached[v] = token
		}
	}
	w.nextRequest(ctx)
}

// nextRequest replaces the cached viewers by those that their next request gets.
func (w *fixture) nextRequest(ctx context.Context) {
	for v, token := range w.cached {
		*v = w.cachedViewer(ctx, token)
	}
}

// cachedViewer returns the cache's entry of a session that was used before.
func (w *fixture) cachedViewer(ctx context.Context, token db.Token) db.Viewer {
	must(w.as.Admit(ctx, token, time.Hour))
	v := must(w.as.Admit(ctx, token, time.Hour))
	if v.Confirmed() {
		w.must(errors.New("the viewer is not cached"))
	}
	return v
}

// heldWrite is a write by a session to a row that another session can lock.
type heldWrite struct {
	name  string
	by    db.Viewer
	table string
	row   uuid.UUID
	write act
}

// heldWrites returns one write for each way that a statement is sent to the server. Its viewers have
// sessions.
func (w *fixture) heldWrites(ctx context.Context, cached bool) []heldWrite {
	w.signIn(ctx, cached)
	w.secondAdmin(ctx) // the first one may be deactivated
	pickup, draft, patient, new := w.pickup(ctx), w.pickup(ctx), w.patient(ctx), newID()
	driver, text := w.driver(ctx, 1, 1), w.queued(ctx)
	w.must(settle(ctx, w.as, w.tenant, text, "refused_410"))
	name := "Another name"
	own := w.driver(ctx, 1, 1)
	var token db.Token
	if own, token = w.signedIn(ctx, own); cached {
		w.cached[&own] = token
		w.nextRequest(ctx)
	}
	return []heldWrite{
		{"a resend", w.staff, "messages", text, w.resending(ctx, w.staff, text, "")},
		{"a batched charge", w.admin, "accounts", w.account,
			func(s *db.Raw) error { return enter(ctx, s, w.admin, charge(w.account, 1)) }},
		{"a batched transition", w.staff, "pickups", pickup,
			func(s *db.Raw) error { return move(ctx, s, w.staff, "submit", pickup) }},
		{"a batched create", w.staff, "facilities", w.facility,
			func(s *db.Raw) error { return created(ctx, s, w.staff, []db.Draft{w.draft()}) }},
		{"a batched location", w.dispatcher, "drivers", driver.DriverID,
			func(s *db.Raw) error { return locateOne(ctx, s, w.dispatcher, driver) }},
		{"an edit", w.staff, "pickups", draft,
			func(s *db.Raw) error { return editOnePickup(ctx, s, w.staff, draft) }},
		{"a patient's edit", w.staff, "patients", patient, func(s *db.Raw) error {
			return editOnePatient(ctx, s, w.staff, patient)
		}},
		{"a patient's create", w.staff, "facilities", w.facility,
			func(s *db.Raw) error { return createOnePatient(ctx, s, w.staff, w.newPatient(new)) }},
		{"a statement of no viewer", w.admin, "facilities", w.facility, func(s *db.Raw) error {
			_, err := s.EditFacility(db.Acting(ctx, w.admin),
				db.EditFacilityParams{TenantID: w.tenant, ID: w.facility, Version: 1, Name: &name})
			return err
		}},
		// What it writes is no more its own session than a facility is.
		{"another driver's edit", w.admin, "driver_slots", driver.DriverID, func(s *db.Raw) error {
			return editDriver(db.Acting(ctx, w.admin), s, w.admin, driver, name, 1)
		}},
		{"another user's edit", w.admin, "users", w.hub.UserID, func(s *db.Raw) error {
			return editUser(db.Acting(ctx, w.admin), s, w.admin, w.hub, name, 1)
		}},
		// Nor is its own driver, or their slot.
		{"a driver's own edit", own, "driver_slots", own.DriverID,
			func(s *db.Raw) error { return leaveDuty(ctx, s, own) }},
	}
}

func leaveDuty(ctx context.Context, s *db.Raw, driver db.Viewer) error {
	return setDuty(db.Acting(ctx, driver), s, driver, false)
}

func locateOne(ctx context.Context, s *db.Raw, v, driver db.Viewer) error {
	_, _, err := s.Locate(ctx, v, db.Location{DriverID: driver.DriverID, Latitude: 2, Longitude: 3, At: time.Now()})
	return err
}

func editOnePickup(ctx context.Context, s *db.Raw, v db.Viewer, id uuid.UUID) error {
	cents := int64(77)
	_, err := s.Store.EditPickup(ctx, v, db.EditPickupParams{ID: id, Version: 1, PriceCents: &cents})
	return err
}

func createOnePatient(ctx context.Context, s *db.Raw, v db.Viewer, p db.CreatePatientParams) error {
	_, _, err := s.Store.CreatePatient(ctx, v, p)
	return err
}

func editOnePatient(ctx context.Context, s *db.Raw, v db.Viewer, id uuid.UUID) error {
	name := "Another name"
	_, err := s.Store.EditPatient(ctx, v, db.EditPatientParams{ID: id, Version: 1, GivenName: &name})
	return err
}

// whileLocked lets the write wait for its row, runs something meanwhile, and then unlocks the row. It returns
// the write's error, and whether the row is unchanged.
func (w *fixture) whileLocked(ctx context.Context, h heldWrite, meanwhile act) (err error, untouched bool) {
	key := "id"
	if h.table == "driver_slots" {
		key = "driver_id"
	}
	rowsOf := func() string {
		return scan[string](ctx, w.owner,
			fmt.Sprintf(`SELECT (SELECT md5(string_agg(t::text, '|')) FROM %s AS t WHERE tenant_id = $1 AND %s = $2)
			|| (SELECT count(*) FROM pickups WHERE tenant_id = $1) || (SELECT count(*) FROM drivers
			    WHERE tenant_id = $1 AND name = 'Another name')`, h.table, key), w.tenant, h.row)
	}
	before := rowsOf()
	w.nextRequest(ctx)
	waited, errs := w.behind(ctx, commit, func(s *db.Raw) error {
		if h.table == "patients" {
			w.must(s.SetViewer(ctx, db.SetViewerParams{TenantID: w.tenant, ViewerID: w.staff.UserID}))
		}
		_, err := s.DBTX().Exec(ctx,
			fmt.Sprintf("SELECT FROM %s WHERE tenant_id = $1 AND %s = $2 FOR UPDATE", h.table, key), w.tenant, h.row)
		return err
	}, h.write, meanwhile)
	if !waited[0] {
		return fmt.Errorf("%s did not wait: %v", h.name, errs[0]), true
	}
	if waited[1] || errs[1] != nil {
		return fmt.Errorf("%s: what was to happen meanwhile waited, or failed: %v", h.name, errs[1]), true
	}
	return errs[0], before == rowsOf()
}

// alteredBy returns changes of a user that happen meanwhile, each as a statement of the owner's.
func (w *fixture) alteredBy(ctx context.Context, statement string, args ...any) act {
	return func(*db.Raw) error {
		_, err := w.owner.Exec(ctx, statement, args...)
		return err
	}
}

var authorityRules = []check{
	{"ConfirmSessions", "a write that waited for a lock ends with its session", endsWithItsSession(false)},
	{"ConfirmSessionOrItsEnd", "a write that waited for a lock ends with its session", endsWithItsSession(false)},
	{"ConfirmSessions", "a write of a cached session that waited for a lock ends with it", endsWithItsSession(true)},
	{"ConfirmSessionOrItsEnd", "a write of a cached session that waited for a lock ends with it",
		endsWithItsSession(true)},
	{"ConfirmSessions", "a write that waited for a lock ends with its user's role",
		func(ctx context.Context, w *fixture) error {
			for _, h := range w.heldWrites(ctx, true) {
				err, untouched := w.whileLocked(ctx, h, w.alteredBy(ctx,
					`UPDATE users SET role = CASE role WHEN 'driver' THEN 'hub'::user_role ELSE 'driver' END
					WHERE tenant_id = $1 AND id = $2`, w.tenant, h.by.UserID))
				if err := refused(err, db.Forbidden); err != nil || !untouched {
					return fmt.Errorf("%s: %w; untouched is %t", h.name, err, untouched)
				}
				must(w.owner.Exec(ctx, "UPDATE users SET role = $3 WHERE tenant_id = $1 AND id = $2",
					w.tenant, h.by.UserID, h.by.Role))
			}
			return nil
		}},
	{"ConfirmSessions", "a driver's write ends with the login", func(ctx context.Context, w *fixture) error {
		driver, _ := w.signedIn(ctx, w.driver(ctx, 1, 1))
		tell := func(s *db.Raw) error { return locateOne(ctx, s, driver, driver) }
		if err := tell(w.Raw); err != nil {
			return err
		}
		must(w.owner.Exec(ctx, "UPDATE drivers SET user_id = NULL WHERE tenant_id = $1 AND id = $2",
			w.tenant, driver.DriverID))
		return refused(tell(w.Raw), db.Forbidden)
	}},
	{"ConfirmSessions", "a write waits for a lock, and its session stays good", staysWithItsSession(false)},
	{"ConfirmSessionOrItsEnd", "a write waits for a lock, and its session stays good", staysWithItsSession(false)},
	{"RequireSessions", "a write waits for a lock, and its session stays as it was cached", staysWithItsSession(true)},
	{"ConfirmSessionOrItsEnd", "an edit of oneself ends with its session", ownEditEndsWithItsSession},
	{"ConfirmSessionOrItsEnd", "a write that waited for a lock is of a user who is a driver by then",
		func(ctx context.Context, w *fixture) error {
			spare, name := w.driver(ctx, 1, 1), "Another name"
			must(w.owner.Exec(ctx, "UPDATE drivers SET user_id = NULL WHERE id = $1", spare.DriverID))
			v, _ := w.signedIn(ctx, w.hub)
			h := heldWrite{"an edit", v, "facilities", w.facility, func(s *db.Raw) error {
				_, err := s.EditFacility(db.Acting(ctx, v),
					db.EditFacilityParams{TenantID: w.tenant, ID: w.facility, Version: 1, Name: &name})
				return err
			}}
			err, untouched := w.whileLocked(ctx, h, w.alteredBy(ctx,
				"UPDATE drivers SET user_id = $2 WHERE tenant_id = $1 AND id = $3",
				w.tenant, v.UserID, spare.DriverID))
			if err := refused(err, db.Forbidden); err != nil || !untouched {
				return fmt.Errorf("%w; untouched is %t", err, untouched)
			}
			return nil
		}},
	{"ConfirmSessionOrItsEnd", "drivers edit their own user, and give up being a driver",
		func(ctx context.Context, w *fixture) error {
			v, _ := w.signedIn(ctx, w.driver(ctx, 1, 1))
			err := editUser(db.Acting(ctx, v), w.Raw, v, v, "Another name", 1)
			_, unlinked := w.EditDriver(db.Acting(ctx, v), db.EditDriverParams{TenantID: w.tenant, ID: v.DriverID,
				SetUserID: true, Version: 1, ViewerRole: v.Role, ViewerDriverID: v.DriverID})
			return first(err, unlinked)
		}},
	{"ConfirmSessionOrItsEnd", "ending one's own session is not refused",
		func(ctx context.Context, w *fixture) error {
			v := w.admin
			w.secondAdmin(ctx)
			for name, end := range map[string]func(ctx context.Context, v db.Viewer, token db.Token) error{
				"logout": func(ctx context.Context, v db.Viewer, token db.Token) error {
					return w.CloseSession(ctx, token)
				},
				"deactivate": func(ctx context.Context, v db.Viewer, _ db.Token) error {
					return deactivate(ctx, w.Raw, v)
				},
				"a password": func(ctx context.Context, v db.Viewer, _ db.Token) error {
					return changePassword(ctx, w.Raw, v, w.passwordEpoch(ctx, v), "old hash")
				},
				"a role": func(ctx context.Context, v db.Viewer, _ db.Token) error {
					role, version := db.UserRoleHub, scan[int64](ctx, w.owner,
						"SELECT version FROM users WHERE tenant_id = $1 AND id = $2", w.tenant, v.UserID)
					_, err := w.EditUser(ctx, db.EditUserParams{TenantID: w.tenant, ID: v.UserID, Role: &role,
						Version: version, ViewerRole: v.Role, ViewerID: v.UserID})
					return err
				},
				"a driver": func(ctx context.Context, v db.Viewer, _ db.Token) error {
					return w.createDriver(ctx, w.Raw, newID(), v)
				},
			} {
				v, token := w.signedIn(ctx, v)
				if err := end(db.Acting(ctx, v), v, token); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				if err := end(db.Acting(ctx, v), v, token); name != "a driver" && code(err) != db.Unauthenticated &&
					code(err) != db.Forbidden {
					return fmt.Errorf("%s, once more: got %v", name, err)
				}
				must(w.owner.Exec(ctx,
					"UPDATE users SET active = true, role = 'admin' WHERE tenant_id = $1 AND id = $2",
					w.tenant, v.UserID))
				must(w.owner.Exec(ctx, "UPDATE drivers SET user_id = NULL WHERE tenant_id = $1 AND user_id = $2",
					w.tenant, v.UserID))
			}
			return nil
		}},
	{"ConfirmPickups", "a write that waited for a lock is of a facility that its viewer does not see by then",
		leavesTheGroup("pickups")},
	{"ConfirmPatient", "a write that waited for a lock is of a facility that its viewer does not see by then",
		leavesTheGroup("patients")},
	{"ConfirmMessage", "a write that waited for a lock is of a facility that its viewer does not see by then",
		leavesTheGroup("messages")},
	{"ConfirmMessage", "staff resend what they see", staysInTheGroup("messages")},
	{"ConfirmPickups", "staff write what they see", staysInTheGroup("pickups")},
	{"ConfirmPatient", "staff write whom they see", staysInTheGroup("patients")},
	{"ConfirmPickups", "a pickup that its viewer does not see fails its batch",
		func(ctx context.Context, w *fixture) error {
			w.signIn(ctx, false)
			mine, hidden := w.pickup(ctx), w.pickup(ctx)
			must(w.owner.Exec(ctx, "UPDATE pickups SET facility_id = $3 WHERE tenant_id = $1 AND id = $2",
				w.tenant, hidden, w.hidden))
			moved, err := w.SendMoves(ctx, w.staff, db.TransitionNameSubmit, mine, hidden)
			if err == nil && !slices.Equal(moved, []bool{true, false}) {
				err = fmt.Errorf("moved are %v", moved)
			}
			return err
		}},
}

func endsWithItsSession(cached bool) func(context.Context, *fixture) error {
	return func(ctx context.Context, w *fixture) error {
		for _, h := range w.heldWrites(ctx, cached) {
			user := h.by
			err, untouched := w.whileLocked(ctx, h, func(s *db.Raw) error { return deactivate(ctx, s, user) })
			if err := refused(err, db.Unauthenticated); err != nil || !untouched {
				return fmt.Errorf("%s: %w; untouched is %t", h.name, err, untouched)
			}
			// Undone, for the next one.
			must(w.owner.Exec(ctx,
				"UPDATE users SET active = true, password_epoch = 1 WHERE tenant_id = $1 AND id = $2",
				w.tenant, user.UserID))
			must(w.owner.Exec(ctx, "UPDATE sessions SET revoked_at = NULL WHERE tenant_id = $1 AND user_id = $2",
				w.tenant, user.UserID))
		}
		return nil
	}
}

// ownEditEndsWithItsSession has somebody edit their own user or driver while that is held, and their session end
// meanwhile, by each of its ends that another row says.
func ownEditEndsWithItsSession(ctx context.Context, w *fixture) error {
	w.secondAdmin(ctx)
	for name, end := range map[string]struct {
		statement string
		behind    string // the table whose row is held; "" for both
		want      db.Code
	}{
		"logged out": {"UPDATE sessions SET revoked_at = now() WHERE tenant_id = $1 AND user_id = $2",
			"", db.Unauthenticated},
		"expired": {"UPDATE sessions SET expires_at = now() WHERE tenant_id = $1 AND user_id = $2",
			"", db.Unauthenticated},
		"deactivated": {"UPDATE users SET active = false WHERE tenant_id = $1 AND id = $2",
			"driver_slots", db.Unauthenticated},
		"another password": {"UPDATE users SET password_epoch = password_epoch + 1 WHERE tenant_id = $1 AND id = $2",
			"driver_slots", db.Unauthenticated},
		"another role": {"UPDATE users SET role = 'hub' WHERE tenant_id = $1 AND id = $2",
			"driver_slots", db.Forbidden},
		"a driver no more": {"UPDATE drivers SET user_id = NULL WHERE tenant_id = $1 AND user_id = $2",
			"users", db.Forbidden},
	} {
		for _, table := range []string{"users", "driver_slots"} {
			if end.behind != "" && end.behind != table {
				continue
			}
			v, _ := w.signedIn(ctx, w.driver(ctx, 1, 1))
			h := heldWrite{name, v, table, v.DriverID, func(s *db.Raw) error { return leaveDuty(ctx, s, v) }}
			if table == "users" {
				email := newID().String() + "@x.example"
				h.row, h.write = v.UserID, func(s *db.Raw) error {
					_, err := s.EditUser(db.Acting(ctx, v), db.EditUserParams{TenantID: w.tenant, ID: v.UserID,
						Email: &email, Version: 1, ViewerRole: v.Role, ViewerID: v.UserID})
					return err
				}
			}
			err, untouched := w.whileLocked(ctx, h, w.alteredBy(ctx, end.statement, w.tenant, v.UserID))
			if err := refused(err, end.want); err != nil || !untouched {
				return fmt.Errorf("%s, behind %s: %w; untouched is %t", name, table, err, untouched)
			}
		}
	}
	return nil
}

func staysWithItsSession(cached bool) func(context.Context, *fixture) error {
	return func(ctx context.Context, w *fixture) error {
		for _, h := range w.heldWrites(ctx, cached) {
			if err, _ := w.whileLocked(ctx, h, func(*db.Raw) error { return nil }); err != nil {
				return fmt.Errorf("%s: %w", h.name, err)
			}
		}
		return nil
	}
}

// byGroup are the writes of a heldWrite that a membership in a group permits.
var byGroup = map[string]map[string]db.Code{
	"pickups": {
		"a batched transition": db.NotFound, "an edit": db.NotFound,
	},
	"messages": {"a resend": db.NotFound},
	"patients": {"a patient's edit": db.NotFound, "a patient's create": db.FacilityNotFound},
}

func leavesTheGroup(what string) func(context.Context, *fixture) error {
	return func(ctx context.Context, w *fixture) error {
		for _, h := range w.heldWrites(ctx, false) {
			want, ok := byGroup[what][h.name]
			if !ok {
				continue
			}
			group := scan[uuid.UUID](ctx, w.owner,
				"SELECT group_id FROM group_members WHERE tenant_id = $1 AND user_id = $2", w.tenant, h.by.UserID)
			err, untouched := w.whileLocked(ctx, h, func(s *db.Raw) error {
				_, err := s.RemoveGroupMember(ctx,
					db.RemoveGroupMemberParams{TenantID: w.tenant, GroupID: group, UserID: h.by.UserID})
				return err
			})
			if err := refused(err, want); err != nil || !untouched {
				return fmt.Errorf("%s: %w; untouched is %t", h.name, err, untouched)
			}
			must(w.as.AddGroupMember(ctx,
				db.AddGroupMemberParams{TenantID: w.tenant, GroupID: group, UserID: h.by.UserID}))
		}
		return nil
	}
}

func staysInTheGroup(what string) func(context.Context, *fixture) error {
	return func(ctx context.Context, w *fixture) error {
		for _, h := range w.heldWrites(ctx, false) {
			if _, ok := byGroup[what][h.name]; !ok {
				continue
			}
			if err := h.write(w.Raw); err != nil {
				return fmt.Errorf("%s: %w", h.name, err)
			}
		}
		return nil
	}
}

// An invented viewer has no authority, and a viewer admitted for reading has none to write.
func TestOnlyASessionOrTheSystemWrites(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	w.signIn(ctx, false)
	pickup, patient, driver := w.pickup(ctx), w.patient(ctx), w.driver(ctx, 1, 1)
	madeUp := func(v db.Viewer) db.Viewer {
		return db.Viewer{TenantID: v.TenantID, UserID: v.UserID, Role: v.Role}
	}
	name := "Another name"
	writes := map[string]func(v db.Viewer) error{
		"a transition": func(v db.Viewer) error { return move(ctx, w.Raw, v, "submit", pickup) },
		"a dispatch":   func(v db.Viewer) error { return move(ctx, w.Raw, v, "dispatch", pickup) },
		"a charge":     func(v db.Viewer) error { return enter(ctx, w.Raw, v, charge(w.account, 1)) },
		"a draft":      func(v db.Viewer) error { return created(ctx, w.Raw, v, []db.Draft{w.draft()}) },
		"two drafts":   func(v db.Viewer) error { return created(ctx, w.Raw, v, []db.Draft{w.draft(), w.draft()}) },
		"a location": func(v db.Viewer) error {
			return locateOne(ctx, w.Raw, v, driver)
		},
		"an edit":   func(v db.Viewer) error { return editOnePickup(ctx, w.Raw, v, pickup) },
		"a patient": func(v db.Viewer) error { return createOnePatient(ctx, w.Raw, v, w.newPatient(newID())) },
		"a feed":    func(v db.Viewer) error { _, err := w.sync(ctx, v, w.facility, 1, record(1)); return err },
		"a facility": func(v db.Viewer) error {
			_, err := w.EditFacility(db.Acting(ctx, v),
				db.EditFacilityParams{TenantID: w.tenant, ID: w.facility, Version: 1, Name: &name})
			return err
		},
		"a patient's edit": func(v db.Viewer) error {
			return editOnePatient(ctx, w.Raw, v, patient)
		},
	}
	for what, write := range writes {
		for _, v := range []db.Viewer{madeUp(w.staff), w.staff.ForReading()} {
			if err := refused(write(v), db.Unauthenticated); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if _, err := w.As(madeUp(w.staff)).GetPatient(ctx, db.GetPatientParams{TenantID: w.tenant, ID: patient,
		ViewerID: w.staff.UserID}); code(err) != db.Unauthenticated {
		t.Errorf("an invented viewer reads a patient: %v", err)
	}
	if err := w.getPatient(ctx, w.Raw, w.staff.ForReading(), patient); err != nil {
		t.Errorf("a viewer admitted for reading cannot read: %v", err)
	}
}

// One of many sessions in a batch has ended: the requests of the others are carried out.
func TestOfABatchOnlyTheEndedSessionIsRefused(t *testing.T) {
	for _, cached := range []bool{false, true} {
		t.Run(fmt.Sprintf("cached %t", cached), func(t *testing.T) { ofABatchOneEnded(t, cached) })
	}
}

func ofABatchOneEnded(t *testing.T, cached bool) {
	ctx, w := batchingFixture(t)
	w.signIn(ctx, cached)
	bad := map[string]db.Viewer{}
	for kind, v := range map[string]db.Viewer{"entry": w.dispatcher, "submit": w.staff,
		"create": w.staff, "move": w.dispatcher} {
		ended, token := w.signedIn(ctx, v)
		if cached {
			ended = w.cachedViewer(ctx, token)
		}
		w.must(w.as.CloseSession(ctx, token))
		bad[kind] = ended
	}
	submit, cancel := w.pickup(ctx), w.submitted(ctx)
	for _, o := range []offence{
		{kind: "entry", blocker: w.blockerCharges(ctx), good: func() act { return w.charging(ctx, w.account, 1) },
			offender: func(s *db.Raw) error { return enter(ctx, s, bad["entry"], charge(w.account, 1)) }},
		{kind: "submit", blocker: w.blockerMoves(ctx, "submit", "DRAFT"),
			good:     func() act { return w.moving(ctx, "submit", w.pickup(ctx)) },
			offender: func(s *db.Raw) error { return move(ctx, s, bad["submit"], "submit", submit) }},
		{kind: "move", blocker: w.blockerMoves(ctx, "cancel", "DRAFT"),
			good:     func() act { return w.moving(ctx, "cancel", w.submitted(ctx)) },
			offender: func(s *db.Raw) error { return move(ctx, s, bad["move"], "cancel", cancel) }},
		{kind: "create", blocker: w.blockerCreates(ctx), good: func() act { return w.creating(ctx, w.draft()) },
			offender: func(s *db.Raw) error { return created(ctx, s, bad["create"], []db.Draft{w.draft()}) }},
	} {
		var acts []act
		for range 31 {
			acts = append(acts, o.good())
		}
		acts = append(acts[:7], append([]act{o.offender}, acts[7:]...)...)
		errs, _ := w.sharing(batcherOf(o.kind), o.blocker, acts...)
		if err := refused(errs[7], db.Unauthenticated); err != nil {
			t.Errorf("%s: whose session ended: %v", o.kind, err)
		}
		if err := first(append(errs[:7], errs[8:]...)...); err != nil {
			t.Errorf("%s: a neighbour: %v", o.kind, err)
		}
	}
	if err := first(w.expect(ctx, submit, "DRAFT"), w.expect(ctx, cancel, "SUBMITTED")); err != nil {
		t.Error(err)
	}
}

// A feed has run for long when it is applied: a change that ends its authority, even while its last
// statements wait, rejects the whole feed.
func TestAFeedEndsWithItsAuthority(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	for name, c := range map[string]struct {
		statement string
		want      db.Code
	}{
		"deactivated": {"UPDATE users SET active = false WHERE tenant_id = $1 AND id = $2", db.Unauthenticated},
		"logged out": {"UPDATE sessions SET revoked_at = now() WHERE tenant_id = $1 AND user_id = $2",
			db.Unauthenticated},
		"another role": {"UPDATE users SET role = 'driver' WHERE tenant_id = $1 AND id = $2", db.Forbidden},
		"no member":    {"DELETE FROM group_members WHERE tenant_id = $1 AND user_id = $2", db.NotFound},
		"nothing":      {"SELECT $1::uuid, $2::uuid", ""},
	} {
		for _, when := range []string{"while it comes in", "while it is applied"} {
			w := d.fixture(ctx)
			w.signIn(ctx, false)
			must(w.sync(ctx, w.staff, w.facility, 1, record(1)))
			changed := record(1)
			changed.GivenName = "Changed"
			watermark := func() time.Time {
				return scan[time.Time](ctx, w.owner,
					"SELECT as_of FROM appointment_feeds WHERE tenant_id = $1", w.tenant)
			}
			before := watermark()
			end := func() { must(w.owner.Exec(ctx, c.statement, w.tenant, w.staff.UserID)) }
			feed := db.Feed{FacilityID: w.facility, AsOf: w.watermark(2).AsOf}
			feed.Records = func(yield func(db.FeedRecord, error) bool) {
				if when == "while it comes in" {
					end()
				}
				yield(changed, nil)
			}
			tx := must(w.owner.Begin(ctx))
			done := make(chan error, 1)
			if when == "while it is applied" { // the patient's row is held
				must(tx.Exec(ctx, "SELECT FROM patients WHERE tenant_id = $1 FOR UPDATE", w.tenant))
			}
			go func() { _, err := w.as.SyncFeed(ctx, w.staff, feed); done <- err }()
			if when == "while it is applied" {
				w.awaitBlockedBy(ctx, tx)
				end()
			}
			w.must(tx.Rollback(ctx))
			if err := <-done; code(err) != c.want {
				t.Errorf("%s %s: got %v, want %q", name, when, err, c.want)
			}
			if moved := !watermark().Equal(before); moved != (c.want == "") {
				t.Errorf("%s %s: the watermark has moved: %t", name, when, moved)
			}
			if n := w.staged(ctx); n != 0 {
				t.Errorf("%s %s: %d parts of the feed are left", name, when, n)
			}
		}
	}
}

// losing executes a statement, and has the connection break before its answer arrives.
type losing struct {
	db.DBTX
	query string
	then  func() // nil once the connection was lost
}

func (q *losing) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := q.DBTX.Query(ctx, sql, args...)
	if m := queryName.FindStringSubmatch(sql); err != nil || q.then == nil || m == nil || m[1] != q.query {
		return rows, err
	}
	rows.Close()
	q.then()
	q.then = nil
	return nil, errors.Join(rows.Err(), io.ErrUnexpectedEOF)
}

// A committed write is reported as committed, also if the session has ended by the time its outcome is
// looked up. It is never reported as refused.
func TestACommittedWriteIsReportedThoughTheSessionEnded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := openBatching(t).fixture(ctx)
	pickup, draft := w.pickup(ctx), w.draft()
	for _, c := range []struct {
		query string
		by    db.Viewer
		write func(*db.Raw, db.Viewer) error
		want  db.Code
	}{
		{"CreateLedgerEntries", w.admin,
			func(s *db.Raw, v db.Viewer) error { return enter(ctx, s, v, charge(w.account, 1)) }, ""},
		{"TransitionPickups", w.staff,
			func(s *db.Raw, v db.Viewer) error { return move(ctx, s, v, "submit", pickup) }, ""},
		// Only a retry could tell whether it was committed.
		{"CreatePickups", w.staff,
			func(s *db.Raw, v db.Viewer) error { return created(ctx, s, v, []db.Draft{draft}) }, db.Unavailable},
	} {
		v, token := w.signedIn(ctx, c.by)
		over := &losing{w.DBTX(), c.query, func() { w.must(w.as.CloseSession(ctx, token)) }}
		if err := c.write(db.BatchingOver(over), v); code(err) != c.want || over.then != nil {
			t.Errorf("%s: got %v, want %q; the connection broke: %t", c.query, err, c.want, over.then == nil)
		}
	}
	if err := w.expect(ctx, pickup, "SUBMITTED"); err != nil {
		t.Error(err)
	}
}
