package db_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"waybill/db"
)

// manyPatients makes patients of many facilities, the first ones of the first facilities. Some are seen by a
// second facility, some of these not by their own any more, and one by many.
func (w *fixture) manyPatients(ctx context.Context) (facilities []uuid.UUID) {
	facilities = w.clinics(ctx, manyFacilities)
	for _, statement := range []string{
		`INSERT INTO patients (tenant_id, id, facility_id, given_name, family_name, birth_date)
			SELECT $1, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
				md5(($1::uuid)::text || 'f' || n / 4)::uuid, 'Quetzal', 'Quetzal', '1931-07-13'
			FROM generate_series(0, 399) AS n`,
		`INSERT INTO patient_facilities (tenant_id, patient_id, facility_id, allowed)
			SELECT p.tenant_id, p.id, p.facility_id, n % 35 <> 5 AND n <> 301
			FROM patients AS p
			CROSS JOIN LATERAL (SELECT ('x' || right(p.id::text, 4))::bit(16)::int AS n) AS k
			WHERE p.tenant_id = $1`,
		`INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
			SELECT p.tenant_id, p.id, md5(($1::uuid)::text || 'f' || (n / 4 + f) % 100)::uuid
			FROM patients AS p
			CROSS JOIN LATERAL (SELECT ('x' || right(p.id::text, 4))::bit(16)::int AS n) AS k
			CROSS JOIN LATERAL generate_series(1, CASE WHEN n = 200 THEN 20 WHEN n % 5 = 0 THEN 1 ELSE 0 END) AS f
			WHERE p.tenant_id = $1`,
		`INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
			SELECT $1, '00000000-0000-7000-8000-00000000012d', md5(($1::uuid)::text || 'f5')::uuid`, // 301
		`UPDATE patients AS p SET allowed_facilities = f.facilities
			FROM (SELECT patient_id, count(*) AS facilities FROM patient_facilities WHERE tenant_id = $1 AND allowed
				GROUP BY patient_id) AS f
			WHERE p.tenant_id = $1 AND p.id = f.patient_id`,
	} {
		must(w.owner.Exec(ctx, statement, w.tenant))
	}
	return facilities
}

// patientListsOfEveryViewer reads, in pages, the lists of staff of no, one, some and many facilities, and
// compares them with the rows.
func patientListsOfEveryViewer(ctx context.Context, w *fixture) error {
	facilities := w.manyPatients(ctx)
	viewers := map[string]db.Viewer{"stranger": w.user(ctx, db.UserRoleStaff)}
	for name, of := range map[string][]uuid.UUID{
		"staff of one": facilities[3:4], "staff of some": facilities[2:9], "staff of the later": facilities[20:],
		"staff of the last": facilities[49:], "staff of all": facilities,
	} {
		viewers[name] = w.staffOf(ctx, of)
	}
	for name, v := range viewers {
		for _, facility := range []*uuid.UUID{nil, &facilities[3], &facilities[60]} {
			if err := w.patientPagesAre(ctx, v, facility); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// patientPagesAre reads a list to its end, and compares it with the rows.
func (w *fixture) patientPagesAre(ctx context.Context, v db.Viewer, facility *uuid.UUID) error {
	var want []uuid.UUID
	w.must(w.owner.QueryRow(ctx, `SELECT coalesce(array_agg(DISTINCT f.patient_id), '{}')
		FROM patient_facilities AS f
		JOIN group_facilities AS g ON g.tenant_id = f.tenant_id AND g.facility_id = f.facility_id
		JOIN group_members AS m ON m.tenant_id = g.tenant_id AND m.group_id = g.group_id
		WHERE f.tenant_id = $1 AND m.user_id = $2 AND f.allowed AND ($3::uuid IS NULL OR f.facility_id = $3)`,
		w.tenant, v.UserID, facility).Scan(&want))
	p := db.ListPatientsParams{TenantID: w.tenant, ViewerID: v.UserID, FacilityID: facility, MaxRows: 7}
	var got []uuid.UUID
	for more := true; more && len(got) <= len(want); {
		rows, err := w.As(v).ListPatients(ctx, p)
		if err != nil {
			return err
		}
		if more = false; len(rows) > int(p.MaxRows) {
			return fmt.Errorf("a page has %d patients", len(rows))
		}
		if len(rows) < int(p.MaxRows) && len(got)+len(rows) < len(want) {
			return fmt.Errorf("a page has %d patients, and is not the last", len(rows))
		}
		for _, r := range rows {
			got, p.AfterID, more = append(got, r.Patient.ID), r.Patient.ID, r.More
		}
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("listed %d patients, want %d: %v, %v", len(got), len(want), got, want)
	}
	return nil
}

// patientListsLookAtFew checks that staff of few facilities look at no others', and that staff of many do not
// look at each if the tenant's next patients are enough.
func patientListsLookAtFew(ctx context.Context, w *fixture) error {
	return w.staffUseNot(ctx, []string{"CTE nearest"}, "CTE places", func(q *db.Queries, v db.Viewer) error {
		_, err := q.ListPatients(ctx, db.ListPatientsParams{TenantID: w.tenant, ViewerID: v.UserID, MaxRows: 7})
		return err
	})
}

// patientSearchesLookAtFew checks the same of a search, whose many facilities are more than 10 here.
func patientSearchesLookAtFew(ctx context.Context, w *fixture) error {
	return w.staffUseNot(ctx, []string{"CTE wide", "CTE places"}, "CTE begun", func(q *db.Queries, v db.Viewer) error {
		_, err := q.FindPatients(ctx, db.FindPatientsParams{TenantID: w.tenant, ViewerID: v.UserID, Name: "quetzal",
			MaxRows: 3, MaxLooks: 200})
		return err
	})
}

// staffUseNot reads as staff of few facilities and of many, and fails if a part of the statement has rows that each
// must not use.
func (w *fixture) staffUseNot(
	ctx context.Context, few []string, many string, read func(*db.Queries, db.Viewer) error,
) error {
	facilities := w.manyPatients(ctx)
	for _, unused := range append([]string{many}, few...) {
		of := facilities
		if unused != many {
			of = facilities[2:9]
		}
		v := w.staffOf(ctx, of)
		var plan node
		err := w.viewed(ctx, v, func(s *db.Raw) error {
			if err := read(w.explained(s, &plan), v); !strings.Contains(fmt.Sprint(err), errExplained.Error()) {
				return err
			}
			return nil
		})
		plan.walk(func(n node) {
			if n.Subplan == unused && n.Rows > 0 {
				err = fmt.Errorf("staff of %d: %s has %.0f rows", len(of), unused, n.Rows)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
