package db_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"waybill/db"
)

var sessionRaces = []check{
	{"CreateSession", "a login outlives the password it verified", func(ctx context.Context, w *fixture) error {
		if err := w.loses(ctx, db.Unauthenticated,
			func(s *db.Raw) error { return changePassword(ctx, s, w.staff, 1, "new hash") },
			func(s *db.Raw) error { _, err := openSession(ctx, s, w.staff, "old hash"); return err },
		); err != nil {
			return err
		}
		var during db.Token
		return first(
			w.wins(ctx, commit,
				func(s *db.Raw) (err error) { during, err = openSession(ctx, s, w.staff, "new hash"); return err },
				func(s *db.Raw) error { return changePassword(ctx, s, w.staff, 2, "newer hash") }),
			w.isOver(ctx, during))
	}},
	{"CreateSession", "a login outlives the deactivation of its user", func(ctx context.Context, w *fixture) error {
		return w.loses(ctx, db.Unauthenticated,
			func(s *db.Raw) error { return deactivate(ctx, s, w.staff) },
			func(s *db.Raw) error { _, err := openSession(ctx, s, w.staff, "old hash"); return err })
	}},
	{"TouchSession", "many requests of one session all write its last_seen_at",
		func(ctx context.Context, w *fixture) error {
			token := must(openSession(ctx, w.as, w.staff, "old hash"))
			w.alter(ctx, token, "last_seen_at = now() - interval '2 minutes'")
			return w.countedOnce(func(s *db.Raw) (int64, error) {
				return s.TouchSession(ctx, db.TouchSessionParams{TenantID: w.tenant, TokenHash: token.Hash()})
			})
		}},
	{"RevokeSession", "a token revoked twice", func(ctx context.Context, w *fixture) error {
		token := must(openSession(ctx, w.as, w.staff, "old hash"))
		return w.countedOnce(func(s *db.Raw) (int64, error) {
			return s.RevokeSession(ctx, db.RevokeSessionParams{TenantID: w.tenant, TokenHash: token.Hash()})
		})
	}},
}

var sessionRules = []check{
	{"GetSessions", "an expired session is accepted", func(ctx context.Context, w *fixture) error {
		for _, over := range []string{
			"expires_at = now() - interval '1 second'",
			"last_seen_at = now() - interval '61 minutes'",
			"revoked_at = now()",
			"password_epoch = 0",
		} {
			token := must(openSession(ctx, w.as, w.staff, "old hash"))
			w.alter(ctx, token, over)
			if err := w.isOver(ctx, token); err != nil {
				return fmt.Errorf("%s: %w", over, err)
			}
		}
		return nil
	}},
	{"GetSessions", "a user deactivated by hand is accepted", func(ctx context.Context, w *fixture) error {
		token := must(openSession(ctx, w.as, w.staff, "old hash"))
		must(w.owner.Exec(ctx, "UPDATE users SET active = false WHERE tenant_id = $1 AND id = $2",
			w.tenant, w.staff.UserID))
		return w.isOver(ctx, token)
	}},
	{"CreateSession", "a login deletes only the user's expired sessions",
		func(ctx context.Context, w *fixture) error {
			good, over := must(openSession(ctx, w.as, w.staff, "old hash")), must(openSession(ctx,
				w.as, w.staff, "old hash"))
			others := must(openSession(ctx, w.as, w.hub, "old hash"))
			for _, token := range []db.Token{over, others} {
				w.alter(ctx, token, "expires_at = now() - interval '1 second'")
			}
			must(openSession(ctx, w.Raw, w.staff, "old hash"))
			if n := scan[int](ctx, w.owner, "SELECT count(*) FROM sessions WHERE tenant_id = $1", w.tenant); n != 3 {
				return fmt.Errorf("%d sessions are left, want the good one, the new one and the other user's", n)
			}
			_, err := w.Authenticate(ctx, good, time.Hour)
			return err
		}},
}

func openSession(ctx context.Context, s *db.Raw, v db.Viewer, hash string) (db.Token, error) {
	token, _, err := s.OpenSession(ctx, v.TenantID, v.UserID, hash, 24*time.Hour)
	return token, err
}

func (w *fixture) alter(ctx context.Context, token db.Token, set string) {
	must(w.owner.Exec(ctx, "UPDATE sessions SET "+set+" WHERE tenant_id = $1 AND token_hash = $2",
		w.tenant, token.Hash()))
}

// isOver reports whether the token is refused.
func (w *fixture) isOver(ctx context.Context, token db.Token) error {
	_, err := w.Authenticate(ctx, token, time.Hour)
	return refused(err, db.Unauthenticated)
}

func TestAuthenticateRefusesWhatIsNoToken(t *testing.T) {
	t.Parallel()
	d := open(t)
	w := d.fixture(t.Context())
	good := must(openSession(t.Context(), w.as, w.staff, "old hash"))
	foreign := must(openSession(t.Context(), w.as, d.fixture(t.Context()).staff, "old hash"))
	for name, token := range map[string]db.Token{
		"empty": "", "no base64": "%%%", "short": good[:20], "long": good + "AAAA", "padded": good + "=",
		"spaced": " " + good, "changed": good[:len(good)-4] + "AAAA", "random": db.NewToken(w.tenant),
		"of another tenant": foreign[:21] + good[21:], "nul": db.Token(strings.Repeat("\x00", len(good))),
	} {
		if _, err := w.Authenticate(t.Context(), token, time.Hour); code(err) != db.Unauthenticated {
			t.Errorf("%s: got %v", name, err)
		}
	}
	v, err := w.Authenticate(t.Context(), good, time.Hour)
	if err != nil || v.UserID != w.staff.UserID || v.Role != w.staff.Role || v.TenantID != w.tenant {
		t.Errorf("got %v, %v", v, err)
	}
}

func TestAuthenticateNamesTheDriverOfTheLogin(t *testing.T) {
	t.Parallel()
	w := open(t).fixture(t.Context())
	driver := w.driver(t.Context(), 0, 0)
	v, err := w.Authenticate(t.Context(), must(openSession(t.Context(), w.as, driver, "old hash")), time.Hour)
	if err != nil || v.DriverID != driver.DriverID {
		t.Errorf("got driver %v, %v", v.DriverID, err)
	}
}

func TestAuthenticateMovesLastSeenOnceAMinute(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	token := must(openSession(ctx, w.as, w.staff, "old hash"))
	xmin := func() string {
		return scan[string](ctx, w.owner, "SELECT xmin::text FROM sessions WHERE token_hash = $1", token.Hash())
	}
	before := xmin()
	must(w.Authenticate(ctx, token, time.Hour))
	if xmin() != before {
		t.Error("a read within the minute wrote")
	}
	w.alter(ctx, token, "last_seen_at = now() - interval '2 minutes'")
	before = xmin()
	must(w.Authenticate(ctx, token, time.Hour))
	if xmin() == before {
		t.Error("last_seen_at stayed")
	}
}

// A randomized version of the races: no session is valid after the end.
func TestNoSessionSurvivesWhateverComesFirst(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	for name, end := range map[string]func(*db.Raw, db.Viewer) error{
		"deactivate":      func(s *db.Raw, v db.Viewer) error { return deactivate(ctx, s, v) },
		"change password": func(s *db.Raw, v db.Viewer) error { return changePassword(ctx, s, v, 1, "new hash") },
	} {
		for range 50 {
			w := d.fixture(ctx)
			tokens := make([]db.Token, 8)
			errs := together(len(tokens)+1, func(i int) (err error) {
				if i == len(tokens) {
					return end(d.Raw, w.staff)
				}
				tokens[i], err = openSession(ctx, d.Raw, w.staff, "old hash")
				return err
			})
			if err := errs[len(tokens)]; err != nil {
				t.Fatal(name, err)
			}
			for i, token := range tokens {
				if errs[i] == nil {
					if err := w.isOver(ctx, token); err != nil {
						t.Fatal(name, err)
					}
				} else if err := refused(errs[i], db.Unauthenticated); err != nil {
					t.Fatal(name, err)
				}
			}
		}
	}
}
