// Package jobs works off the jobs that transitions enqueue, using River on the same database. Arguments
// are ids only: their rows are read when the job runs, and no patient data is stored in a queue.
package jobs

import (
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// The queues have workers of their own: a hanging gateway does not delay dispatching.
const (
	Texts      = "texts"
	Dispatches = "dispatches"
)

// SendText sends one message. It is enqueued by each transition that owes a text.
type SendText struct {
	TenantID  uuid.UUID `json:"tenant_id"`
	MessageID uuid.UUID `json:"message_id"`
}

// Kind implements river.JobArgs.
func (SendText) Kind() string { return "send_text" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (SendText) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Texts} }

// DispatchPickup dispatches the pickup that was submitted by one event. It is enqueued by a submit if
// the tenant's flag auto_dispatch is on.
type DispatchPickup struct {
	TenantID uuid.UUID `json:"tenant_id"`
	EventID  uuid.UUID `json:"event_id"`
}

// Kind implements river.JobArgs.
func (DispatchPickup) Kind() string { return "dispatch_pickup" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (DispatchPickup) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Dispatches} }

// Timeouts, each shorter than the one that encloses it. A job waits for a gateway that is down, sends,
// and stores the result.
const (
	maxGatewayWait = 5 * time.Second  // for a gateway that is down
	jobTimeout     = 30 * time.Second // of the whole job; then its context ends
	// A job that has been running for longer belongs to a killed worker. Every process looks for them: such a
	// job runs again within a minute.
	rescueAfter    = 40 * time.Second
	rescueInterval = 10 * time.Second
	never          = 10 * 365 * 24 * time.Hour
)

const (
	// The poll interval. A NOTIFY in the transition's statement would wake a worker sooner, but takes a
	// cluster-wide lock at commit, which defeats group commit. pgbench, 32 callers who insert a job
	// each, two cores, fsync on: 4,300 to 12,700 per second without it, 600 to 3,300 with it.
	pollInterval = 100 * time.Millisecond
	// The interval while there are jobs: their rate is bound by it and not by the workers.
	fetchCooldown = 2 * time.Millisecond
	// Finished jobs are of no use: the messages table records the result.
	keepCompleted = 5 * time.Minute
	keepFailed    = 30 * 24 * time.Hour

	longestPause = time.Minute
)

// backoff returns the backoff after the n-th snooze, from 0: a second, doubled each time up to a
// minute, with jitter.
func backoff(n int) time.Duration {
	d := min(time.Second<<min(n, 10), longestPause)
	return d/2 + rand.N(d/2)
}

// jitter adds jitter to a pause of at least d, so that waiting jobs do not run in step; 0 stays 0.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d + rand.N(d/8+time.Second)
}
