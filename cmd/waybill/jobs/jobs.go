// Package jobs works what the transitions' statements enqueue, with River, which finds
// its rows in the same database. Arguments are ids: what they mean is read afresh, and
// no patient's data stands in a queue.
package jobs

import (
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// The queues, worked apart: a gateway that hangs holds up no dispatch.
const (
	Texts      = "texts"
	Dispatches = "dispatches"
)

// SendText sends one message. Enqueued by each transition that owes a text.
type SendText struct {
	TenantID  uuid.UUID `json:"tenant_id"`
	MessageID uuid.UUID `json:"message_id"`
}

// Kind implements river.JobArgs.
func (SendText) Kind() string { return "send_text" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (SendText) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Texts} }

// DispatchPickup dispatches the pickup that was submitted by one event. Enqueued by a
// submit, where the tenant's flag auto_dispatch is on.
type DispatchPickup struct {
	TenantID uuid.UUID `json:"tenant_id"`
	EventID  uuid.UUID `json:"event_id"`
}

// Kind implements river.JobArgs.
func (DispatchPickup) Kind() string { return "dispatch_pickup" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (DispatchPickup) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Dispatches} }

// The limits of time, each shorter than the one outside it. A job holds on for a
// gateway that is down, sends, and writes what came of it.
const (
	patience   = 5 * time.Second  // for a gateway that is down
	jobTimeout = 30 * time.Second // of a job in all; then its context ends
	// A job that has been running for longer was a killed worker's. River looks every
	// 30 s, and elects another leader in 15: it runs again within two minutes.
	rescueAfter = 40 * time.Second
)

const (
	// A job is looked for this often. A NOTIFY in the transition's statement would wake
	// a worker sooner, and takes a lock of the whole cluster at commit, which undoes
	// the grouping of commits. pgbench, 32 callers who insert a job each, two cores,
	// fsync on: 4,300 to 12,700 a second without it, 600 to 3,300 with it.
	pollInterval = 100 * time.Millisecond
	// While there are jobs, this often: by 2 ms, not by the workers, is their rate bound.
	fetchCooldown = 2 * time.Millisecond
	// Finished jobs are looked at by nobody: the texts' table says what became of them.
	keepCompleted = 5 * time.Minute
	keepFailed    = 30 * 24 * time.Hour

	longestPause = time.Minute
)

// pauseAfter is how long a job waits that could not be done now, for the n-th time from
// 0: a second, twice as long each time, a minute at most; not all of them in step.
func pauseAfter(n int) time.Duration {
	d := min(time.Second<<min(n, 10), longestPause)
	return d/2 + rand.N(d/2)
}

// spread is a pause of at least d, 0 for none: not all jobs that wait for one moment come
// in step.
func spread(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d + rand.N(d/8+time.Second)
}
