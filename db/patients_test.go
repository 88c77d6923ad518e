package db_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/seed"
)

var patientRaces = []check{
	{"CreatePatient", "a retried request makes a second patient", func(ctx context.Context, w *fixture) error {
		id := newID()
		return w.createdOnce(ctx, func(s *db.Raw) error { return w.createPatient(ctx, s, w.staff, w.newPatient(id)) })
	}},
	{"CreatePatient", "two requests create patients of one external id", func(ctx context.Context, w *fixture) error {
		create := func(externalID string) act {
			return func(s *db.Raw) error {
				p := w.newPatient(newID())
				p.ExternalID = &externalID
				return w.createPatient(ctx, s, w.staff, p)
			}
		}
		return first(
			w.loses(ctx, db.ExternalIDTaken, create("one"), create("one")),
			oneWins(together(manyCallers, func(int) error { return create("two")(w.Raw) }), db.ExternalIDTaken))
	}},
	{"EditPatient", clobbered, func(ctx context.Context, w *fixture) error {
		id := w.patient(ctx)
		return w.editedOnce(ctx, func(s *db.Raw, name string, version int64) error {
			return w.editPatient(ctx, s, w.staff, id, version, func(p *db.EditPatientParams) { p.GivenName = &name })
		})
	}},
	{"EditPatient", "an edit goes through after consent was revoked", func(ctx context.Context, w *fixture) error {
		id, name := w.patient(ctx), "Quetzal's"
		w.allow(ctx, id, w.hidden)
		err := w.loses(ctx, db.NotFound,
			func(s *db.Raw) error {
				_, err := w.disallowFacility(ctx, s, w.staff, id, w.facility)
				return err
			},
			func(s *db.Raw) error {
				return w.editPatient(ctx, s, w.staff, id, 1, func(p *db.EditPatientParams) { p.GivenName = &name })
			})
		if got := scan[string](ctx, w.owner, "SELECT given_name FROM patients WHERE id = $1", id); got == name {
			return errors.New("the edit was written")
		}
		return err
	}},
	{"EditPatient", "two edits give patients one external id", func(ctx context.Context, w *fixture) error {
		edit := func(externalID string) act {
			id := w.patient(ctx)
			return func(s *db.Raw) error {
				return w.editPatient(ctx, s, w.staff, id, 1, func(p *db.EditPatientParams) {
					p.SetExternalID, p.ExternalID = true, &externalID
				})
			}
		}
		edits := make([]act, manyCallers)
		for i := range edits {
			edits[i] = edit("two")
		}
		return first(
			w.loses(ctx, db.ExternalIDTaken, edit("one"), edit("one")),
			oneWins(together(manyCallers, func(i int) error { return edits[i](w.Raw) }), db.ExternalIDTaken))
	}},
}

var patientRules = []check{
	{"GetPatient", "a facility that is not allowed any more reads the patient",
		func(ctx context.Context, w *fixture) error {
			id := w.patient(ctx)
			if err := w.getPatient(ctx, w.Raw, w.staff, id); err != nil {
				return err
			}
			w.disallow(ctx, id, w.facility)
			return first(
				refused(w.getPatient(ctx, w.Raw, w.staff, id), db.NotFound),
				w.audited(ctx, id, 2))
		}},
	{"GetPatient", "a stranger who meets no row-level security reads the patient",
		func(ctx context.Context, w *fixture) error {
			id, owner := w.patient(ctx), w.over(w.owner) // to whom no policy applies
			return first(
				w.getPatient(ctx, owner, w.staff, id),
				refused(w.getPatient(ctx, owner, w.stranger, id), db.NotFound),
				w.audited(ctx, id, 2))
		}},
	{"GetPatient", "a replay takes another request's patient",
		func(ctx context.Context, w *fixture) error {
			p := w.newPatient(newID())
			w.must(w.createPatient(ctx, w.as, w.staff, p))
			again := p
			again.RequestDigest = digest("another")
			_, _, other := w.Store.CreatePatient(ctx, w.staff, again)
			_, replayed, err := w.Store.CreatePatient(ctx, w.staff, p)
			if err == nil && !replayed {
				err = fmt.Errorf("the repeat made another patient")
			}
			return first(err, refused(other, db.IDReused), w.audited(ctx, p.ID, 2))
		}},
	{"EditPatient", "a facility that is not allowed any more edits the patient",
		func(ctx context.Context, w *fixture) error {
			id := w.patient(ctx)
			w.disallow(ctx, id, w.facility)
			name := "Quetzal"
			return refused(w.editPatient(ctx, w.Raw, w.staff, id, 1,
				func(p *db.EditPatientParams) { p.GivenName = &name }), db.NotFound)
		}},
	{"EditPatient", "a viewer of another facility changes an external id",
		func(ctx context.Context, w *fixture) error {
			id, taken := w.patient(ctx), "taken"
			w.must(w.editPatient(ctx, w.as, w.staff, w.patient(ctx), 1,
				func(p *db.EditPatientParams) { p.SetExternalID, p.ExternalID = true, &taken }))
			w.allow(ctx, id, w.hidden)
			w.shows(ctx, w.stranger, w.hidden)
			edit := func(externalID *string, set bool) error {
				given := "Quetzal"
				_, err := w.Store.EditPatient(ctx, w.stranger, db.EditPatientParams{ID: id, Version: 1,
					SetExternalID: set, ExternalID: externalID, GivenName: &given})
				return err
			}
			free := "free"
			return first(
				refused(edit(&taken, true), db.Forbidden), refused(edit(&free, true), db.Forbidden),
				refused(edit(nil, true), db.Forbidden),
				edit(nil, false), refused(edit(&free, true), db.StaleVersion))
		}},
	{"EditPatient", "a denied facility's external id is given to a new patient",
		func(ctx context.Context, w *fixture) error {
			id := w.patient(ctx)
			w.shows(ctx, w.staff, w.hidden)
			w.allow(ctx, id, w.hidden)
			w.disallow(ctx, id, w.facility)
			edit := func(set bool) error {
				given := "Quetzal"
				_, err := w.Store.EditPatient(ctx, w.staff,
					db.EditPatientParams{ID: id, Version: 1, SetExternalID: set, GivenName: &given})
				return err
			}
			return first(refused(edit(true), db.Forbidden), edit(false))
		}},
	{"CreatePatient", "a facility that is denied meets the patient by their ids",
		func(ctx context.Context, w *fixture) error {
			p, external := w.newPatient(newID()), "p1"
			p.ExternalID = &external
			w.must(w.createPatient(ctx, w.as, w.staff, p))
			w.disallow(ctx, p.ID, w.facility)
			create := func(p db.CreatePatientParams) error {
				row, replayed, err := w.Store.CreatePatient(ctx, w.staff, p)
				if replayed || row.GivenName != "" {
					return errors.New("the patient was shown")
				}
				return err
			}
			byID := p
			byID.ExternalID = nil
			byExternalID := p
			byExternalID.ID = newID()
			return first(
				refused(create(p), db.IDReused), // who created them may have been another facility's
				refused(create(byID), db.IDReused),
				refused(create(byExternalID), db.ExternalIDTaken),
				w.audited(ctx, p.ID, 1))
		}},
	{"GetPickupPatient", "a facility that is not allowed any more reads a pickup's patient",
		func(ctx context.Context, w *fixture) error {
			id := w.patient(ctx)
			pickup := w.pickup(ctx, func(d *db.Draft) { d.PatientID = &id })
			if err := w.getPickupPatient(ctx, w.Raw, w.staff, pickup); err != nil {
				return err
			}
			w.disallow(ctx, id, w.facility)
			return first(refused(w.getPickupPatient(ctx, w.Raw, w.staff, pickup), db.NotFound),
				w.audited(ctx, id, 3)) // the creates too
		}},
	{"GetPickupPatient", "a viewer of the patient alone reads the pickup's patient",
		func(ctx context.Context, w *fixture) error {
			id := w.patient(ctx)
			pickup := w.pickup(ctx, func(d *db.Draft) { d.PatientID = &id })
			w.allow(ctx, id, w.hidden)
			w.shows(ctx, w.stranger, w.hidden)
			return first(
				w.getPatient(ctx, w.Raw, w.stranger, id),
				refused(w.getPickupPatient(ctx, w.Raw, w.stranger, pickup), db.NotFound))
		}},
	{"CreatePickups", "a pickup is created for a patient hidden from its creator",
		func(ctx context.Context, w *fixture) error {
			id := w.patient(ctx)
			create := func(v db.Viewer) error {
				_, _, err := w.CreateDrafts(ctx, v,
					[]db.Draft{w.draft(), w.draft(func(d *db.Draft) { d.PatientID = &id })})
				return err
			}
			return first(refused(create(w.dispatcher), db.PatientNotFound), create(w.staff))
		}},
	{"EditPickup", "an edit names a patient hidden from its editor",
		func(ctx context.Context, w *fixture) error {
			id, pickup := w.patient(ctx), w.pickup(ctx)
			edit := func(version int64) error {
				_, err := w.EditPickup(ctx, db.EditPickupParams{
					TenantID: w.tenant, ID: pickup, Version: version, ViewerID: w.staff.UserID,
					SetPatientID: true, PatientID: &id,
				})
				return err
			}
			if err := edit(1); err != nil {
				return err
			}
			w.disallow(ctx, id, w.facility)
			return refused(edit(2), db.NotFound)
		}},
	{"ListPatients", "a list is in the order of ids, whole, once each, and recorded as shown",
		func(ctx context.Context, w *fixture) error {
			w.shows(ctx, w.staff, w.hidden)
			var all []uuid.UUID
			for i := range 9 {
				facility := []uuid.UUID{w.facility, w.hidden}[i%2]
				p := w.newPatient(uuid.New()) // the key's order is not the order they come in
				p.FacilityID = facility
				w.must(w.createPatient(ctx, w.as, w.staff, p))
				all = append(all, p.ID)
				if i%3 == 0 { // seen in two ways
					w.allow(ctx, p.ID, w.facility)
				}
			}
			slices.SortFunc(all, compareIDs)
			var got []uuid.UUID
			for after, more := uuid.Nil, true; more && len(got) < 20; {
				rows, err := w.As(w.staff).ListPatients(ctx,
					db.ListPatientsParams{TenantID: w.tenant, ViewerID: w.staff.UserID, AfterID: after, MaxRows: 2})
				if err != nil {
					return err
				}
				more = false
				for _, r := range rows {
					got, after, more = append(got, r.Patient.ID), r.Patient.ID, r.More
				}
			}
			if !slices.Equal(got, all) {
				return fmt.Errorf("listed %v, want %v", got, all)
			}
			for _, id := range all {
				if err := w.audited(ctx, id, 2); err != nil {
					return err
				}
			}
			listed := func(facility uuid.UUID, want int) error {
				rows, err := w.As(w.staff).ListPatients(ctx, db.ListPatientsParams{TenantID: w.tenant,
					ViewerID: w.staff.UserID, FacilityID: &facility, MaxRows: 100})
				if err == nil && len(rows) != want {
					err = fmt.Errorf("one facility lists %d patients, want %d", len(rows), want)
				}
				return err
			}
			if err := listed(w.hidden, 4); err != nil {
				return err
			}
			id := w.patient(ctx)
			w.allow(ctx, id, w.hidden)
			w.disallow(ctx, id, w.facility)
			return first(listed(w.hidden, 5), listed(w.facility, 6)) // five of its own, and one that allows it
		}},
	{"RecordDryRun", "a dry run is recorded, also of whom its viewer does not see, but not of whom it has made",
		func(ctx context.Context, w *fixture) error {
			shown := []uuid.UUID{w.patient(ctx), newID()}
			err := w.As(w.stranger).RecordDryRun(ctx, db.RecordDryRunParams{TenantID: w.tenant,
				ViewerID: w.stranger.UserID, PatientIds: shown, Operations: fill(2, "edit-patient")})
			recorded := scan[[]uuid.UUID](ctx, w.owner, `SELECT array_agg(patient_id) FROM phi_reads
				WHERE tenant_id = $1 AND operation = 'edit-patient?dry_run=true'`, w.tenant)
			if err == nil && !slices.Equal(recorded, shown[:1]) {
				err = fmt.Errorf("recorded are reads of %v, want %v", recorded, shown[:1])
			}
			return err
		}},
	{"ListPatients", "a list of patients is not what its viewer sees", patientListsOfEveryViewer},
	{"FindPatients", "a search of patients is not what its viewer sees", patientSearchesOfEveryViewer},
	{"FindPatients", "a search of patients ends where it first looked", patientSearchesLookAgain},
	{"FindPatients", "a search finds others than are asked for", patientsAreFoundByWhatIsAskedFor},
	{"ListPatients", "a list of patients looks at more than it needs", patientListsLookAtFew},
	{"FindPatients", "a search of patients looks at more than it needs", patientSearchesLookAtFew},
}

func compareIDs(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }

// newPatient returns the parameters of a patient of the fixture's facility.
func (w *fixture) newPatient(id uuid.UUID) db.CreatePatientParams {
	birth, err := db.ParseDate("1931-07-13")
	w.must(err)
	return db.CreatePatientParams{
		ID: id, FacilityID: w.facility, GivenName: "Quetzal", FamilyName: "Quetzal",
		BirthDate: birth, RequestDigest: digest("patient"),
	}
}

// createPatient runs only the statement: it returns no row if it lost.
func (w *fixture) createPatient(ctx context.Context, s *db.Raw, v db.Viewer, p db.CreatePatientParams) error {
	p.TenantID, p.ViewerID = v.TenantID, v.UserID
	_, err := s.As(v).CreatePatient(ctx, p)
	return err
}

// patient makes a patient of the facility, without an external id.
func (w *fixture) patient(ctx context.Context) (id uuid.UUID) {
	w.make(ctx, func(r *seed.Rows) { id = r.Patient(w.facility, w.staff) })
	return id
}

// appointment makes an appointment of an hour, from now on.
func (w *fixture) appointment(ctx context.Context, id, patient uuid.UUID) {
	w.make(ctx, func(r *seed.Rows) {
		r.Appointment(seed.Appointment{ID: id, Patient: patient, ExternalID: id.String(), StartsAt: time.Now()})
	})
}

func (w *fixture) editPatient(
	ctx context.Context, s *db.Raw, v db.Viewer, id uuid.UUID, version int64, edit func(*db.EditPatientParams),
) error {
	p := db.EditPatientParams{TenantID: v.TenantID, ID: id, Version: version, ViewerID: v.UserID}
	edit(&p)
	_, err := s.As(v).EditPatient(ctx, p)
	return err
}

func (w *fixture) getPatient(ctx context.Context, s *db.Raw, v db.Viewer, id uuid.UUID) error {
	_, err := s.As(v).
		GetPatient(ctx, db.GetPatientParams{TenantID: v.TenantID, ID: id, ViewerID: v.UserID, Operation: "get-patient"})
	return err
}

func (w *fixture) getPickupPatient(ctx context.Context, s *db.Raw, v db.Viewer, pickup uuid.UUID) error {
	_, err := s.As(v).GetPickupPatient(ctx, db.GetPickupPatientParams{
		TenantID: v.TenantID, PickupID: pickup, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
	})
	return err
}

// audited returns an error unless the patient was recorded as shown this often, their create included.
func (w *fixture) audited(ctx context.Context, patient uuid.UUID, want int) error {
	if n := scan[int](ctx, w.owner, "SELECT count(*) FROM phi_reads WHERE tenant_id = $1 AND patient_id = $2",
		w.tenant, patient); n != want {
		return fmt.Errorf("%d reads are recorded, want %d", n, want)
	}
	return nil
}

// shows gives the viewer access to the facility by a new group.
func (w *fixture) shows(ctx context.Context, v db.Viewer, facility uuid.UUID) {
	w.make(ctx, func(r *seed.Rows) {
		group := r.Group()
		r.Members(group, v.UserID)
		r.Shows(group, facility)
	})
}

func (w *fixture) allow(ctx context.Context, patient, facility uuid.UUID) {
	must(w.owner.Exec(ctx, `WITH allowed AS (
			INSERT INTO patient_facilities AS f (tenant_id, patient_id, facility_id) VALUES ($1, $2, $3)
			ON CONFLICT (tenant_id, patient_id, facility_id) DO UPDATE SET allowed = true, version = f.version + 1
			    WHERE NOT f.allowed
			RETURNING *)
		UPDATE patients AS p SET allowed_facilities = coalesce(p.allowed_facilities, 0) + 1
		FROM allowed AS a WHERE p.tenant_id = a.tenant_id AND p.id = a.patient_id`, w.tenant, patient, facility))
}

// disallow withdraws a consent, even the last one, as was possible before.
func (w *fixture) disallow(ctx context.Context, patient, facility uuid.UUID) {
	must(w.owner.Exec(ctx, `WITH denied AS (
			UPDATE patient_facilities SET allowed = false, version = version + 1
			WHERE tenant_id = $1 AND patient_id = $2 AND facility_id = $3 AND allowed
			RETURNING *)
		UPDATE patients AS p SET allowed_facilities = nullif(p.allowed_facilities - 1, 0)
		FROM denied AS d WHERE p.tenant_id = d.tenant_id AND p.id = d.patient_id`, w.tenant, patient, facility))
}
