package db_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"waybill/db"
)

// cachedWork has one statement for each way in which statements are sent to the server.
func (w *fixture) cachedWork(ctx context.Context) map[string]func(*db.Raw, db.Viewer) error {
	pickup := w.pickup(ctx)
	return map[string]func(*db.Raw, db.Viewer) error{
		"a shared read": func(s *db.Raw, v db.Viewer) error { return s.SeesPickup(ctx, v.ForReading(), pickup) },
		"a read": func(s *db.Raw, v db.Viewer) error {
			_, err := s.ListTransitions(db.Reading(ctx, v.ForReading()))
			return err
		},
		"a replanned read": func(s *db.Raw, v db.Viewer) error {
			_, err := s.ListPickups(db.Reading(ctx, v.ForReading()), db.ListPickupsParams{TenantID: v.TenantID,
				ViewerID: v.UserID, ViewerRole: v.Role, BeforeCreatedAt: time.Now(), CreatedTo: time.Now(), MaxRows: 1})
			return err
		},
		"a read under row level security": func(s *db.Raw, v db.Viewer) error {
			_, err := s.As(v.ForReading()).ListPatients(ctx,
				db.ListPatientsParams{TenantID: v.TenantID, ViewerID: v.UserID, MaxRows: 1})
			return err
		},
		"a shared write": func(s *db.Raw, v db.Viewer) error { return enter(ctx, s, v, charge(w.account, 1)) },
		"a write": func(s *db.Raw, v db.Viewer) error {
			_, err := s.CreateGroup(db.Acting(ctx, v),
				db.CreateGroupParams{TenantID: v.TenantID, ID: newID(), Name: "Group", RequestDigest: []byte("x")})
			return err
		},
		"a write under row level security": func(s *db.Raw, v db.Viewer) error {
			return createOnePatient(ctx, s, v, w.newPatient(newID()))
		},
	}
}

// outdating are the ways in which a session comes to differ from its cache entry.
var outdating = map[string]string{
	"revoked": "UPDATE sessions SET revoked_at = now() WHERE tenant_id = $1 AND user_id = $2",
	"expired": "UPDATE sessions SET expires_at = now() WHERE tenant_id = $1 AND user_id = $2",
	"another expiry": "UPDATE sessions SET expires_at = expires_at + interval '1 s' WHERE tenant_id = $1 AND " +
		"user_id = $2",
	"another epoch": "UPDATE users SET password_epoch = password_epoch + 1 WHERE tenant_id = $1 AND id = $2",
	"deactivated":   "UPDATE users SET active = false WHERE tenant_id = $1 AND id = $2",
	"another role":  "UPDATE users SET role = 'hub' WHERE tenant_id = $1 AND id = $2",
	"another driver": "UPDATE drivers SET user_id = $2 WHERE id = (SELECT id FROM drivers WHERE tenant_id = $1 AND " +
		"user_id IS NULL LIMIT 1)",
	"gone": "DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2",
	"unused for long": "UPDATE sessions SET last_seen_at = now() - interval '61 s' WHERE tenant_id = $1 AND " +
		"user_id = $2",
}

var cachedSessionRules = []check{
	{"RequireSessions", "an unchanged session is confirmed with the first statement",
		func(ctx context.Context, w *fixture) error {
			_, token := w.signedIn(ctx, w.staff)
			for name, work := range w.cachedWork(ctx) {
				v := w.cachedViewer(ctx, token)
				if err := work(w.Raw, v); err != nil || !v.Confirmed() {
					return fmt.Errorf("%s: confirmed is %t: %w", name, v.Confirmed(), err)
				}
			}
			return nil
		}},
	{"RequireSessions", "a session that differs from its cache entry writes nothing",
		func(ctx context.Context, w *fixture) error {
			for change, statement := range outdating {
				for name := range w.cachedWork(ctx) {
					if err := w.outdated(ctx, name, statement); err != nil {
						return fmt.Errorf("%s, %s: %w", change, name, err)
					}
				}
			}
			return nil
		}},
}

// outdated makes a request with a viewer whose cache entry is out of date.
func (w *fixture) outdated(ctx context.Context, name, statement string) error {
	user := w.user(ctx, db.UserRoleStaff)
	work := w.cachedWork(ctx)[name]
	must(w.as.CreateDriver(ctx, db.CreateDriverParams{TenantID: w.tenant,
		ID: newID(), Name: "D", RequestDigest: []byte("x")}))
	_, token := w.signedIn(ctx, user)
	v := w.cachedViewer(ctx, token)
	must(w.owner.Exec(ctx, statement, w.tenant, user.UserID))
	before := w.written(ctx)
	err := work(w.Raw, v)
	if err := refused(err, db.Unauthenticated); err != nil || v.Confirmed() || !v.Outdated() {
		return fmt.Errorf("confirmed is %t, outdated is %t: %w", v.Confirmed(), v.Outdated(), err)
	}
	if after := w.written(ctx); after != before {
		return errors.New("a row was written")
	}
	// The entry is gone, and the next request looks the session up.
	if err := refused(work(w.as, v), db.Unauthenticated); err != nil {
		return fmt.Errorf("once more: %w", err)
	}
	if v, err := w.as.Admit(ctx, token, time.Hour); err == nil && !v.Confirmed() {
		return errors.New("it is still cached")
	}
	return nil
}

// written counts the rows that the requests write.
func (w *fixture) written(ctx context.Context) string {
	return scan[string](ctx, w.owner, `SELECT concat_ws(' ',
		(SELECT count(*) FROM ledger_entries WHERE tenant_id = $1), (SELECT count(*) FROM groups WHERE tenant_id = $1),
		(SELECT count(*) FROM patients WHERE tenant_id = $1), (SELECT count(*) FROM phi_reads WHERE tenant_id = $1))`,
		w.tenant)
}

// Of readers who share a statement, only the one whose session has ended is refused.
func TestOfABatchOfReadsOnlyTheEndedSessionIsRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := openBatching(t).fixture(ctx)
	pickup := w.pickup(ctx)
	viewers := make([]db.Viewer, 32)
	for i := range viewers {
		_, token := w.signedIn(ctx, w.staff)
		viewers[i] = w.cachedViewer(ctx, token)
		if i == 7 {
			w.alter(ctx, token, "revoked_at = now()")
		}
	}
	errs := together(len(viewers), func(i int) error { return w.SeesPickup(ctx, viewers[i].ForReading(), pickup) })
	for i, err := range errs {
		if ended := i == 7; ended != (code(err) == db.Unauthenticated) || ended != viewers[i].Outdated() ||
			!ended && err != nil {
			t.Errorf("%d: outdated is %t: %v", i, viewers[i].Outdated(), err)
		}
	}
}
