package db_test

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

var patientFacilityRaces = []check{
	{"AllowFacility", "a facility allowed twice", func(ctx context.Context, w *fixture) error {
		id := w.patient(ctx)
		return first(
			w.countedOnce(func(s *db.Raw) (int64, error) { return w.allowFacility(ctx, s, w.staff, id, w.hidden) }),
			w.consented(ctx, id, 1))
	}},
	{"AllowFacility", "a consent to an unknown facility", func(ctx context.Context, w *fixture) error {
		id := w.patient(ctx)
		_, err := w.allowFacility(ctx, w.Raw, w.staff, id, newID())
		return first(refused(err, db.FacilityNotFound), w.consented(ctx, id, 0))
	}},
	{"DisallowFacility", "a facility disallowed twice", func(ctx context.Context, w *fixture) error {
		id := w.patient(ctx)
		w.allow(ctx, id, w.hidden)
		return first(
			w.countedOnce(func(s *db.Raw) (int64, error) {
				return w.disallowFacility(ctx, s, w.staff, id, w.hidden)
			}),
			w.consented(ctx, id, 1))
	}},
	{"DisallowFacility", "the last two facilities of a patient are disallowed at once",
		func(ctx context.Context, w *fixture) error {
			w.shows(ctx, w.staff, w.hidden)
			disallow := func(patient, facility uuid.UUID) act {
				return func(s *db.Raw) error {
					_, err := w.disallowFacility(ctx, s, w.staff, patient, facility)
					return err
				}
			}
			id, other, third := w.patient(ctx), w.patient(ctx), w.patient(ctx)
			for _, patient := range []uuid.UUID{id, other, third} {
				w.allow(ctx, patient, w.hidden)
			}
			err := first(
				w.loses(ctx, db.LastFacility, disallow(id, w.facility), disallow(id, w.hidden)),
				w.wins(ctx, rollback, disallow(third, w.facility), disallow(third, w.hidden)))
			if err != nil {
				return err
			}
			facilities := []uuid.UUID{w.facility, w.hidden}
			errs := together(manyCallers, func(i int) error {
				err := disallow(other, facilities[i%2])(w.Raw)
				if code(err) == db.LastFacility {
					err = nil // the other one is left, whoever came first
				}
				return err
			})
			return first(append(errs, w.seenBy(ctx, id, 1), w.seenBy(ctx, other, 1),
				w.consented(ctx, id, 1), w.consented(ctx, other, 1))...)
		}},
	{"AllowFacility", outOfOrder, func(ctx context.Context, w *fixture) error { return w.consentsInOrder(ctx, true) }},
	{"DisallowFacility", outOfOrder,
		func(ctx context.Context, w *fixture) error { return w.consentsInOrder(ctx, false) }},
}

const outOfOrder = "events of consents are out of order"

// consentsInOrder has a consent begin before others and take effect after them. Then many run at once; the
// invariants compare the newest one with the access.
func (w *fixture) consentsInOrder(ctx context.Context, last bool) error {
	id := w.patient(ctx)
	change := func(s *db.Raw, allowed bool) error {
		var err error
		if allowed {
			_, err = w.allowFacility(ctx, s, w.staff, id, w.hidden)
		} else {
			_, err = w.disallowFacility(ctx, s, w.staff, id, w.hidden)
		}
		return err
	}
	newest := func(want bool) error {
		rows, err := w.ListConsents(ctx,
			db.ListConsentsParams{TenantID: w.tenant, PatientID: id, BeforeSeq: 1 << 62, MaxRows: 1})
		if err == nil && (len(rows) != 1 || rows[0].Allowed != want) {
			err = fmt.Errorf("the newest consent is %+v, while the facility's is %v", rows, want)
		}
		at := scan[bool](ctx, w.owner, `SELECT allowed FROM patient_consents WHERE tenant_id = $1 AND patient_id = $2
			ORDER BY created_at DESC LIMIT 1`, w.tenant, id)
		if err == nil && at != want {
			err = fmt.Errorf("the latest consent is %v, while the facility's is %v", at, want)
		}
		return err
	}
	err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		must(tx.Exec(ctx, "SELECT 1")) // when now() is
		if err := first(change(w.Raw, last), change(w.Raw, !last)); err != nil {
			return err
		}
		return change(w.over(tx), last)
	})
	if err := first(err, newest(last)); err != nil {
		return err
	}
	for range 5 {
		errs := together(manyCallers, func(i int) error { return change(w.Raw, i%2 == 0) })
		holds := scan[bool](ctx, w.owner,
			"SELECT allowed FROM patient_facilities WHERE tenant_id = $1 AND patient_id = $2 AND facility_id = $3",
			w.tenant, id, w.hidden)
		if err := first(append(errs, newest(holds))...); err != nil {
			return err
		}
	}
	return nil
}

var patientFacilityRules = []check{
	{"AllowFacility", "who does not see the patient allows a facility", func(ctx context.Context, w *fixture) error {
		id := w.patient(ctx)
		n, err := w.allowFacility(ctx, w.Raw, w.stranger, id, w.hidden)
		return first(none(n, err), w.consented(ctx, id, 0))
	}},
	{"DisallowFacility", "who does not see the patient disallows a facility",
		func(ctx context.Context, w *fixture) error {
			id := w.patient(ctx)
			n, err := w.disallowFacility(ctx, w.Raw, w.stranger, id, w.facility)
			return first(none(n, err), w.consented(ctx, id, 0))
		}},
	{"AllowFacility", "a facility that was denied allows itself", func(ctx context.Context, w *fixture) error {
		id := w.patient(ctx)
		w.allow(ctx, id, w.hidden)
		w.disallow(ctx, id, w.facility)
		n, err := w.allowFacility(ctx, w.Raw, w.staff, id, w.facility)
		return first(none(n, err), w.seenBy(ctx, id, 1), w.consented(ctx, id, 0))
	}},
	{"DisallowFacility", "nobody is left who sees the patient", func(ctx context.Context, w *fixture) error {
		id := w.patient(ctx)
		disallow := func(facility uuid.UUID) error {
			_, err := w.disallowFacility(ctx, w.Raw, w.staff, id, facility)
			return err
		}
		return first(
			disallow(w.hidden), // never allowed: nobody loses access
			refused(disallow(w.facility), db.LastFacility),
			w.seenBy(ctx, id, 1), w.consented(ctx, id, 1))
	}},
}

// seenBy returns an error unless this many facilities see the patient.
func (w *fixture) seenBy(ctx context.Context, patient uuid.UUID, want int) error {
	n := scan[int](ctx, w.owner,
		"SELECT count(*) FROM patient_facilities WHERE tenant_id = $1 AND patient_id = $2 AND allowed",
		w.tenant, patient)
	if n != want {
		return fmt.Errorf("%d facilities see the patient, want %d", n, want)
	}
	return nil
}

func none(n int64, err error) error {
	if err == nil && n != 0 {
		return fmt.Errorf("%d rows were written", n)
	}
	return err
}

func (w *fixture) allowFacility(
	ctx context.Context, s *db.Raw, v db.Viewer, patient, facility uuid.UUID,
) (int64, error) {
	return s.As(v).AllowFacility(ctx,
		db.AllowFacilityParams{TenantID: v.TenantID, PatientID: patient, FacilityID: facility, ViewerID: v.UserID})
}

func (w *fixture) disallowFacility(
	ctx context.Context, s *db.Raw, v db.Viewer, patient, facility uuid.UUID,
) (int64, error) {
	return s.As(v).DisallowFacility(ctx,
		db.DisallowFacilityParams{TenantID: v.TenantID, PatientID: patient, FacilityID: facility, ViewerID: v.UserID})
}

// consented returns an error unless this many consents were recorded.
func (w *fixture) consented(ctx context.Context, patient uuid.UUID, want int) error {
	if n := scan[int](ctx, w.owner, "SELECT count(*) FROM patient_consents WHERE tenant_id = $1 AND patient_id = $2",
		w.tenant, patient); n != want {
		return fmt.Errorf("%d consents are recorded, want %d", n, want)
	}
	return nil
}
