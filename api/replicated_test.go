//go:build !race

// Clusters are processes, which share no memory with a test.

package api_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/api"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/localpg"
	"waybill/db/seed"
)

// startReplicated starts a server over a primary that waits for its standby.
func startReplicated(t *testing.T) (*server, *localpg.Server) {
	t.Helper()
	ctx := t.Context()
	primary, err := localpg.Start(ctx, localpg.Options{Settings: map[string]string{"synchronous_commit": "on"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { primary.Stop() })
	base := dbtest.On(t, primary)
	if err := db.Migrate(ctx, base.OwnerURL); err != nil {
		t.Fatal(err)
	}
	s := startOver(t, base, func(c *db.Config, _ *api.Options) {
		c.MaxConns, c.ConnsPerTenant, c.ConnsPerUser = 60, 60, 60
	})
	s.must(seed.Make(ctx, base.Owner(), uuid.New(), func(r *seed.Rows) { s.tenant = newTenant(r) }))
	standby, err := primary.Standby(ctx, "standby")
	s.must(err)
	t.Cleanup(func() { standby.Stop() })
	s.must(primary.Synchronous(ctx, "standby"))
	return s, standby
}

// callersPatience is how long a caller waits for an answer while the standby is away.
const callersPatience = 300 * time.Millisecond

// No write, neither the first try nor its repetition, is acknowledged while the standby is away; each is once it
// is back.
func TestNoOperationAcknowledgesWhatIsNotReplicated(t *testing.T) {
	t.Parallel()
	s, standby := startReplicated(t)
	type write struct {
		*described
		call
		as *user
	}
	var writes []write
	for _, op := range theDocument().operations {
		if op.reads() || op.id == "logout" { // which would end the others' session: see package db
			continue
		}
		as := s.whoMay(op.id)
		c := s.call(op, as.role, "own", s.tenant)
		if op.takes("Idempotency-Key") && !op.isCreate() {
			c.headers = append(c.headers, "Idempotency-Key", newID().String())
		}
		writes = append(writes, write{op, c, as})
	}
	s.must(standby.Kill())
	try := func(w write, timeout time.Duration) *answer {
		r := request(t, w.as, w.method, w.call.path, w.call.body, w.call.headers...)
		ctx, leave := context.WithTimeout(r.Context(), timeout)
		defer leave()
		return s.serve(r.WithContext(ctx))
	}
	for group := range slices.Chunk(writes, 8) {
		atOnce(len(group), func(i int) any {
			for attempt := range 2 {
				if a := try(group[i], callersPatience); a.status < 300 {
					t.Errorf("%s, attempt %d: acknowledged without the standby: %s", group[i].id, attempt, a)
				}
			}
			return nil
		})
	}
	s.must(standby.Restart(t.Context()))
	acknowledged := 0
	for _, w := range writes {
		switch a := try(w, time.Minute); {
		case a.status < 300:
			acknowledged++
		case a.status >= 500:
			t.Errorf("%s, with the standby: %s", w.id, a)
		}
	}
	if acknowledged < len(writes)/2 {
		t.Errorf("only %d of %d are acknowledged with the standby", acknowledged, len(writes))
	}
	t.Logf("%d of %d are acknowledged with the standby", acknowledged, len(writes))
}
