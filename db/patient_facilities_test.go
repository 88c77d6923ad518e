package db_test

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"waybill/db"
)

var patientFacilityRaces = []check{
	{"AllowFacility", "a facility allowed twice", func(ctx context.Context, w *world) error {
		id := w.patient(ctx)
		return first(
			w.countedOnce(func(s *db.Store) (int64, error) { return w.allowFacility(ctx, s, w.staff, id, w.hidden) }),
			w.consented(ctx, id, 1))
	}},
	{"AllowFacility", "a consent to a facility that does not exist", func(ctx context.Context, w *world) error {
		id := w.patient(ctx)
		_, err := w.allowFacility(ctx, w.Store, w.staff, id, newID())
		return first(refused(err, db.FacilityNotFound), w.consented(ctx, id, 0))
	}},
	{"DisallowFacility", "a facility disallowed twice", func(ctx context.Context, w *world) error {
		id := w.patient(ctx)
		w.allow(ctx, id, w.hidden)
		return first(
			w.countedOnce(func(s *db.Store) (int64, error) { return w.disallowFacility(ctx, s, w.staff, id, w.hidden) }),
			w.consented(ctx, id, 1))
	}},
}

var patientFacilityRules = []check{
	{"AllowFacility", "who does not see the patient allows a facility", func(ctx context.Context, w *world) error {
		id := w.patient(ctx)
		n, err := w.allowFacility(ctx, w.Store, w.stranger, id, w.hidden)
		return first(none(n, err), w.consented(ctx, id, 0))
	}},
	{"DisallowFacility", "who does not see the patient disallows a facility", func(ctx context.Context, w *world) error {
		id := w.patient(ctx)
		n, err := w.disallowFacility(ctx, w.Store, w.stranger, id, w.facility)
		return first(none(n, err), w.consented(ctx, id, 0))
	}},
}

func none(n int64, err error) error {
	if err == nil && n != 0 {
		return fmt.Errorf("%d rows were written", n)
	}
	return err
}

func (w *world) allowFacility(ctx context.Context, s *db.Store, v db.Viewer, patient, facility uuid.UUID) (int64, error) {
	return s.As(v).AllowFacility(ctx, db.AllowFacilityParams{TenantID: v.TenantID, PatientID: patient, FacilityID: facility, ViewerID: v.UserID})
}

func (w *world) disallowFacility(ctx context.Context, s *db.Store, v db.Viewer, patient, facility uuid.UUID) (int64, error) {
	return s.As(v).DisallowFacility(ctx, db.DisallowFacilityParams{TenantID: v.TenantID, PatientID: patient, FacilityID: facility, ViewerID: v.UserID})
}

// consented says whether this many consents were recorded.
func (w *world) consented(ctx context.Context, patient uuid.UUID, want int) error {
	if n := scan[int](ctx, w.owner, "SELECT count(*) FROM patient_consents WHERE tenant_id = $1 AND patient_id = $2", w.tenant, patient); n != want {
		return fmt.Errorf("%d consents are recorded, want %d", n, want)
	}
	return nil
}
