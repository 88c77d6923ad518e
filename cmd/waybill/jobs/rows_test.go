package jobs

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// The jobs inserted by transitions equal those that River's own client inserts, field by field.
func TestOurRowsAreThoseThatRiverInserts(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.exec("UPDATE flags SET enabled = true")
	c.submit(1)
	var message, event uuid.UUID
	c.must(c.owner.QueryRow(t.Context(), "SELECT id, event_id FROM messages").Scan(&message, &event))
	client, err := river.NewClient(riverpgxv5.New(c.store.Pool()), &river.Config{})
	c.must(err)
	for _, args := range []river.JobArgs{
		SendText{TenantID: c.staff.TenantID, MessageID: message},
		DispatchPickup{TenantID: c.staff.TenantID, EventID: event},
	} {
		ours := c.rows(args.Kind())
		_, err := client.Insert(t.Context(), args, nil)
		c.must(err)
		both := c.rows(args.Kind())
		if len(ours) != 1 || len(both) != 2 {
			t.Fatalf("%s: %d rows of ours, %d in all", args.Kind(), len(ours), len(both))
		}
		for column, value := range both[1] {
			if !same(column, ours[0][column], value) {
				t.Errorf("%s: %s is %v, River's is %v", args.Kind(), column, ours[0][column], value)
			}
		}
		if len(ours[0]) < 18 {
			t.Errorf("%d columns", len(ours[0]))
		}
	}
}

func (c *clinic) rows(kind string) []map[string]any {
	c.t.Helper()
	rows, err := c.owner.Query(c.t.Context(), "SELECT * FROM river_job WHERE kind = $1 ORDER BY id", kind)
	c.must(err)
	all, err := pgx.CollectRows(rows, pgx.RowToMap)
	c.must(err)
	return all
}

// same compares two rows' values: their ids differ, and their times by as much as the
// test took.
func same(column string, ours, theirs any) bool {
	at, isTime := ours.(time.Time)
	other, bothTime := theirs.(time.Time)
	switch {
	case column == "id":
		return true
	case isTime && bothTime:
		return at.Sub(other).Abs() < time.Minute
	}
	return reflect.DeepEqual(ours, theirs) && fmt.Sprintf("%T", ours) == fmt.Sprintf("%T", theirs)
}
