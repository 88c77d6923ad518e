package db_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
)

// guarded are the tables with row-level security, each with the rows that a fixture has of the facility that
// staff see (1) and of the hidden one (1).
var guarded = []string{"patients", "patient_facilities", "appointments"}

// wards makes a fixture with a patient and an appointment at each of its facilities.
func wards(ctx context.Context, d *database) (w *fixture, seen, hidden uuid.UUID) {
	w = d.fixture(ctx)
	seen, hidden = w.patient(ctx), newID()
	must(w.owner.Exec(ctx, `WITH p AS (
			INSERT INTO patients SELECT tenant_id, $3, $4, external_id, given_name, family_name, birth_date
			    FROM patients WHERE tenant_id = $1 AND id = $2)
		INSERT INTO patient_facilities VALUES ($1, $3, $4)`, w.tenant, seen, hidden, w.hidden))
	w.appointment(ctx, newID(), seen)
	w.appointment(ctx, newID(), hidden)
	return w, seen, hidden
}

// count runs the statement unchanged, with no predicate of its own, and returns how many rows it has shown
// or written.
func count(ctx context.Context, q db.DBTX, statement string, args ...any) (int64, error) {
	tag, err := q.Exec(ctx, statement, args...)
	return tag.RowsAffected(), err
}

func TestStatementThatForgotItsPredicateShowsNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w, _, _ := wards(ctx, d)
	other, _, _ := wards(ctx, d)
	in := func(v db.Viewer, tenant uuid.UUID) db.Viewer { v.TenantID = tenant; return v }
	for name, c := range map[string]struct {
		q    db.DBTX
		want int64
	}{
		"no viewer":               {d.DBTX(), 0},
		"no ids":                  {d.As(db.SystemViewer(uuid.Nil, uuid.Nil, "")).DBTX(), 0},
		"who sees one facility":   {d.As(w.staff).DBTX(), 1},
		"their neighbour":         {d.As(other.staff).DBTX(), 1},
		"a viewer without groups": {d.As(w.stranger).DBTX(), 0},
		"an admin in no group":    {d.As(w.admin).DBTX(), 0},
		"staff in another tenant": {d.As(in(w.staff, other.tenant)).DBTX(), 0},
	} {
		for _, table := range guarded {
			for _, statement := range []string{"SELECT * FROM " + table, "SELECT FROM " + table + " FOR KEY SHARE"} {
				if n, err := count(ctx, c.q, statement); err != nil || n != c.want {
					t.Errorf("%s by %s: %d rows, %v; want %d", statement, name, n, err, c.want)
				}
			}
		}
		for _, statement := range []string{
			"UPDATE patients SET version = version + 1", "UPDATE appointments SET updated_at = now()",
		} {
			if n, err := count(ctx, c.q, statement); err != nil || n != c.want {
				t.Errorf("%s by %s: %d rows, %v; want %d", statement, name, n, err, c.want)
			}
		}
	}
	if n, err := count(ctx, d.As(w.staff).DBTX(),
		"UPDATE patient_facilities SET version = version + 1"); err != nil || n != 1 {
		t.Errorf("UPDATE: %d rows, %v", n, err)
	}
	for _, table := range guarded {
		if n := scan[int](ctx, w.owner, "SELECT count(*) FROM "+table); n < 3 {
			t.Errorf("%s has %d rows: the test is void", table, n)
		}
	}
}

// The patients who deny a facility are visible to viewers of that facility, by the patients' ids in its
// own records.
func TestDenialsAreShownToTheFacilityAlone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w, seen, hidden := wards(ctx, d)
	other, _, _ := wards(ctx, d)
	w.allow(ctx, seen, w.hidden)
	w.disallow(ctx, seen, w.facility)
	w.allow(ctx, hidden, w.facility)
	w.disallow(ctx, hidden, w.facility) // whose records do not know them
	for name, c := range map[string]struct {
		v    db.Viewer
		want int64
	}{
		"a viewer of the facility": {w.staff, 1}, "a viewer without groups": {w.stranger, 0},
		"an admin in no group": {w.admin, 0},
		"another tenant's":     {other.staff, 0}, "no viewer": {db.SystemViewer(uuid.Nil, uuid.Nil, ""), 0},
	} {
		if n, err := count(ctx, d.As(c.v).DBTX(), "SELECT * FROM denied_feed_patients"); err != nil || n != c.want {
			t.Errorf("%s: %d rows, %v; want %d", name, n, err, c.want)
		}
		for _, table := range []string{"patients", "patient_facilities"} {
			if n, err := count(ctx, d.As(c.v).DBTX(), "SELECT * FROM "+table); err != nil ||
				n != 0 && c.v.TenantID == w.tenant {
				t.Errorf("%s by %s: %d rows, %v", table, name, n, err)
			}
		}
	}
}

// A written row must be visible to the viewer, too.
func TestStatementThatForgotItsPredicateWritesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w, seen, hidden := wards(ctx, d)
	other, theirs, _ := wards(ctx, d)
	const (
		patient = "INSERT INTO patients (tenant_id, id, facility_id, given_name, family_name, birth_date) VALUES " +
			"($1, $2, $3, 'Q', 'Q', '1931-07-13')"
		met         = "INSERT INTO patient_facilities (tenant_id, patient_id, facility_id) VALUES ($1, $2, $3)"
		appointment = `INSERT INTO appointments (tenant_id, facility_id, patient_id, external_id, starts_at, ends_at,
    status)
			VALUES ($1, $3, $2, 'new', now(), now() + interval '1 hour', 'BOOKED')`
		moved = "UPDATE appointments SET facility_id = $3 WHERE tenant_id = $1 AND patient_id = $2"
	)
	defer func() { // patients without a facility that sees them, and one with two
		must(w.owner.Exec(context.WithoutCancel(ctx), `UPDATE patients AS p SET allowed_facilities = nullif((
			SELECT count(*) FROM patient_facilities AS f WHERE f.tenant_id = p.tenant_id AND f.patient_id = p.id), 0)`))
	}()
	for _, c := range []struct {
		what string
		by   db.DBTX
		sql  string
		args []any
		ok   bool
	}{
		{"a patient without a viewer", d.DBTX(), patient, []any{w.tenant, newID(), w.facility}, false},
		{"a patient at a facility not seen", d.As(w.staff).DBTX(), patient, []any{w.tenant, newID(), w.hidden}, false},
		{"a patient in another tenant", d.As(w.staff).DBTX(), patient,
			[]any{other.tenant, newID(), other.facility}, false},
		{"a patient by who sees nothing", d.As(w.stranger).DBTX(), patient,
			[]any{w.tenant, newID(), w.facility}, false},
		{"a patient", d.As(w.staff).DBTX(), patient, []any{w.tenant, newID(), w.facility}, true},
		{"a hidden patient shown to a hidden facility", d.As(w.staff).DBTX(),
			met, []any{w.tenant, hidden, newID()}, false},
		{"a patient of another tenant shown", d.As(w.staff).DBTX(), met,
			[]any{other.tenant, theirs, other.hidden}, false},
		{"a patient shown without a viewer", d.DBTX(), met, []any{w.tenant, seen, w.hidden}, false},
		{"a patient shown", d.As(w.staff).DBTX(), met, []any{w.tenant, seen, w.hidden}, true},
		{"an appointment at a facility not seen", d.As(w.staff).DBTX(), appointment,
			[]any{w.tenant, hidden, w.hidden}, false},
		{"an appointment moved to a facility not seen", d.As(w.staff).DBTX(),
			moved, []any{w.tenant, seen, w.hidden}, false},
		{"an appointment without a viewer", d.DBTX(), appointment, []any{w.tenant, seen, w.facility}, false},
		{"an appointment", d.As(w.staff).DBTX(), appointment, []any{w.tenant, seen, w.facility}, true},
	} {
		_, err := count(ctx, c.by, c.sql, c.args...)
		var refused *pgconn.PgError
		switch {
		case c.ok && err != nil:
			t.Errorf("%s: %v", c.what, err)
		case !c.ok && (!errors.As(err, &refused) || refused.Code != "42501"):
			t.Errorf("%s: got %v, want 42501", c.what, err)
		}
	}
}

// A mutant shows or writes rows for any viewer.
func anyViewer(t *testing.T) (all []*mutant) {
	t.Helper()
	for query, sql := range statements(t) {
		switch query {
		case "EditPatient", "AllowFacility", "DisallowFacility":
			at := viewerKey.FindStringIndex(sql)
			if at == nil {
				t.Fatalf("%s names no viewer", query)
			}
			all = append(all, &mutant{query, "its viewer", sql,
				sql[:at[0]] + "(" + sql[at[0]:at[1]] + " OR true)" + sql[at[1]:]})
		}
	}
	return all
}

var viewerKey = regexp.MustCompile(`v\.user_id = \$\d+::uuid`)

// The generated queries, each without its own predicate on the viewer.
func TestQueryWithoutItsPredicateIsHeldByRowLevelSecurity(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w, seen, hidden := wards(ctx, d)
	name := "Quetzal"
	tried := 0
	for _, m := range slices.Concat(mutants(t), anyViewer(t)) {
		if !strings.Contains(m.what, "patient_viewers") && m.what != "its viewer" {
			continue
		}
		w := *w
		w.on(m)
		for _, v := range []db.Viewer{w.stranger, w.staff} {
			var err error
			switch m.query {
			case "GetPatient":
				err = w.getPatient(ctx, w.Raw, v, hidden)
			case "EditPatient":
				err = w.editPatient(ctx, w.Raw, v, hidden, 1, func(p *db.EditPatientParams) { p.GivenName = &name })
			case "DisallowFacility":
				var n int64
				if n, err = w.disallowFacility(ctx, w.Raw, v, hidden, w.hidden); err == nil && n == 0 {
					err = pgx.ErrNoRows
				} else if failed(err, "42501") == nil { // the upsert that meets the hidden row
					err = pgx.ErrNoRows
				}
			case "AllowFacility":
				var n int64
				if n, err = w.allowFacility(ctx, w.Raw, v, hidden,
					w.facility); err == nil && n == 0 || failed(err, "42501") == nil {
					err = pgx.ErrNoRows
				}
			case "GetPickupPatient":
				pickup := w.pickup(ctx)
				must(w.owner.Exec(ctx, "UPDATE pickups SET patient_id = $2 WHERE id = $1", pickup, hidden))
				err = w.getPickupPatient(ctx, w.Raw, v, pickup)
			default:
				continue
			}
			tried++
			if refused(err, db.NotFound) != nil {
				t.Errorf("%s without %s: %v", m.query, m.what, err)
			}
		}
	}
	if tried != 10 {
		t.Errorf("%d tries, want five queries by two viewers", tried)
	}
	if n := scan[int](ctx, w.owner, "SELECT count(*) FROM patient_consents"); n != 0 {
		t.Errorf("%d consents", n)
	}
	w.must(w.audited(ctx, hidden, 0))
	w.must(w.audited(ctx, seen, 1)) // when they were created
}

// isNobody checks that the next statement has no viewer, and returns its connection's backend.
func isNobody(t *testing.T, s *db.Raw, after string) (pid uint32) {
	t.Helper()
	var rows int
	var tenant, viewer string
	must(0, s.DBTX().QueryRow(t.Context(), `SELECT (SELECT count(*) FROM patients), pg_backend_pid(),
		coalesce(current_setting('waybill.tenant_id', true), ''),
		    coalesce(current_setting('waybill.viewer_id', true), '')`).Scan(&rows, &pid, &tenant, &viewer))
	if rows != 0 || tenant != "" || viewer != "" {
		t.Errorf("after %s, the next one is %q of %q and sees %d", after, viewer, tenant, rows)
	}
	return pid
}

// The next statement on a connection has no viewer, however the one before ended.
func TestViewerLeavesWithTheirStatement(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w, seen, _ := wards(ctx, d)
	s := openStore(t, db.Config{URL: d.AppURL, MaxConns: 1})
	as := s.As(w.staff)
	var pid uint32
	w.must(s.DBTX().QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid))
	for name, statement := range map[string]func() error{
		"a read":  func() error { return w.getPatient(ctx, s, w.staff, seen) },
		"no row":  func() error { return refused(w.getPatient(ctx, s, w.staff, newID()), db.NotFound) },
		"a write": func() error { _, err := w.allowFacility(ctx, s, w.staff, seen, w.hidden); return err },
		"a list": func() error {
			_, err := as.ListPatients(ctx,
				db.ListPatientsParams{TenantID: w.tenant, ViewerID: w.staff.UserID, MaxRows: 5})
			return err
		},
		"an error": func() error {
			_, err := as.DBTX().Exec(ctx, "SELECT 1 / (SELECT 0 * version FROM patients)")
			return failed(err, "22012")
		},
		"an error before": func() error {
			_, err := as.DBTX().Exec(ctx, "SELECT nonsense")
			return failed(err, "42703")
		},
		"a constraint": func() error {
			_, err := w.allowFacility(ctx, s, w.staff, seen, newID())
			return refused(err, db.FacilityNotFound)
		},
		"a cancel": func() error {
			soon, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
			defer cancel()
			_, err := as.DBTX().Exec(soon, "SELECT pg_sleep(5) FROM patients")
			return refused(err, db.Timeout)
		},
		"rows left unread": func() error {
			rows, err := as.DBTX().Query(ctx, "SELECT generate_series(1, 100) FROM patients")
			if err == nil {
				rows.Next()
				rows.Close()
			}
			return err
		},
	} {
		if err := statement(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		last := isNobody(t, s, name)
		if last != pid {
			t.Errorf("after %s, the connection is another: the test is void", name)
		}
	}
}

func failed(err error, state string) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) || server.Code != state {
		return fmt.Errorf("got %v, want %s", err, state)
	}
	return nil
}
