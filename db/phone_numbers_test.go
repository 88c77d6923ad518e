package db_test

import (
	"context"

	"github.com/google/uuid"

	"waybill/db"
)

var phoneNumberRaces = []check{
	{"CreatePhoneNumber", "a retried request makes a second number", func(ctx context.Context, w *fixture) error {
		id := newID()
		return w.createdOnce(ctx, func(s *db.Raw) error { return addNumber(ctx, s, w.staff, id, "+14155550123") })
	}},
	{"CreatePhoneNumber", "one number belongs to two users", func(ctx context.Context, w *fixture) error {
		if err := w.loses(ctx, db.PhoneNumberTaken,
			func(s *db.Raw) error { return addNumber(ctx, s, w.staff, newID(), "+14155550123") },
			func(s *db.Raw) error { return addNumber(ctx, s, w.hub, newID(), "+14155550123") },
		); err != nil {
			return err
		}
		return oneWins(together(manyCallers, func(i int) error {
			return addNumber(ctx, w.Raw, []db.Viewer{w.staff, w.hub, w.admin}[i%3], newID(), "+14155550199")
		}), db.PhoneNumberTaken)
	}},
	{"CreatePhoneNumber", "a number is added to an unknown user", func(ctx context.Context, w *fixture) error {
		nobody := db.Viewer{TenantID: w.tenant, UserID: newID()}
		return refused(addNumber(ctx, w.Raw, nobody, newID(), "+14155550123"), db.UserNotFound)
	}},
	{"DeletePhoneNumber", "a number removed twice", func(ctx context.Context, w *fixture) error {
		id := newID()
		w.must(addNumber(ctx, w.as, w.staff, id, "+14155550123"))
		return w.countedOnce(func(s *db.Raw) (int64, error) {
			return s.DeletePhoneNumber(ctx,
				db.DeletePhoneNumberParams{TenantID: w.tenant, UserID: w.staff.UserID, ID: id})
		})
	}},
}

func addNumber(ctx context.Context, s *db.Raw, v db.Viewer, id uuid.UUID, number string) error {
	_, err := s.CreatePhoneNumber(ctx, db.CreatePhoneNumberParams{
		TenantID: v.TenantID, ID: id, UserID: v.UserID, Number: number, RequestDigest: digest(number),
	})
	return err
}
