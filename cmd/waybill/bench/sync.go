package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// syncRow is one line of the benchmark sync. The times are of the whole feed: reading the records,
// comparing, writing, and the round trips; likewise for the loop.
type syncRow struct {
	Benchmark string  `json:"benchmark"`
	Table     int     `json:"table_rows"`
	Feed      string  `json:"feed"`
	Records   int     `json:"records"`
	Millis    float64 `json:"ms"` // the median
	Written   int64   `json:"rows_written"`
	Loop      float64 `json:"loop_ms"`
	LoopRows  int64   `json:"loop_rows_written"`
	Ratio     float64 `json:"loop_to_feed"`
	Machine   Machine `json:"machine"`
}

// syncing is the state of the benchmark sync.
type syncing struct {
	*clinic
	records, rounds int
	clock           time.Time // as_of
}

// syncFeeds runs the benchmark sync. Results on two cores, PostgreSQL 15, fsync on, 10,000 records, the
// whole call:
//
//	   10,000 rows  all unchanged   106 ms,      0 rows;  loop 5,503 ms, 20,000 rows;  52 times
//	   10,000 rows  5 % changed     122 ms,    500 rows;  loop 5,422 ms, 20,000 rows;  44 times
//	   10,000 rows  all new       1,031 ms, 30,000 rows;  loop 5,320 ms, 20,000 rows;   5 times
//	1,000,000 rows  all unchanged   113 ms,      0 rows;  loop 5,477 ms, 20,000 rows;  48 times
//	1,000,000 rows  5 % changed     131 ms,    500 rows;  loop 5,654 ms, 20,000 rows;  43 times
//	1,000,000 rows  all new       1,079 ms, 30,000 rows;  loop 5,502 ms, 20,000 rows;   5 times
//
// These figures are from before each patient that a feed writes is audited, with a row each: 1,000 rows
// if 5 % changed, 40,000 if all are new, which takes a third longer. Unchanged patients are not
// audited, and cost the same as before.
//
// SyncAppointments alone, all unchanged against 1,000,000 rows: 50 ms, including planning; two index
// probes per record instead of the full join took 73.
func syncFeeds(ctx context.Context, env *Env, args []string) error {
	s := syncing{clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	var large int
	env.Flags.IntVar(&s.records, "records", 10_000, "records per feed, at most 10,000")
	env.Flags.IntVar(&s.rounds, "rounds", 7, "number of rounds; the median counts")
	env.Flags.IntVar(&large, "rows", 1_000_000,
		"appointments in the large table; the small one has only those of the feed")
	if err := env.Parse(args); err != nil {
		return err
	}
	if s.records < 20 || s.records > 10_000 || s.rounds < 1 || large < s.records {
		return fmt.Errorf("--records must be 20 to 10000, --rounds positive, --rows at least --records")
	}
	var err error
	if s.clinic, err = env.clinic(ctx); err != nil {
		return err
	}
	for _, rows := range []int{s.records, large} {
		if rows > s.records { // existing appointments of the facility
			past, err := s.facility(ctx)
			if err != nil {
				return err
			}
			if err := s.fill(ctx, past, time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC),
				rows-s.records, time.Minute, "past-"); err != nil {
				return err
			}
		}
		if err := s.table(ctx, env, rows); err != nil {
			return err
		}
	}
	return nil
}

// table measures each kind of feed against existing rows.
func (s *syncing) table(ctx context.Context, env *Env, rows int) error {
	facility, err := s.facility(ctx)
	if err != nil {
		return err
	}
	if _, err := s.feed(ctx, facility, s.list(0, 0)); err != nil {
		return err
	}
	for _, kind := range []struct {
		name string
		list func(round int) (uuid.UUID, []db.FeedRecord, error)
	}{
		{"all unchanged", func(int) (uuid.UUID, []db.FeedRecord, error) { return facility, s.list(0, 0), nil }},
		{"5 % changed", func(round int) (uuid.UUID, []db.FeedRecord, error) {
			return facility, s.list(20, round+1), nil
		}},
		{"all new", func(int) (uuid.UUID, []db.FeedRecord, error) {
			empty, err := s.facility(ctx)
			return empty, s.list(0, 0), err
		}},
	} {
		row := syncRow{Benchmark: "sync", Table: rows, Feed: kind.name, Records: s.records, Machine: ThisMachine()}
		if row.Millis, row.Written, err = s.median(ctx, s.rounds, 0, kind.list, s.feed); err != nil {
			return err
		}
		if row.Loop, row.LoopRows, err = s.median(ctx, min(3, s.rounds), s.rounds, kind.list, s.loop); err != nil {
			return err
		}
		row.Ratio = row.Loop / row.Millis
		if err := env.Report(row, fmt.Sprintf(
			"%9d rows, %d records, %-13s  %7.1f ms, %6d rows written;  loop %7.1f ms, %6d rows;  %5.1f times",
			row.Table, row.Records, row.Feed, row.Millis, row.Written, row.Loop, row.LoopRows, row.Ratio)); err != nil {
			return err
		}
	}
	return nil
}

func (s *syncing) median(ctx context.Context, rounds, first int, list func(int) (uuid.UUID, []db.FeedRecord, error),
	apply func(context.Context, uuid.UUID, []db.FeedRecord) (time.Duration, error),
) (ms float64, written int64, err error) {
	var took []time.Duration
	for round := range rounds {
		facility, records, err := list(first + round)
		if err != nil {
			return 0, 0, err
		}
		var before int64
		if err := s.owner.QueryRow(ctx, statement("now")).Scan(&before); err != nil {
			return 0, 0, err
		}
		d, err := apply(ctx, facility, records)
		if err != nil {
			return 0, 0, err
		}
		took = append(took, d)
		if err := s.owner.QueryRow(ctx, statement("rows_since"), s.viewer.TenantID, before).Scan(&written); err != nil {
			return 0, 0, err
		}
	}
	slices.Sort(took)
	return milliseconds(took[len(took)/2]), written, nil
}

// list returns the records of a facility, with every every-th record moved by some minutes.
func (s *syncing) list(every, minutes int) []db.FeedRecord {
	birth, _ := db.ParseDate("1990-05-17")
	out := make([]db.FeedRecord, s.records)
	for n := range out {
		starts := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 5 * time.Minute)
		if every > 0 && n%every == 0 {
			starts = starts.Add(time.Duration(minutes) * time.Minute)
		}
		out[n] = db.FeedRecord{
			ExternalID: fmt.Sprint(n), PatientExternalID: fmt.Sprintf("p%d", n), GivenName: fmt.Sprintf("Given%d", n),
			FamilyName: fmt.Sprintf("Family%d", n),
			BirthDate:  birth, StartsAt: starts, EndsAt: starts.Add(30 * time.Minute),
			Status: db.AppointmentStatusBOOKED,
		}
	}
	return out
}

func (s *syncing) feed(ctx context.Context, facility uuid.UUID, records []db.FeedRecord) (time.Duration, error) {
	s.clock = s.clock.Add(time.Second)
	begun := time.Now()
	_, err := s.store.SyncFeed(ctx, s.viewer,
		db.Feed{FacilityID: facility, AsOf: s.clock, Records: func(yield func(db.FeedRecord, error) bool) {
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
		}})
	return time.Since(begun), err
}

// loop measures the alternative to a set-based feed: one upsert per record, on one connection in one
// transaction.
func (s *syncing) loop(ctx context.Context, facility uuid.UUID, records []db.FeedRecord) (time.Duration, error) {
	patient, appointment := statement("loop_patient"), statement("loop_appointment")
	begun := time.Now()
	err := pgx.BeginFunc(ctx, s.app, func(tx pgx.Tx) error {
		if err := db.New(tx).
			SetViewer(ctx, db.SetViewerParams{TenantID: s.viewer.TenantID, ViewerID: s.viewer.UserID}); err != nil {
			return err
		}
		for _, r := range records {
			var id uuid.UUID
			if err := tx.QueryRow(ctx, patient, s.viewer.TenantID, facility, r.PatientExternalID,
				r.GivenName, r.FamilyName, r.BirthDate).Scan(&id); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, appointment, s.viewer.TenantID, facility, id, r.ExternalID, r.StartsAt,
				r.EndsAt, strings.ToUpper(string(r.Status))); err != nil {
				return err
			}
		}
		return nil
	})
	return time.Since(begun), err
}
