package db_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"waybill/db"
)

var userRaces = []check{
	{"CreateUser", "a retried request makes a second user", func(ctx context.Context, w *world) error {
		id := newID()
		return w.createdOnce(ctx, func(s *db.Store) error { return w.createUser(ctx, s, id, "ada@example.com") })
	}},
	{"CreateUser", "two users of a tenant share one email address", func(ctx context.Context, w *world) error {
		if err := w.loses(ctx, db.EmailTaken,
			func(s *db.Store) error { return w.createUser(ctx, s, newID(), "ada@example.com") },
			func(s *db.Store) error { return w.createUser(ctx, s, newID(), "Ada@Example.com") },
		); err != nil {
			return err
		}
		return oneWins(together(manyCallers, func(i int) error {
			email := []string{"bob@example.com", "BOB@example.com"}[i%2]
			return w.createUser(ctx, w.Store, newID(), email)
		}), db.EmailTaken)
	}},
	{"CountLoginAttempt", "parallel guesses go uncounted", func(ctx context.Context, w *world) error {
		// Four are let through; the fourth makes the next one wait.
		if err := someWin(4, together(manyCallers, func(int) error { return w.guess(ctx, w.Store, w.staff) }), db.NotFound); err != nil {
			return err
		}
		if n := w.failedLogins(ctx, w.staff); n != 4 {
			return fmt.Errorf("%d failed logins are counted, want 4", n)
		}
		return nil
	}},
	{"ClearLoginAttempts", "a password that is no longer good clears the count of guesses", func(ctx context.Context, w *world) error {
		w.must(w.guess(ctx, w.as, w.staff))
		var cleared int64
		clearing := func(hash string) act {
			return func(s *db.Store) (err error) {
				cleared, err = s.ClearLoginAttempts(ctx, db.ClearLoginAttemptsParams{
					TenantID: w.tenant, ID: w.staff.UserID, PasswordHash: hash,
				})
				return err
			}
		}
		if err := w.wins(ctx, commit,
			func(s *db.Store) error { return resetPassword(ctx, w, s) }, clearing("old hash"),
		); err != nil {
			return err
		}
		if n := w.failedLogins(ctx, w.staff); cleared != 0 || n != 1 {
			return fmt.Errorf("%d rows were cleared, %d failed logins are left", cleared, n)
		}
		w.must(clearing("new hash")(w.Store))
		if n := w.failedLogins(ctx, w.staff); cleared != 1 || n != 0 {
			return fmt.Errorf("%d rows were cleared, %d failed logins are left", cleared, n)
		}
		return nil
	}},
	{"EditUser", clobbered, func(ctx context.Context, w *world) error {
		return w.editedOnce(ctx, func(s *db.Store, name string, version int64) error {
			return editUser(ctx, s, w.admin, w.staff, name, version)
		})
	}},
	{"ChangePassword", "two password changes both succeed with the old password", func(ctx context.Context, w *world) error {
		if err := w.loses(ctx, db.NotFound,
			func(s *db.Store) error { return changePassword(ctx, s, w.staff, "old hash", "first") },
			func(s *db.Store) error { return changePassword(ctx, s, w.staff, "old hash", "second") },
		); err != nil {
			return err
		}
		return oneWins(together(manyCallers, func(i int) error {
			return changePassword(ctx, w.Store, w.staff, "first", fmt.Sprint("next ", i))
		}), db.NotFound)
	}},
	{"ChangePassword", "a deactivated user sets a password", func(ctx context.Context, w *world) error {
		return w.loses(ctx, db.NotFound,
			func(s *db.Store) error { return deactivate(ctx, s, w.staff) },
			func(s *db.Store) error { return changePassword(ctx, s, w.staff, "old hash", "new hash") })
	}},
	{"DeactivateUser", "a deactivated user keeps a session", func(ctx context.Context, w *world) error {
		before := must(openSession(ctx, w.as, w.staff, "old hash"))
		var during db.Token
		if err := w.wins(ctx, commit,
			func(s *db.Store) (err error) { during, err = openSession(ctx, s, w.staff, "old hash"); return err },
			func(s *db.Store) error { return deactivate(ctx, s, w.staff) },
		); err != nil {
			return err
		}
		return first(w.isOver(ctx, before), w.isOver(ctx, during))
	}},
	{"DeactivateUser", "a user is deactivated twice", func(ctx context.Context, w *world) error {
		return oneWins(together(manyCallers, func(int) error { return deactivate(ctx, w.Store, w.staff) }), db.NotFound)
	}},
}

var userRules = []check{
	{"CountLoginAttempt", "a deactivated user is not let through", func(ctx context.Context, w *world) error {
		w.must(deactivate(ctx, w.as, w.staff))
		return refused(w.guess(ctx, w.Store, w.staff), db.NotFound)
	}},
	{"EditUser", "a user edits another", func(ctx context.Context, w *world) error {
		return first(
			refused(editUser(ctx, w.Store, w.staff, w.hub, "mine", 1), db.NotFound),
			editUser(ctx, w.Store, w.staff, w.staff, "mine", 1))
	}},
	{"DeactivateUser", "a session revoked before keeps its time", func(ctx context.Context, w *world) error {
		w.must(w.as.CloseSession(ctx, must(openSession(ctx, w.as, w.staff, "old hash"))))
		query := "SELECT revoked_at::text FROM sessions WHERE tenant_id = $1"
		before := scan[string](ctx, w.owner, query, w.tenant)
		w.must(deactivate(ctx, w.Store, w.staff))
		if after := scan[string](ctx, w.owner, query, w.tenant); after != before {
			return errors.New("it was revoked again")
		}
		return nil
	}},
}

func (w *world) createUser(ctx context.Context, s *db.Store, id uuid.UUID, email string) error {
	_, err := s.CreateUser(ctx, db.CreateUserParams{
		TenantID: w.tenant, ID: id, Email: email, Name: "User", Role: db.UserRoleStaff,
		PasswordHash: "hash", RequestDigest: digest(email),
	})
	return err
}

// guess counts one attempt to log in.
func (w *world) guess(ctx context.Context, s *db.Store, v db.Viewer) error {
	_, err := s.CountLoginAttempt(ctx, db.CountLoginAttemptParams{
		TenantID: v.TenantID, Email: strings.ToUpper(v.UserID.String()) + "@example.com",
	})
	return err
}

func (w *world) failedLogins(ctx context.Context, v db.Viewer) int {
	return scan[int](ctx, w.owner, "SELECT failed_logins FROM users WHERE tenant_id = $1 AND id = $2", v.TenantID, v.UserID)
}

func editUser(ctx context.Context, s *db.Store, by, of db.Viewer, name string, version int64) error {
	_, err := s.EditUser(ctx, db.EditUserParams{
		TenantID: of.TenantID, ID: of.UserID, Name: &name, Version: version, ViewerRole: by.Role, ViewerID: by.UserID,
	})
	return err
}

func changePassword(ctx context.Context, s *db.Store, v db.Viewer, old, new string) error {
	_, err := s.ChangePassword(ctx, db.ChangePasswordParams{
		TenantID: v.TenantID, ID: v.UserID, PasswordHash: old, NewPasswordHash: new,
	})
	return err
}

// resetPassword changes it and counts a guess at the new one.
func resetPassword(ctx context.Context, w *world, s *db.Store) error {
	if err := changePassword(ctx, s, w.staff, "old hash", "new hash"); err != nil {
		return err
	}
	return w.guess(ctx, s, w.staff)
}

func deactivate(ctx context.Context, s *db.Store, v db.Viewer) error {
	_, err := s.DeactivateUser(ctx, db.DeactivateUserParams{TenantID: v.TenantID, ID: v.UserID})
	return err
}
