package db_test

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	{"EditUser", clobbered, func(ctx context.Context, w *world) error {
		return w.editedOnce(ctx, func(s *db.Store, name string, version int64) error {
			return editUser(ctx, s, w.admin, w.staff, name, version)
		})
	}},
	{"ChangePassword", "two password changes both succeed with the old password", func(ctx context.Context, w *world) error {
		if err := w.loses(ctx, db.NotFound,
			func(s *db.Store) error { return changePassword(ctx, s, w.staff, 1, "first") },
			func(s *db.Store) error { return changePassword(ctx, s, w.staff, 1, "second") },
		); err != nil {
			return err
		}
		return oneWins(together(manyCallers, func(i int) error {
			return changePassword(ctx, w.Store, w.staff, 2, fmt.Sprint("next ", i))
		}), db.NotFound)
	}},
	{"ChangePassword", "a deactivated user sets a password", func(ctx context.Context, w *world) error {
		return w.loses(ctx, db.NotFound,
			func(s *db.Store) error { return deactivate(ctx, s, w.staff) },
			func(s *db.Store) error { return changePassword(ctx, s, w.staff, 1, "new hash") })
	}},
	{"RenewPasswordHash", "a renewed hash brings back a password that was changed", func(ctx context.Context, w *world) error {
		var renewed int64
		if err := w.wins(ctx, commit,
			func(s *db.Store) error { return changePassword(ctx, s, w.staff, 1, "new hash") },
			func(s *db.Store) (err error) {
				renewed, err = renew(ctx, s, w.staff, "old hash", "renewed")
				return err
			},
		); err != nil {
			return err
		}
		if hash := w.passwordHash(ctx, w.staff); renewed != 0 || hash != "new hash" {
			return fmt.Errorf("%d rows were renewed, the hash is %q", renewed, hash)
		}
		return nil
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
	{"ChangePassword", "nobody sets the password of a deactivated user", func(ctx context.Context, w *world) error {
		w.must(deactivate(ctx, w.as, w.staff)) // which raises the epoch
		return refused(changePassword(ctx, w.Store, w.staff, 2, "new hash"), db.NotFound)
	}},
	{"RenewPasswordHash", "a session outlives the renewal of its user's hash", func(ctx context.Context, w *world) error {
		token := must(openSession(ctx, w.as, w.staff, "old hash"))
		if n := must(renew(ctx, w.Store, w.staff, "old hash", "renewed")); n != 1 {
			return fmt.Errorf("%d rows were renewed", n)
		}
		if _, err := w.Authenticate(ctx, token, time.Hour); err != nil {
			return err
		}
		return changePassword(ctx, w.Store, w.staff, 1, "new hash")
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

func editUser(ctx context.Context, s *db.Store, by, of db.Viewer, name string, version int64) error {
	_, err := s.EditUser(ctx, db.EditUserParams{
		TenantID: of.TenantID, ID: of.UserID, Name: &name, Version: version, ViewerRole: by.Role, ViewerID: by.UserID,
	})
	return err
}

func changePassword(ctx context.Context, s *db.Store, v db.Viewer, epoch int64, new string) error {
	_, err := s.ChangePassword(ctx, db.ChangePasswordParams{
		TenantID: v.TenantID, ID: v.UserID, PasswordEpoch: epoch, NewPasswordHash: new,
	})
	return err
}

func renew(ctx context.Context, s *db.Store, v db.Viewer, old, new string) (int64, error) {
	return s.RenewPasswordHash(ctx, db.RenewPasswordHashParams{
		TenantID: v.TenantID, ID: v.UserID, PasswordHash: old, NewPasswordHash: new,
	})
}

func (w *world) passwordEpoch(ctx context.Context, v db.Viewer) int64 {
	return scan[int64](ctx, w.owner, "SELECT password_epoch FROM users WHERE tenant_id = $1 AND id = $2", v.TenantID, v.UserID)
}

func (w *world) passwordHash(ctx context.Context, v db.Viewer) string {
	return scan[string](ctx, w.owner, "SELECT password_hash FROM users WHERE tenant_id = $1 AND id = $2", v.TenantID, v.UserID)
}

func deactivate(ctx context.Context, s *db.Store, v db.Viewer) error {
	_, err := s.DeactivateUser(ctx, db.DeactivateUserParams{TenantID: v.TenantID, ID: v.UserID})
	return err
}
