package db_test

import (
	"context"

	"waybill/db"
)

var accountRaces = []check{
	{"CreateAccount", "a retried request makes a second account", func(ctx context.Context, w *fixture) error {
		return w.createdOnce(ctx, func(s *db.Raw) error {
			_, err := s.CreateAccount(ctx, db.CreateAccountParams{
				TenantID: w.tenant, ID: w.admin.UserID, Name: "Account", Currency: "USD", RequestDigest: digest("same"),
			})
			return err
		})
	}},
	{"EditAccount", clobbered, func(ctx context.Context, w *fixture) error {
		return w.editedOnce(ctx, func(s *db.Raw, name string, version int64) error {
			_, err := s.EditAccount(ctx,
				db.EditAccountParams{TenantID: w.tenant, ID: w.account, Name: &name, Version: version})
			return err
		})
	}},
}

const clobbered = "an edit overwrites an unseen edit"

// createdOnce has callers repeat one create: one makes the row, the others get no
// row, so that a fresh read can compare the request, and no error.
func (w *fixture) createdOnce(ctx context.Context, create act) error {
	if err := w.loses(ctx, db.NotFound, create, create); err != nil {
		return err
	}
	return someWin(0, together(manyCallers, func(int) error { return create(w.Raw) }), db.NotFound)
}

// editedOnce has callers edit the same version of a row: one wins, the others
// match none.
func (w *fixture) editedOnce(ctx context.Context, edit func(s *db.Raw, name string, version int64) error) error {
	if err := w.loses(ctx, db.NotFound,
		func(s *db.Raw) error { return edit(s, "first", 1) },
		func(s *db.Raw) error { return edit(s, "second", 1) },
	); err != nil {
		return err
	}
	return oneWins(together(manyCallers, func(int) error { return edit(w.Raw, "next", 2) }), db.NotFound)
}
