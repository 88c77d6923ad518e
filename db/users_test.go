package db_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

var userRaces = []check{
	{"CreateUser", "a retried request makes a second user", func(ctx context.Context, w *fixture) error {
		id := newID()
		return w.createdOnce(ctx, func(s *db.Raw) error { return w.createUser(ctx, s, id, "ada@example.com") })
	}},
	{"CreateUser", "two users of a tenant share one email address", func(ctx context.Context, w *fixture) error {
		if err := w.loses(ctx, db.EmailTaken,
			func(s *db.Raw) error { return w.createUser(ctx, s, newID(), "ada@example.com") },
			func(s *db.Raw) error { return w.createUser(ctx, s, newID(), "Ada@Example.com") },
		); err != nil {
			return err
		}
		return oneWins(together(manyCallers, func(i int) error {
			email := []string{"bob@example.com", "BOB@example.com"}[i%2]
			return w.createUser(ctx, w.Raw, newID(), email)
		}), db.EmailTaken)
	}},
	{"EditUser", clobbered, func(ctx context.Context, w *fixture) error {
		return w.editedOnce(ctx, func(s *db.Raw, name string, version int64) error {
			return editUser(ctx, s, w.admin, w.staff, name, version)
		})
	}},
	{"ChangePassword", "two password changes both succeed with the old password",
		func(ctx context.Context, w *fixture) error {
			if err := w.loses(ctx, db.NotFound,
				func(s *db.Raw) error { return changePassword(ctx, s, w.staff, 1, "first") },
				func(s *db.Raw) error { return changePassword(ctx, s, w.staff, 1, "second") },
			); err != nil {
				return err
			}
			return oneWins(together(manyCallers, func(i int) error {
				return changePassword(ctx, w.Raw, w.staff, 2, fmt.Sprint("next ", i))
			}), db.NotFound)
		}},
	{"ChangePassword", "a deactivated user sets a password", func(ctx context.Context, w *fixture) error {
		return w.loses(ctx, db.NotFound,
			func(s *db.Raw) error { return deactivate(ctx, s, w.staff) },
			func(s *db.Raw) error { return changePassword(ctx, s, w.staff, 1, "new hash") })
	}},
	{"RenewPasswordHash", "a rehash restores an old password",
		func(ctx context.Context, w *fixture) error {
			var renewed int64
			if err := w.wins(ctx, commit,
				func(s *db.Raw) error { return changePassword(ctx, s, w.staff, 1, "new hash") },
				func(s *db.Raw) (err error) {
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
	{"DeactivateUser", "a deactivated user keeps a session", func(ctx context.Context, w *fixture) error {
		before := must(openSession(ctx, w.as, w.staff, "old hash"))
		var during db.Token
		if err := w.wins(ctx, commit,
			func(s *db.Raw) (err error) { during, err = openSession(ctx, s, w.staff, "old hash"); return err },
			func(s *db.Raw) error { return deactivate(ctx, s, w.staff) },
		); err != nil {
			return err
		}
		return first(w.isOver(ctx, before), w.isOver(ctx, during))
	}},
	{"EditUser", "two admins demote each other", func(ctx context.Context, w *fixture) error {
		other := w.secondAdmin(ctx)
		if err := w.loses(ctx, db.NotFound,
			func(s *db.Raw) error { return demote(ctx, s, w.admin, other) },
			func(s *db.Raw) error { return demote(ctx, s, other, w.admin) },
		); err != nil {
			return err
		}
		return w.keepsAnAdmin(ctx, func(s *db.Raw, by, of db.Viewer) error { return demote(ctx, s, by, of) })
	}},
	{"DeactivateUser", "two admins deactivate each other", func(ctx context.Context, w *fixture) error {
		other := w.secondAdmin(ctx)
		if err := w.loses(ctx, db.NotFound,
			func(s *db.Raw) error { return deactivate(ctx, s, other) },
			func(s *db.Raw) error { return deactivate(ctx, s, w.admin) },
		); err != nil {
			return err
		}
		return w.keepsAnAdmin(ctx, func(s *db.Raw, by, of db.Viewer) error {
			if by.UserID == w.admin.UserID { // one way against the other
				return demote(ctx, w.as, by, of)
			}
			return deactivate(ctx, s, of)
		})
	}},
	{"ReactivateUser", "a user is reactivated twice", func(ctx context.Context, w *fixture) error {
		w.must(deactivate(ctx, w.as, w.staff))
		return oneWins(together(manyCallers, func(int) error { return reactivate(ctx, w.Raw, w.staff) }), db.NotFound)
	}},
	{"MakeAdmin", "two operators make two admins of one address", func(ctx context.Context, w *fixture) error {
		owner := w.over(w.owner)
		if err := oneWins(together(manyCallers, func(i int) error {
			return w.makeAdmin(ctx, owner, []string{"ada@x", "ADA@x"}[i%2], 0)
		}), db.NotFound); err != nil {
			return err
		}
		if n := scan[int](ctx, w.owner,
			"SELECT count(*) FROM users WHERE fold_case(email) = 'ada@x' AND tenant_id = $1", w.tenant); n != 1 {
			return fmt.Errorf("%d users have the address", n)
		}
		return nil
	}},
	{"MakeAdmin", "two operators both set the password of one admin", func(ctx context.Context, w *fixture) error {
		owner, email := w.over(w.owner), w.admin.UserID.String()+"@example.com"
		return oneWins(together(manyCallers, func(int) error { return w.makeAdmin(ctx, owner, email, 1) }), db.NotFound)
	}},
	{"DeactivateUser", "a user is deactivated twice", func(ctx context.Context, w *fixture) error {
		return oneWins(together(manyCallers, func(int) error { return deactivate(ctx, w.Raw, w.staff) }), db.NotFound)
	}},
}

var userRules = []check{
	{"ChangePassword", "the password of a deactivated user is set", func(ctx context.Context, w *fixture) error {
		w.must(deactivate(ctx, w.as, w.staff)) // which raises the epoch
		return refused(changePassword(ctx, w.Raw, w.staff, 2, "new hash"), db.NotFound)
	}},
	{"RenewPasswordHash", "a session outlives the renewal of its user's hash",
		func(ctx context.Context, w *fixture) error {
			token := must(openSession(ctx, w.as, w.staff, "old hash"))
			if n := must(renew(ctx, w.Raw, w.staff, "old hash", "renewed")); n != 1 {
				return fmt.Errorf("%d rows were renewed", n)
			}
			if _, err := w.Authenticate(ctx, token, time.Hour); err != nil {
				return err
			}
			return changePassword(ctx, w.Raw, w.staff, 1, "new hash")
		}},
	{"EditUser", "a user edits another", func(ctx context.Context, w *fixture) error {
		return first(
			refused(editUser(ctx, w.Raw, w.staff, w.hub, "mine", 1), db.NotFound),
			editUser(ctx, w.Raw, w.staff, w.staff, "mine", 1))
	}},
	{"EditUser", "the last admin is demoted", func(ctx context.Context, w *fixture) error {
		off := w.secondAdmin(ctx)
		w.must(deactivate(ctx, w.as, off))
		return first(
			refused(demote(ctx, w.Raw, w.admin, w.admin), db.NotFound),
			demoteAt(ctx, w.Raw, w.admin, off, 2), // no longer an admin
			editUser(ctx, w.Raw, w.admin, w.admin, "still admin", 1))
	}},
	{"EditUser", adminsInOrder, func(ctx context.Context, w *fixture) error {
		return w.adminsLockedInOrder(ctx, func(s *db.Raw, of db.Viewer) error { return demote(ctx, s, of, of) })
	}},
	{"DeactivateUser", adminsInOrder, func(ctx context.Context, w *fixture) error {
		return w.adminsLockedInOrder(ctx, func(s *db.Raw, of db.Viewer) error { return deactivate(ctx, s, of) })
	}},
	{"EditUser", "an edit that demotes nobody waits for an admin", func(ctx context.Context, w *fixture) error {
		return w.passes(ctx,
			func(s *db.Raw) error { return editUser(ctx, s, w.admin, w.admin, "first", 1) },
			func(s *db.Raw) error { return editUser(ctx, s, w.admin, w.staff, "second", 1) })
	}},
	{"DeactivateUser", "an admin under edit is counted again", func(ctx context.Context, w *fixture) error {
		edit := func(version int64) act {
			return func(s *db.Raw) error { return editUser(ctx, s, w.admin, w.admin, "edited", version) }
		}
		off := func(s *db.Raw) error { return deactivate(ctx, s, w.admin) }
		if err := w.loses(ctx, db.NotFound, edit(1), off); err != nil {
			return err
		}
		w.secondAdmin(ctx)
		return w.wins(ctx, commit, edit(2), off)
	}},
	{"DeactivateUser", "the last admin is deactivated", func(ctx context.Context, w *fixture) error {
		off := w.secondAdmin(ctx)
		w.must(deactivate(ctx, w.as, off))
		return first(
			refused(deactivate(ctx, w.Raw, w.admin), db.NotFound),
			deactivate(ctx, w.Raw, w.hub))
	}},
	{"ReactivateUser", "an old session is valid again with its user", func(ctx context.Context, w *fixture) error {
		token := must(openSession(ctx, w.as, w.staff, "old hash"))
		w.must(deactivate(ctx, w.as, w.staff))
		if err := reactivate(ctx, w.Raw, w.staff); err != nil {
			return err
		}
		return first(w.isOver(ctx, token), second(openSession(ctx, w.as, w.staff, "old hash")))
	}},
	{"MakeAdmin", "a tenant without an admin gets one back",
		func(ctx context.Context, w *fixture) error {
			token := must(openSession(ctx, w.as, w.staff, "old hash"))
			must(w.owner.Exec(ctx, "UPDATE users SET active = false WHERE tenant_id = $1", w.tenant))
			email := strings.ToUpper(w.staff.UserID.String()) + "@example.com"
			if err := w.makeAdmin(ctx, w.over(w.owner), email,
				must(w.over(w.owner).
					GetPasswordEpoch(ctx, db.GetPasswordEpochParams{Slug: w.slug(ctx), Email: email}))); err != nil {
				return err
			}
			if n := scan[int](ctx, w.owner, "SELECT count(*) FROM users WHERE fold_case(email) = fold_case($1)",
				email); n != 1 {
				return fmt.Errorf("%d users of all tenants have the address", n)
			}
			v, err := w.Authenticate(ctx, must(openSession(ctx, w.as, w.staff, "new hash")), time.Hour)
			if err != nil || v.Role != db.UserRoleAdmin {
				return fmt.Errorf("%s, %v", v.Role, err)
			}
			return w.isOver(ctx, token)
		}},
	{"DeactivateUser", "a session revoked before keeps its time", func(ctx context.Context, w *fixture) error {
		w.must(w.as.CloseSession(ctx, must(openSession(ctx, w.as, w.staff, "old hash"))))
		query := "SELECT revoked_at::text FROM sessions WHERE tenant_id = $1"
		before := scan[string](ctx, w.owner, query, w.tenant)
		w.must(deactivate(ctx, w.Raw, w.staff))
		if after := scan[string](ctx, w.owner, query, w.tenant); after != before {
			return errors.New("it was revoked again")
		}
		return nil
	}},
}

func (w *fixture) createUser(ctx context.Context, s *db.Raw, id uuid.UUID, email string) error {
	_, err := s.CreateUser(ctx, db.CreateUserParams{
		TenantID: w.tenant, ID: id, Email: email, Name: "User", Role: db.UserRoleStaff,
		PasswordHash: "hash", RequestDigest: digest(email),
	})
	return err
}

func editUser(ctx context.Context, s *db.Raw, by, of db.Viewer, name string, version int64) error {
	_, err := s.EditUser(ctx, db.EditUserParams{
		TenantID: of.TenantID, ID: of.UserID, Name: &name, Version: version, ViewerRole: by.Role, ViewerID: by.UserID,
	})
	return err
}

func changePassword(ctx context.Context, s *db.Raw, v db.Viewer, epoch int64, new string) error {
	_, err := s.ChangePassword(ctx, db.ChangePasswordParams{
		TenantID: v.TenantID, ID: v.UserID, PasswordEpoch: epoch, NewPasswordHash: new,
	})
	return err
}

// demote makes the user a member of the staff.
func demote(ctx context.Context, s *db.Raw, by, of db.Viewer) error {
	return demoteAt(ctx, s, by, of, 1)
}

func demoteAt(ctx context.Context, s *db.Raw, by, of db.Viewer, version int64) error {
	role := db.UserRoleStaff
	_, err := s.EditUser(ctx, db.EditUserParams{
		TenantID: of.TenantID, ID: of.UserID, Role: &role, ViewerRole: by.Role, ViewerID: by.UserID,
		Version: version,
	})
	return err
}

// secondAdmin makes another admin of the tenant.
func (w *fixture) secondAdmin(ctx context.Context) db.Viewer {
	return w.user(ctx, db.UserRoleAdmin)
}

const adminsInOrder = "admins are locked in key order"

// adminsLockedInOrder demotes the first of several admins while the second is locked: it waits for that
// one with the first locked, and no other, whatever the plan.
func (w *fixture) adminsLockedInOrder(ctx context.Context, away func(s *db.Raw, of db.Viewer) error) error {
	admins := ids(w.admin.UserID)
	for range 5 {
		admins = append(admins, w.secondAdmin(ctx).UserID)
	}
	sortIDs(admins)
	target := db.SystemViewer(w.tenant, admins[0], db.UserRoleAdmin)
	for _, plan := range plans {
		free, err := w.freeBehind(ctx, "users", "id", admins, admins[1], plan,
			func(s *db.Raw) error { return away(s, target) })
		if err == nil && !slices.Equal(free, admins[2:]) {
			err = fmt.Errorf("waiting for the second admin, it had left %d free", len(free))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keepsAnAdmin has two admins do the same to each other, again and again: one is left each time.
func (w *fixture) keepsAnAdmin(ctx context.Context, act func(s *db.Raw, by, of db.Viewer) error) error {
	for range 4 {
		must(w.owner.Exec(ctx, "UPDATE users SET active = role <> 'admin', version = 1 WHERE tenant_id = $1", w.tenant))
		must(w.owner.Exec(ctx, "UPDATE users SET active = true, role = 'admin' WHERE tenant_id = $1 AND id = $2",
			w.tenant, w.admin.UserID))
		pair := []db.Viewer{w.admin, w.secondAdmin(ctx)}
		errs := together(2, func(i int) error { return act(w.Raw, pair[i], pair[1-i]) })
		if err := oneWins(errs, db.NotFound); err != nil {
			return err
		}
	}
	return nil
}

func reactivate(ctx context.Context, s *db.Raw, v db.Viewer) error {
	_, err := s.ReactivateUser(ctx, db.ReactivateUserParams{TenantID: v.TenantID, ID: v.UserID})
	return err
}

func (w *fixture) makeAdmin(ctx context.Context, owner *db.Raw, email string, epoch int64) error {
	_, err := owner.MakeAdmin(ctx, db.MakeAdminParams{
		ID: newID(), Email: email, PasswordHash: "new hash", RequestDigest: digest(email),
		Slug: w.slug(ctx), PasswordEpoch: epoch,
	})
	return err
}

func (w *fixture) slug(ctx context.Context) string {
	return scan[string](ctx, w.owner, "SELECT slug FROM tenants WHERE id = $1", w.tenant)
}

// second returns the error of a call whose value is not needed.
func second[T any](_ T, err error) error { return err }

func renew(ctx context.Context, s *db.Raw, v db.Viewer, old, new string) (int64, error) {
	return s.RenewPasswordHash(ctx, db.RenewPasswordHashParams{
		TenantID: v.TenantID, ID: v.UserID, PasswordHash: old, NewPasswordHash: new,
	})
}

func (w *fixture) passwordEpoch(ctx context.Context, v db.Viewer) int64 {
	return scan[int64](ctx, w.owner, "SELECT password_epoch FROM users WHERE tenant_id = $1 AND id = $2",
		v.TenantID, v.UserID)
}

func (w *fixture) passwordHash(ctx context.Context, v db.Viewer) string {
	return scan[string](ctx, w.owner, "SELECT password_hash FROM users WHERE tenant_id = $1 AND id = $2",
		v.TenantID, v.UserID)
}

func deactivate(ctx context.Context, s *db.Raw, v db.Viewer) error {
	_, err := s.DeactivateUser(ctx, db.DeactivateUserParams{TenantID: v.TenantID, ID: v.UserID})
	return err
}

// Folding an address costs as much as reading a page of users.
func TestAListOfUsersFoldsNoAddressUnlessOneIsAskedFor(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	conn := must(d.Raw.Pool().Acquire(ctx))
	defer conn.Release()
	text := genericPlan(ctx, t, conn.Conn(), w.admin, statements(t)["ListUsers"],
		"admin", w.admin.UserID, 50, nil, nil, nil, w.tenant, endOfTime, uuid.Max, nil)
	var plan []map[string]any
	w.must(json.Unmarshal(text, &plan))
	folds := 0
	var walk func(node map[string]any)
	walk = func(node map[string]any) {
		for _, key := range []string{"Filter", "Index Cond", "Recheck Cond"} {
			if condition, _ := node[key].(string); strings.Contains(condition, "translate(") {
				if folds++; node["Actual Loops"] != 0.0 {
					t.Errorf("a %s is executed: %.200s", node["Node Type"], condition)
				}
			}
		}
		below, _ := node["Plans"].([]any)
		for _, n := range below {
			walk(n.(map[string]any))
		}
	}
	walk(plan[0]["Plan"].(map[string]any))
	if folds == 0 {
		t.Error("the plan has no condition that folds an address")
	}
}
