package db_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
)

var feedRaces = []check{
	{"StageFeedChunk", "one chunk of a feed is staged twice", func(ctx context.Context, w *fixture) error {
		id := newID()
		return oneWins(together(manyCallers, func(int) error {
			return w.stage(ctx, id, record(1))
		}), db.Internal)
	}},
	{"MoveFeed", "an older list arrives late and undoes a newer one", func(ctx context.Context, w *fixture) error {
		return first(
			w.feedsBehind(ctx, w.list(2, record(1)), w.list(1, record(2)), false),
			w.holds(ctx, record(1)))
	}},
	{"MoveFeed", "two feeds of one facility mix", func(ctx context.Context, w *fixture) error {
		return first(
			w.feedsBehind(ctx, w.list(1, record(1), record(2)), w.list(2, record(2), record(3)), true),
			w.holds(ctx, record(2), record(3)))
	}},
	{"MoveFeed", "one list is applied twice", func(ctx context.Context, w *fixture) error {
		return w.counted(1, func(*db.Raw) (moved int64, err error) {
			err = w.viewed(ctx, w.staff, func(s *db.Raw) error {
				moved, err = s.MoveFeed(ctx, w.watermark(1))
				return err
			})
			return moved, err
		})
	}},
	{"SyncAppointments", "a feed writes what its watermark no longer covers",
		func(ctx context.Context, w *fixture) error {
			if err := w.fed(ctx, w.list(1, record(1))); err != nil {
				return err
			}
			id := newID()
			w.must(w.stage(ctx, id, record(2)))
			late := func(v db.Viewer, hour int) (current bool, err error) {
				err = w.viewed(ctx, v, func(s *db.Raw) error {
					done, err := s.SyncAppointments(ctx, w.difference(v, hour, id))
					current = done.Current
					return err
				})
				return current, err
			}
			for _, try := range []struct {
				v    db.Viewer
				hour int
			}{{w.staff, 0}, {w.staff, 2}, {w.stranger, 1}} {
				if current, err := late(try.v, try.hour); err != nil || current {
					return fmt.Errorf("written by %s as of hour %d: current %v, %v", try.v.Role, try.hour, current, err)
				}
			}
			var current bool
			waited, errs := w.behind(ctx, commit,
				func(s *db.Raw) error { _, err := s.MoveFeed(ctx, w.watermark(2)); return err },
				func(s *db.Raw) error {
					return w.within(ctx, s, w.staff, func() error {
						done, err := s.SyncAppointments(ctx, w.difference(w.staff, 1, id))
						current = done.Current
						return err
					})
				})
			if !waited[0] || current {
				return fmt.Errorf("the late one waited: %v, and wrote: %v", waited[0], current)
			}
			return first(errs[0], w.holds(ctx, record(1)))
		}},
	{"SyncAppointments", "a concurrent patient edit and feed lose an update",
		func(ctx context.Context, w *fixture) error {
			for i, c := range []struct{ edit, want string }{
				{"family_name = 'Edited', phone = '+14155550199'", "Renamed Family1 <nil> 3"},
				// the list's last change
				{"given_name = 'Renamed'", "Renamed Family1 <nil> 2"}, // nothing is left to change
				{"external_id = 'another'", "Given1 Family1 <nil> 2"}, // no longer of the list
			} {
				w := (&database{Raw: w.as, owner: w.owner}).fixture(ctx).like(w)
				if err := w.fed(ctx, w.list(1, record(1))); err != nil {
					return err
				}
				next := w.list(2, with(record(1), func(r *db.FeedRecord) { r.GivenName = "Renamed" }))
				w.must(w.stage(ctx, next.id, next.records...))
				waited, errs := w.behind(ctx, commit,
					w.changes("patients", "version = version + 1, "+c.edit),
					func(s *db.Raw) error {
						return w.within(ctx, s, w.staff, func() error { return w.apply(ctx, s, next) })
					})
				got := scan[string](ctx, w.owner,
					`SELECT concat_ws(' ', given_name, family_name, coalesce(phone, '<nil>'), version)
				FROM patients WHERE tenant_id = $1`, w.tenant)
				if err := first(errs...); err != nil || !waited[0] || got != c.want {
					return fmt.Errorf("edit %d: waited %v, the patient is %s, want %s: %v",
						i, waited[0], got, c.want, err)
				}
			}
			return nil
		}},
	{"SyncAppointments", "a feed undoes the revocation of a consent", func(ctx context.Context, w *fixture) error {
		// The feed has read the consent, and waits: its patient also has a consent for another facility,
		// by which the viewer sees them.
		for _, both := range []bool{false, true} {
			for name, next := range map[string][]db.FeedRecord{
				"a patient": {with(record(1), func(r *db.FeedRecord) { r.Phone = "+14155550101" })},
				"an appointment": {with(record(1),
					func(r *db.FeedRecord) { r.Status = db.AppointmentStatusARRIVED })},
				"a new appointment": {record(1), with(record(1), func(r *db.FeedRecord) { r.ExternalID = "new" })},
				"a cancellation":    {},
				"another's appointment": {record(1), with(record(2), func(r *db.FeedRecord) {
					r.PatientExternalID, r.GivenName, r.FamilyName = "p1", "Given1", "Family1"
				})},
				"an appointment that becomes another's": {with(record(1), func(r *db.FeedRecord) {
					r.PatientExternalID, r.GivenName, r.FamilyName = "p2", "Given2", "Family2"
				})},
			} {
				w := (&database{Raw: w.as, owner: w.owner}).fixture(ctx).like(w)
				if err := w.fed(ctx, w.list(1, record(1), record(2))); err != nil {
					return err
				}
				id := w.patientOf(ctx, "p1")
				w.allow(ctx, id, w.hidden)
				if both {
					w.shows(ctx, w.staff, w.hidden)
				}
				before := w.appointmentsAndPatients(ctx)
				l := w.list(2, next...)
				if name != "another's appointment" {
					l.records = append(l.records, record(2))
				}
				w.must(w.stage(ctx, l.id, l.records...))
				waited, errs := w.behind(ctx, commit,
					func(s *db.Raw) error {
						_, err := w.disallowFacility(ctx, s, w.staff, id, w.facility)
						return err
					},
					func(s *db.Raw) error {
						return w.within(ctx, s, w.staff, func() error { return w.apply(ctx, s, l) })
					})
				if err := first(errs...); err != nil || !waited[0] {
					return fmt.Errorf("%s: the feed waited: %v, %w", name, waited[0], err)
				}
				if after := w.appointmentsAndPatients(ctx); after != before {
					return fmt.Errorf("%s: there was %s, is %s", name, before, after)
				}
			}
		}
		// The feed is first: the withdrawal waits, and takes effect last.
		w = (&database{Raw: w.as, owner: w.owner}).fixture(ctx).like(w)
		if err := w.fed(ctx, w.list(1, record(1))); err != nil {
			return err
		}
		id := w.patientOf(ctx, "p1")
		w.allow(ctx, id, w.hidden)
		l := w.list(2, with(record(1), func(r *db.FeedRecord) { r.Status = db.AppointmentStatusARRIVED }))
		w.must(w.stage(ctx, l.id, l.records...))
		waited, errs := w.behind(ctx, commit,
			func(s *db.Raw) error {
				w.must(s.SetViewer(ctx, db.SetViewerParams{TenantID: w.tenant, ViewerID: w.staff.UserID}))
				return w.apply(ctx, s, l)
			},
			func(s *db.Raw) error {
				_, err := w.disallowFacility(ctx, s, w.staff, id, w.facility)
				return err
			})
		if err := first(errs...); err != nil || !waited[0] {
			return fmt.Errorf("the denial waited: %v, %w", waited[0], err)
		}
		return first(
			w.holds(ctx, l.records...), w.seenBy(ctx, id, 1),
			refused(w.getPatient(ctx, w.as, w.staff, id), db.NotFound))
	}},
	{"DropFeedRecords", "a feed's staged records outlive it", func(ctx context.Context, w *fixture) error {
		mine, other := newID(), newID()
		w.must(first(w.stage(ctx, mine, record(1)), w.stage(ctx, other, record(1))))
		var n int64
		err := w.viewed(ctx, w.staff, func(s *db.Raw) (err error) {
			n, err = s.DropFeedRecords(ctx, db.DropFeedRecordsParams{TenantID: w.tenant, FeedID: mine})
			return err
		})
		if left := w.staged(ctx); n != 1 || left != 1 {
			return fmt.Errorf("%d dropped, %d left, want one and one", n, left)
		}
		return err
	}},
	{"SweepFeedRecords", "a sweep deletes the records of a feed in progress",
		func(ctx context.Context, w *fixture) error {
			w.must(first(w.stage(ctx, newID(), record(1)), w.stage(ctx, newID(), record(1))))
			must(w.owner.Exec(ctx, `UPDATE appointment_feed_chunks SET created_at = now() - interval '25 hours'
			WHERE feed_id = (SELECT feed_id FROM appointment_feed_chunks WHERE tenant_id = $1 ORDER BY feed_id
			    LIMIT 1)`, w.tenant))
			var n int64
			err := w.viewed(ctx, w.admin, func(s *db.Raw) (err error) {
				n, err = s.SweepFeedRecords(ctx, w.tenant)
				return err
			})
			if left := w.staged(ctx); n != 1 || left != 1 {
				return fmt.Errorf("%d swept, %d left, want one and one", n, left)
			}
			return err
		}},
}

var feedRules = []check{
	{"SyncAppointments", "a row changed during the wait is tested again",
		func(ctx context.Context, w *fixture) error {
			const untouched = "2000-01-01"
			for i, c := range []struct{ change, want string }{
				{"status = 'ARRIVED'", "ARRIVED 2000-01-01"}, // what the list says: nothing is left to change
				{"starts_at = starts_at - interval '1 minute'", "ARRIVED now"},
			} {
				w := (&database{Raw: w.as, owner: w.owner}).fixture(ctx).like(w)
				if err := w.fed(ctx, w.list(1, record(1))); err != nil {
					return err
				}
				next := w.list(2, with(record(1), func(r *db.FeedRecord) { r.Status = db.AppointmentStatusARRIVED }))
				w.must(w.stage(ctx, next.id, next.records...))
				waited, errs := w.behind(ctx, commit,
					w.changes("appointments", "updated_at = '"+untouched+"', "+c.change),
					func(s *db.Raw) error {
						return w.within(ctx, s, w.staff, func() error { return w.apply(ctx, s, next) })
					})
				got := scan[string](ctx, w.owner, `
				SELECT status || CASE WHEN updated_at < now() - interval '1 year' THEN ' 2000-01-01' ELSE ' now' END
				FROM appointments WHERE tenant_id = $1`, w.tenant)
				if err := first(errs...); err != nil || !waited[0] || got != c.want {
					return fmt.Errorf("change %d: waited %v, the appointment is %s, want %s: %v",
						i, waited[0], got, c.want, err)
				}
				if err := w.holds(ctx, next.records...); err != nil {
					return err
				}
			}
			return nil
		}},
	{"SyncAppointments", "rows are locked in key order",
		func(ctx context.Context, w *fixture) error {
			var records, changed []db.FeedRecord
			for n := range 8 {
				records = append(records, record(n))
				changed = append(changed, with(record(n), func(r *db.FeedRecord) {
					r.Status, r.Phone = db.AppointmentStatusARRIVED, "+14155550101"
				}))
			}
			for _, table := range []string{"patients", "appointments"} {
				w := (&database{Raw: w.as, owner: w.owner}).fixture(ctx).like(w)
				if err := w.fed(ctx, w.list(1, records...)); err != nil {
					return err
				}
				next := w.list(2, changed...)
				w.must(w.stage(ctx, next.id, next.records...))
				all := "SELECT FROM " + table + " WHERE tenant_id = $1 ORDER BY id FOR UPDATE"
				var deadlock error
				waited, errs := w.behind(ctx,
					func(ctx context.Context, tx pgx.Tx) error {
						_, deadlock = tx.Exec(ctx, all, w.tenant)
						return tx.Rollback(ctx)
					},
					func(s *db.Raw) error {
						w.must(s.SetViewer(ctx, db.SetViewerParams{TenantID: w.tenant, ViewerID: w.staff.UserID}))
						_, err := s.DBTX().Exec(ctx, strings.Replace(all, "FOR UPDATE", "LIMIT 1 FOR UPDATE", 1),
							w.tenant)
						return err
					},
					func(s *db.Raw) error {
						return w.within(ctx, s, w.staff, func() error { return w.apply(ctx, s, next) })
					})
				if err := first(append(errs, deadlock)...); err != nil || !waited[0] {
					return fmt.Errorf("%s: waited %v, %w", table, waited[0], err)
				}
			}
			return nil
		}},
	{"SyncAppointments", "an unchanged row is not waited for",
		func(ctx context.Context, w *fixture) error {
			for table, edit := range map[string]func(*db.FeedRecord){
				"patients":     func(r *db.FeedRecord) { r.Status = db.AppointmentStatusARRIVED },
				"appointments": func(r *db.FeedRecord) { r.Phone = "+14155550101" },
			} {
				w := (&database{Raw: w.as, owner: w.owner}).fixture(ctx).like(w)
				if err := w.fed(ctx, w.list(1, record(1))); err != nil {
					return err
				}
				next := w.list(2, with(record(1), edit))
				w.must(w.stage(ctx, next.id, next.records...))
				waited, errs := w.behind(ctx, commit, w.changes(table, "external_id = external_id"),
					func(s *db.Raw) error {
						return w.within(ctx, s, w.staff, func() error { return w.apply(ctx, s, next) })
					})
				if err := first(errs...); err != nil || waited[0] {
					return fmt.Errorf("waited for a row of %s: %v, %v", table, waited[0], err)
				}
				if err := w.holds(ctx, next.records...); err != nil {
					return err
				}
			}
			return nil
		}},
	{"SyncAppointments", "only differences are written", func(ctx context.Context, w *fixture) error {
		past := with(record(7), func(r *db.FeedRecord) {
			r.StartsAt, r.EndsAt = feedDay.Add(-time.Hour), feedDay.Add(-time.Minute)
		})
		running := with(record(8), func(r *db.FeedRecord) {
			r.EndsAt = feedDay.Add(3*time.Hour + time.Second) // just so at the list that lacks it
			r.StartsAt = r.EndsAt.Add(-db.LongestAppointment)
		})
		if err := w.fed(ctx,
			w.list(1, record(1), record(2), record(3), record(4), record(5), record(6),
				past, running, record(13), record(14)),
			w.list(2, record(1), record(2), record(3), record(5), record(6), past,
				running, record(13), record(14)), // without 4
		); err != nil {
			return err
		}
		must(w.owner.Exec(ctx, "DELETE FROM phi_reads WHERE tenant_id = $1", w.tenant))
		before := w.places(ctx)
		next := w.list(3,
			record(1),
			with(record(2), func(r *db.FeedRecord) { r.Status = db.AppointmentStatusARRIVED }),
			with(record(3), func(r *db.FeedRecord) { r.StartsAt = r.StartsAt.Add(time.Minute) }),
			with(record(5), func(r *db.FeedRecord) { r.PatientExternalID, r.Phone = "p9", "+14155550101" }),
			with(record(10), func(r *db.FeedRecord) {
				r.PatientExternalID, r.GivenName, r.FamilyName = "p1", "Given1", "Family1"
			}),
			with(record(11), func(r *db.FeedRecord) { r.PatientExternalID = "p11" }),
			with(record(12), func(r *db.FeedRecord) {
				r.PatientExternalID, r.GivenName, r.FamilyName = "p11", "Given11", "Family11"
			}),
			with(record(13), func(r *db.FeedRecord) { r.Phone = "+14155550113" }),
			record(14))
		if err := w.fed(ctx, next); err != nil {
			return err
		}
		want := db.SyncAppointmentsRow{Created: 3, Updated: 4, Unchanged: 2, Canceled: 2, CurrentAppointments: 8,
			Current: true} // canceled: 6 and the current one
		if *next.done != want {
			return fmt.Errorf("it says %+v, want %+v", *next.done, want)
		}
		after := w.places(ctx)
		for _, same := range []string{"1", "4", "7", "p1", "p2", "p5", "13", "14", "p14", w.placeOf(ctx, "p4"),
			w.placeOf(ctx, "p7"), w.placeOf(ctx, "p14")} { // nor is a consent held
			if before[same] != after[same] {
				return fmt.Errorf("%s was written", same)
			}
		}
		for table, want := range map[string]string{
			"patient_facilities": "p1 p11 p13 p14 p2 p3 p4 p5 p6 p7 p8 p9",
			"phi_reads":          "p1 p11 p13 p2 p3 p5 p6 p8 p9", // each of whom something was written, once
		} {
			got := scan[string](ctx, w.owner,
				`SELECT string_agg(p.external_id, ' ' ORDER BY p.external_id) FROM `+table+` AS f
				JOIN patients AS p ON p.tenant_id = f.tenant_id AND p.id = f.patient_id WHERE f.tenant_id = $1`,
				w.tenant)
			if got != want {
				return fmt.Errorf("%s has %s, want %s", table, got, want)
			}
		}
		return w.holds(ctx, append(next.records,
			with(record(4), canceled), with(record(6), canceled), past, with(running, canceled))...)
	}},
	{"SyncAppointments", "an old appointment is recreated", func(ctx context.Context, w *fixture) error {
		var before, now []db.FeedRecord
		for i := range 6 {
			over := with(record(i), func(r *db.FeedRecord) {
				r.StartsAt, r.EndsAt = r.StartsAt.AddDate(-1, 0, 0), r.EndsAt.AddDate(-1, 0, 0)
			})
			before = append(before, over)
			now = append(now, with(over, func(r *db.FeedRecord) { r.Status = db.AppointmentStatusARRIVED }))
		}
		return first(w.fed(ctx, w.list(1, before...)), w.fed(ctx, w.list(2, now...)))
	}},
	{"SyncAppointments", "an appointment is compared once, and an old one not at all",
		func(ctx context.Context, w *fixture) error {
			const n = 40
			var before, now []db.FeedRecord
			for i := range n {
				before = append(before, record(i), with(record(n+i), func(r *db.FeedRecord) {
					r.StartsAt, r.EndsAt = r.StartsAt.AddDate(-1, 0, 0), r.EndsAt.AddDate(-1, 0, 0)
				}))
				now = append(now, with(record(i), func(r *db.FeedRecord) { r.Status = db.AppointmentStatusARRIVED }))
			}
			if err := w.fed(ctx, w.list(1, before...)); err != nil {
				return err
			}
			l := w.list(2, now...)
			w.must(w.stage(ctx, l.id, l.records...))
			var plan node
			w.must(w.viewed(ctx, w.staff, func(s *db.Raw) error {
				w.must(s.SetFeedLimits(ctx, feedLimits))
				if moved, err := s.MoveFeed(ctx, w.watermark(l.hour)); err != nil || moved != 1 {
					return fmt.Errorf("moved %d, %w", moved, err)
				}
				_, err := w.explained(s, &plan).SyncAppointments(ctx, w.difference(w.staff, l.hour, l.id))
				if errors.Is(err, errExplained) {
					err = nil
				}
				return err
			}))
			// Each of the three conditions: compared, locked, written.
			if found, _ := plan.scanned("appointments"); found != 3*n {
				return fmt.Errorf("%v rows of appointments are read to change %d", found, n)
			}
			return nil
		}},
	{"MoveFeed", "a list dated in the future blocks the next one", func(ctx context.Context, w *fixture) error {
		moved := func(ahead time.Duration) (n int64) {
			w.must(w.viewed(ctx, w.staff, func(s *db.Raw) error {
				p := w.watermark(0)
				p.AsOf = scan[time.Time](ctx, w.owner, "SELECT clock_timestamp()").Add(ahead)
				var err error
				n, err = s.MoveFeed(ctx, p)
				return err
			}))
			return n
		}
		if n := moved(time.Hour); n != 0 {
			return errors.New("the watermark is an hour ahead")
		}
		if n := moved(0); n != 1 {
			return errors.New("a list as of now is refused as one of the future")
		}
		return nil
	}},
	{"SyncAppointments", "a patient who denies the facility is unchanged and not shown",
		func(ctx context.Context, w *fixture) error {
			// By a viewer who sees the patient through another facility too, and by one who does not.
			for _, both := range []bool{false, true} {
				w := (&database{Raw: w.as, owner: w.owner}).fixture(ctx).like(w)
				moved := with(record(5),
					func(r *db.FeedRecord) {
						r.PatientExternalID, r.GivenName, r.FamilyName = "p1", "Given1", "Family1"
					})
				if err := w.fed(ctx, w.list(1, record(1), record(2), record(3), record(4), moved)); err != nil {
					return err
				}
				id := w.patientOf(ctx, "p1")
				w.allow(ctx, id, w.hidden)
				w.disallow(ctx, id, w.facility)
				if both {
					w.shows(ctx, w.staff, w.hidden)
				}
				must(w.owner.Exec(ctx, "DELETE FROM phi_reads WHERE tenant_id = $1", w.tenant))
				before := w.places(ctx)
				// Correct, wrong or missing: the answer is the same. Appointment 4 moves to another
				// patient.
				for hour, records := range [][]db.FeedRecord{
					{record(1), moved},
					{with(record(1), func(r *db.FeedRecord) {
						r.Phone, r.Status = "+14155550101", db.AppointmentStatusARRIVED
					})},
					{with(record(1), func(r *db.FeedRecord) { r.ExternalID = "new" })},
					{with(record(1), func(r *db.FeedRecord) { r.PatientExternalID = "p9" })},
					// their appointment moves to another patient
					{with(record(4), func(r *db.FeedRecord) { // and another's theirs
						r.PatientExternalID, r.GivenName, r.FamilyName = "p1", "Given1", "Family1"
					})},
					{},
				} {
					want := db.SyncAppointmentsRow{Unchanged: 3, ConsentWithdrawn: int64(len(records)),
						CurrentAppointments: 3, Current: true}
					others := []db.FeedRecord{record(2), record(3), record(4)}
					if hour == 4 {
						others, want.Unchanged, want.CurrentAppointments = others[:2], 2, 2
					}
					l := w.list(2+hour, append(others, records...)...)
					if err := w.fed(ctx, l); err != nil {
						return err
					}
					if *l.done != want {
						return fmt.Errorf("list %d says %+v, want %+v", hour, *l.done, want)
					}
					if after := w.places(ctx); !maps.Equal(before, after) {
						return fmt.Errorf("list %d: there was %v, is %v", hour, before, after)
					}
				}
				if n := scan[int](ctx, w.owner, "SELECT count(*) FROM phi_reads WHERE tenant_id = $1",
					w.tenant); n != 0 {
					return fmt.Errorf("%d are recorded", n)
				}
				w.allow(ctx, id, w.facility) // and from then on it is as ever
				last := w.list(20, with(record(1), func(r *db.FeedRecord) { r.Phone = "+14155550101" }),
					record(2), record(3), record(4))
				if err := first(w.fed(ctx, last), w.holds(ctx, last.records...)); err != nil {
					return err
				}
			}
			return nil
		}},
	{"SyncAppointments", "a list cancels more than the facility lets it", func(ctx context.Context, w *fixture) error {
		records := make([]db.FeedRecord, 24)
		for i := range records {
			records[i] = record(i)
		}
		cancels := func(hour int, share float64, left ...db.FeedRecord) (bool, error) {
			must(w.owner.Exec(ctx, "UPDATE facilities SET max_cancel_share = $3 WHERE tenant_id = $1 AND id = $2",
				w.tenant, w.facility, share))
			l := w.list(hour, left...)
			w.must(w.stage(ctx, l.id, l.records...))
			tooMany := false
			err := w.viewed(ctx, w.staff, func(s *db.Raw) error {
				err := w.apply(ctx, s, l)
				tooMany = l.done.CancelsTooMany
				return errors.Join(err, errors.New("rolled back"))
			})
			if err != nil && err.Error() == "rolled back" {
				err = nil
			}
			return tooMany, err
		}
		if err := w.fed(ctx, w.list(1, records...)); err != nil {
			return err
		}
		for i, c := range []struct {
			share float64
			left  int
			want  bool
		}{
			{0.5, 12, false}, {0.5, 11, true}, {0.5, 0, true}, {0, 14, false}, {0, 13, true},
			{0.9, 3, false}, {0.9, 2, true}, {1, 0, false},
		} {
			if got, err := cancels(2+i, c.share, records[:c.left]...); err != nil || got != c.want {
				return fmt.Errorf("%d of 24 left, with a share of %v: too many %v, %v", c.left, c.share, got, err)
			}
		}
		return w.holds(ctx, records...)
	}},
	{"SyncAppointments", "a canceled appointment is revived, and an ended one is found",
		func(ctx context.Context, w *fixture) error {
			back := w.list(24*400, record(1)) // long after it ended
			if err := w.fed(ctx, w.list(1, record(1)), w.list(2), back); err != nil {
				return err
			}
			if back.done.Updated != 1 || back.done.Created != 0 {
				return fmt.Errorf("revived as %+v", *back.done)
			}
			return w.holds(ctx, record(1))
		}},
}

func TestFeedIsAppliedByTheOrderOfItsTime(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	for _, c := range []struct {
		hour    int
		records []db.FeedRecord
		want    db.FeedResult
	}{
		{2, []db.FeedRecord{record(1), record(2)}, db.FeedResult{Created: 2}},
		{3, []db.FeedRecord{record(1), record(2)}, db.FeedResult{Unchanged: 2}},
		{2, []db.FeedRecord{record(5)}, db.FeedResult{Superseded: true}}, // late
		{3, []db.FeedRecord{record(5)}, db.FeedResult{Superseded: true}}, // of the same time
		{4, []db.FeedRecord{record(2)}, db.FeedResult{Unchanged: 1, Canceled: 1}},
		{5, []db.FeedRecord{record(1), record(2)}, db.FeedResult{Updated: 1, Unchanged: 1}}, // back again
	} {
		got, err := w.sync(ctx, w.staff, w.facility, c.hour, c.records...)
		if err != nil || got != c.want {
			t.Errorf("as of hour %d: %+v, %v, want %+v", c.hour, got, err, c.want)
		}
	}
	if err := first(w.holds(ctx, record(1), record(2))); err != nil || w.staged(ctx) != 0 {
		t.Errorf("%v, %d chunks left", err, w.staged(ctx))
	}
	if _, err := w.sync(ctx, w.staff, w.facility, 6); code(err) != db.EmptyFeed {
		t.Errorf("an empty list: %v", err)
	}
	got, err := w.as.SyncFeed(ctx, w.staff,
		db.Feed{FacilityID: w.facility, AsOf: feedDay.Add(7 * time.Hour), AllowEmpty: true,
			Records: sequenceOf(nil, nil)})
	if err != nil || got != (db.FeedResult{Canceled: 2}) {
		t.Errorf("an empty list that is meant: %+v, %v", got, err)
	}
}

func TestTwoFeedsAtOnceEndAsTheNewer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	for round := range 12 {
		w := d.fixture(ctx)
		older := []db.FeedRecord{record(1), record(2), record(3)}
		newer := []db.FeedRecord{record(2), with(record(3), func(r *db.FeedRecord) { r.GivenName = "Renamed" }),
			record(4)}
		results := make([]db.FeedResult, 2)
		errs := together(2, func(i int) (err error) {
			results[i], err = w.sync(ctx, w.staff, w.facility, i+1, [][]db.FeedRecord{older, newer}[i]...)
			return err
		})
		if err := first(append(errs, w.holds(ctx, newer...))...); err != nil || results[1].Superseded ||
			w.staged(ctx) != 0 {
			t.Fatalf("round %d: %v, %+v", round, err, results)
		}
	}
}

func TestFeedThatChangesNothingWritesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	records := make([]db.FeedRecord, 300)
	for i := range records {
		records[i] = record(i)
	}
	must(w.sync(ctx, w.staff, w.facility, 1, records...))
	before := w.places(ctx)
	got := must(w.sync(ctx, w.staff, w.facility, 2, records...))
	if got.Unchanged != 300 || len(before) != 900 || !maps.Equal(before, w.places(ctx)) {
		t.Errorf("rows were written: %+v", got)
	}
}

func TestFeedThatBreaksOffChangesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	must(w.sync(ctx, w.staff, w.facility, 1, record(1)))
	before := w.places(ctx)
	broken := errors.New("broken")
	many := make([]db.FeedRecord, 10_001) // more than a chunk
	for i := range many {
		many[i] = record(i)
	}
	gone, leave := context.WithCancel(ctx)
	for name, f := range map[string]func() error{
		"a bad record at the end": func() error {
			_, err := w.as.SyncFeed(ctx, w.staff,
				db.Feed{FacilityID: w.facility, AsOf: feedDay.Add(2 * time.Hour), Records: sequenceOf(many, broken)})
			if !errors.Is(err, broken) || w.staged(ctx) != 0 {
				return fmt.Errorf("got %v", err)
			}
			return nil
		},
		"a caller who goes away": func() error {
			_, err := w.as.SyncFeed(gone, w.staff, db.Feed{FacilityID: w.facility, AsOf: feedDay.Add(2 * time.Hour),
				Records: func(yield func(db.FeedRecord, error) bool) {
					sequenceOf(many, nil)(yield)
					leave()
					sequenceOf(many[:1], nil)(yield)
				}})
			if code(err) != db.Timeout {
				return fmt.Errorf("got %v", err)
			}
			return nil
		},
	} {
		if err := f(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := w.staged(ctx); n != 0 || !maps.Equal(before, w.places(ctx)) {
			t.Errorf("%s: something has changed, or %d chunks are left", name, n)
		}
	}
}

func TestFeedThatContradictsItselfIsRefusedByPosition(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	same := func(n int, edit func(*db.FeedRecord)) db.FeedRecord {
		return with(record(1), func(r *db.FeedRecord) { r.ExternalID = fmt.Sprint(n); edit(r) })
	}
	twice := func(at, earlier int) db.FeedFault {
		return db.FeedFault{Record: at, Field: "external_id", Code: db.ValidationFailed,
			Contradicts: &db.FeedContradiction{Earlier: earlier, IsDuplicate: true}}
	}
	other := func(at, earlier int) db.FeedFault {
		return db.FeedFault{Record: at, Field: "patient", Code: db.ValidationFailed,
			Contradicts: &db.FeedContradiction{Earlier: earlier}}
	}
	for name, c := range map[string]struct {
		records []db.FeedRecord
		want    []db.FeedFault
	}{
		"an id twice": {[]db.FeedRecord{record(0), record(1), record(2), record(1), record(1)},
			[]db.FeedFault{twice(3, 1), twice(4, 1)}},
		"two names": {[]db.FeedRecord{record(0), record(1), same(2, func(*db.FeedRecord) {}),
			same(3, func(r *db.FeedRecord) { r.FamilyName = "X" })}, []db.FeedFault{other(3, 1)}},
		"with and without a phone": {[]db.FeedRecord{record(1),
			same(2, func(r *db.FeedRecord) { r.Phone = "+14155550100" }), record(1)},
			[]db.FeedFault{other(1, 0), twice(2, 0)}},
	} {
		_, err := w.sync(ctx, w.staff, w.facility, 1, c.records...)
		got, ok := errors.AsType[*db.FeedRefusal](err)
		if !ok || !reflect.DeepEqual(got.Faults, c.want) || code(err) != db.ValidationFailed {
			t.Errorf("%s: got %+v of %v, want %+v", name, got, err, c.want)
		}
	}
	if n := w.staged(ctx); n != 0 {
		t.Errorf("%d chunks are left", n)
	}
}

func TestFeedReachesItsOwnFacilityAlone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w, other := d.fixture(ctx), d.fixture(ctx)
	group := w.group(ctx)
	must(w.as.AddGroupMember(ctx,
		db.AddGroupMemberParams{TenantID: w.tenant, GroupID: group, UserID: w.stranger.UserID}))
	must(w.as.AddGroupFacility(ctx,
		db.AddGroupFacilityParams{TenantID: w.tenant, GroupID: group, FacilityID: w.hidden}))
	must(w.sync(ctx, w.stranger, w.hidden, 5, record(1), record(2)))
	must(other.sync(ctx, other.staff, other.facility, 5, record(1), record(2)))
	before, foreign := w.places(ctx), other.places(ctx)

	renamed := with(record(1), func(r *db.FeedRecord) { r.GivenName = "Renamed" })
	got := must(w.sync(ctx, w.staff, w.facility, 1, renamed)) // older than theirs
	if got != (db.FeedResult{Created: 1}) {
		t.Errorf("got %+v", got)
	}
	after := w.places(ctx)
	maps.DeleteFunc(after, func(key, place string) bool {
		return !slices.Contains(slices.Collect(maps.Values(before)), place)
	})
	if err := first(w.holds(ctx, renamed), w.holdsIn(ctx, w.hidden, record(1), record(2))); err != nil ||
		!maps.Equal(foreign, other.places(ctx)) {
		t.Errorf("another facility's appointments have changed: %v", err)
	}
	for name, c := range map[string]struct {
		v        db.Viewer
		facility uuid.UUID
	}{
		"of another group": {w.staff, w.hidden}, "of another tenant": {w.staff, other.facility},
		"of no group": {w.admin, w.facility}, "that is not there": {w.staff, newID()},
	} {
		if _, err := w.sync(ctx, c.v, c.facility, 9, record(1)); code(err) != db.NotFound {
			t.Errorf("a facility %s: %v", name, err)
		}
	}
	seen := func(v db.Viewer) int {
		n := 0
		w.must(w.viewed(ctx, v, func(s *db.Raw) error {
			return s.DBTX().QueryRow(ctx, "SELECT count(*) FROM patients").Scan(&n)
		}))
		return n
	}
	if a, b, c := seen(w.staff), seen(w.stranger), seen(w.admin); a != 1 || b != 2 || c != 0 {
		t.Errorf("staff see %d patients, those of the other facility %d, the admin without a group %d", a, b, c)
	}
}

func TestFeedMeetsThePatientWhoIsCreatedAtTheSameTime(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	tx := must(w.owner.Begin(ctx))
	defer tx.Rollback(context.WithoutCancel(ctx))
	must(tx.Exec(ctx, `WITH p AS (
			INSERT INTO patients (tenant_id, id, facility_id, external_id, given_name, family_name, birth_date)
			VALUES ($1, $2, $3, 'p1', 'Given1', 'Family1', '1990-05-17'))
		INSERT INTO patient_facilities (tenant_id, patient_id, facility_id) VALUES ($1, $2, $3)`,
		w.tenant, newID(), w.facility))
	var done sync.WaitGroup
	var got db.FeedResult
	var err error
	done.Go(func() { got, err = w.sync(ctx, w.staff, w.facility, 1, record(1)) })
	for scan[int](ctx, w.owner, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "+
		"wait_event_type = 'Lock'") == 0 {
		time.Sleep(time.Millisecond)
	}
	w.must(tx.Commit(ctx))
	done.Wait()
	if err != nil || got != (db.FeedResult{Created: 1}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := w.holds(ctx, record(1)); err != nil {
		t.Error(err)
	}
}

func TestFeedWhoseRecordsGotLostIsNotApplied(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	must(w.sync(ctx, w.staff, w.facility, 1, record(1)))
	many := make([]db.FeedRecord, 10_000)
	for i := range many {
		many[i] = record(i + 2)
	}
	_, err := w.as.SyncFeed(ctx, w.staff, db.Feed{FacilityID: w.facility, AsOf: feedDay.Add(2 * time.Hour),
		Records: func(yield func(db.FeedRecord, error) bool) {
			sequenceOf(many, nil)(yield)
			must(w.owner.Exec(ctx, "TRUNCATE appointment_feed_chunks")) // as a crash of the server does
			yield(record(1), nil)
		}})
	if err := first(refused(err, db.Overloaded), w.holds(ctx, record(1))); err != nil {
		t.Error(err)
	}
}

// The cost per record of a feed does not grow with the feed's length. It runs alone: tests share the heap, and one that
// checks a history may take half a gigabyte meanwhile.
func TestFeedTakesConstantMemory(t *testing.T) {
	ctx := t.Context()
	w := openUnchecked(t).fixture(ctx)
	var most, least uint64 = 0, 1 << 60
	stop := errors.New("enough")
	_, err := w.as.SyncFeed(ctx, w.staff,
		db.Feed{FacilityID: w.facility, AsOf: feedDay, Records: func(yield func(db.FeedRecord, error) bool) {
			for n := range 60_001 {
				if n > 10_000 && n%10_000 == 9_999 { // a full chunk, from the second one on
					var m runtime.MemStats
					runtime.GC()
					runtime.ReadMemStats(&m)
					most, least = max(most, m.HeapAlloc), min(least, m.HeapAlloc)
				}
				r := record(1)
				r.ExternalID = fmt.Sprint(n)
				if !yield(r, nil) {
					return
				}
			}
			yield(db.FeedRecord{}, stop)
		}})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	t.Logf("the heap was %d to %d MB", least>>20, most>>20)
	if most > least+64<<20 {
		t.Errorf("it grew from %d to %d MB within 50,000 records", least>>20, most>>20)
	}
}

func TestRecordsThatWaitAreSeenByTheirTenantAlone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w, other := d.fixture(ctx), d.fixture(ctx)
	w.must(w.stage(ctx, newID(), record(1)))
	var refusal *pgconn.PgError
	err := other.viewed(ctx, other.admin, func(s *db.Raw) error {
		var n int
		err := s.DBTX().QueryRow(ctx, "SELECT count(*) FROM appointment_feed_records").Scan(&n)
		if n != 0 {
			t.Errorf("another tenant sees %d", n)
		}
		if err != nil {
			return err
		}
		_, err = s.DBTX().Exec(ctx, "INSERT INTO appointment_feed_chunks SELECT * FROM appointment_feed_chunks")
		if err != nil {
			return err
		}
		_, err = s.StageFeedChunk(ctx, db.StageFeedChunkParams{TenantID: w.tenant, FeedID: newID()})
		return err
	})
	if !errors.As(err, &refusal) || refusal.Code != "42501" {
		t.Errorf("another tenant may write them: %v", err)
	}
}
