package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
)

// rangeRow is one line of the benchmark ranges: reads of one day's appointments, in pages of 200 with
// their audit rows.
type rangeRow struct {
	Benchmark string  `json:"benchmark"`
	Rows      int     `json:"table_rows"`
	Window    string  `json:"window"`
	Latency   Summary `json:"latency"`
	Buffers   int64   `json:"buffers"` // of 8 KiB, per read
	Machine   Machine `json:"machine"`
}

// ranges runs the benchmark ranges. Results on two cores, PostgreSQL 15, fsync on, ten million rows,
// pages of 200 with 200 audit rows each:
//
//	early   p50 4.5 ms, p99 8.3 ms, 1,847 buffers
//	middle  p50 4.2 ms, p99 7.5 ms, 1,847 buffers
//	late    p50 4.4 ms, p99 7.5 ms, 1,847 buffers
//
// With two lower bounds on the start, a row comparison for the page and a plain one for the window,
// 3,000,000 rows took 13 ms and 1,694 buffers early, 59 ms and 15,699 buffers in the middle.
func ranges(ctx context.Context, env *Env, args []string) error {
	rows, reads := 10_000_000, 1_000
	env.Flags.IntVar(&rows, "rows", rows, "appointments of the facility, 500 a day")
	env.Flags.IntVar(&reads, "reads", reads, "number of reads of each window")
	if err := env.Parse(args); err != nil {
		return err
	}
	if rows < 100_000 || rows > 30_000_000 || reads < 1 {
		return errors.New("--rows must be 100,000 to 30,000,000, --reads positive")
	}
	c, err := env.clinic(ctx)
	if err != nil {
		return err
	}
	facility, err := c.facility(ctx)
	if err != nil {
		return err
	}
	from, begun := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), time.Now()
	if err := c.fill(ctx, facility, from, rows, 24*time.Hour/500, "a"); err != nil {
		return err
	}
	env.Progress("loaded %d rows in %.1f s", rows, time.Since(begun).Seconds())
	days := rows / 500
	for round := range 2 {
		for _, w := range []struct {
			name string
			day  int
		}{{"early", 2}, {"middle", days / 2}, {"late", days - 3}} {
			row := rangeRow{Benchmark: "ranges", Rows: rows, Window: w.name, Machine: ThisMachine()}
			if row.Latency, row.Buffers, err = c.window(ctx, facility, from.AddDate(0, 0, w.day), reads); err != nil {
				return err
			}
			if round == 0 {
				continue // warm-up
			}
			if err := env.Report(row, fmt.Sprintf("%-6s  p50 %6.2f ms, p99 %6.2f ms, %d buffers per read", w.name,
				row.Latency.P50, row.Latency.P99, row.Buffers)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *clinic) window(ctx context.Context, facility uuid.UUID, day time.Time, reads int) (Summary, int64, error) {
	params := db.ListAppointmentsParams{
		TenantID: c.viewer.TenantID, ViewerID: c.viewer.UserID, FacilityID: facility,
		FromTime: day, ToTime: day.AddDate(0, 0, 1),
		AfterStartsAt: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), MaxRows: 200,
	}
	var l Latencies
	for range reads {
		begun := time.Now()
		rows, err := c.store.As(c.viewer).ListAppointments(ctx, params)
		if err != nil {
			return Summary{}, 0, err
		}
		l.Record(time.Since(begun))
		if len(rows) != 200 {
			return Summary{}, 0, fmt.Errorf("%d rows of 200", len(rows))
		}
	}
	buffers, err := c.buffers(ctx, func(q *db.Queries) { q.ListAppointments(ctx, params) })
	return l.Summary(), buffers, err
}

// buffers returns the number of blocks that a statement reads.
func (c *clinic) buffers(ctx context.Context, run func(*db.Queries)) (int64, error) {
	tx, err := c.app.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if err := db.New(tx).
		SetViewer(ctx, db.SetViewerParams{TenantID: c.viewer.TenantID, ViewerID: c.viewer.UserID}); err != nil {
		return 0, err
	}
	e := explaining{tx: tx}
	run(db.New(&e))
	return e.buffers, e.err
}

// explaining runs EXPLAIN in place of a statement, and returns no rows.
type explaining struct {
	tx      pgx.Tx
	buffers int64
	err     error
}

var errExplained = errors.New("explained")

func (e *explaining) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	var plan []byte
	e.err = e.tx.QueryRow(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)\n"+sql, args...).Scan(&plan)
	var out []struct {
		Plan struct {
			Hit  int64 `json:"Shared Hit Blocks"`
			Read int64 `json:"Shared Read Blocks"`
		}
	}
	if e.err == nil {
		e.err = json.Unmarshal(plan, &out)
	}
	if e.err == nil {
		e.buffers = out[0].Plan.Hit + out[0].Plan.Read
	}
	return nil, errExplained
}

func (e *explaining) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, errExplained
}

func (e *explaining) QueryRow(context.Context, string, ...any) pgx.Row { return nil }
