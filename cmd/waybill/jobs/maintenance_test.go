package jobs

import (
	"testing"
	"time"

	"waybill/cmd/waybill/texts"
	"waybill/cmd/waybill/texts/fakegateway"
)

func TestAKilledWorkersJobRunsAgainWithinAMinute(t *testing.T) {
	t.Parallel()
	if worst := rescueAfter + rescueInterval + pollInterval; worst > time.Minute {
		t.Errorf("the worst case takes %v", worst)
	}
	if jobTimeout >= rescueAfter {
		t.Error("a running job is rescued as if its process had been killed")
	}
	c := newClinic(t)
	fake := fakegateway.Start(t)
	c.submit(1)
	// Started by a killed worker, slightly longer ago than jobs may take.
	c.exec("UPDATE river_job SET state = 'running', attempt = 1, attempted_by = '{gone}', attempted_at = now() - "+
		"$1::interval", rescueAfter+time.Second)
	// And a job that finished long ago.
	c.exec(`INSERT INTO river_job (kind, queue, args, state, finalized_at)
		SELECT kind, queue, '{}', 'completed', now() - $1::interval FROM river_job`, keepCompleted+time.Second)
	c.work(c.gateway(fake))
	c.eventually("the text is sent, and the finished job is gone", func() bool {
		return c.count(countSent) == 1 && c.count("SELECT count(*) FROM river_job WHERE args = '{}'") == 0
	})
}

// How soon is logged, and bench jobs measures it.
func TestAnIdleWorkerStartsAJob(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.work(texts.Log{Logger: quiet})
	c.submit(1)
	c.eventually("it is sent", func() bool { return c.count(countSent) == 1 })
	var slowest time.Duration
	for range 5 {
		c.submit(1)
		start := time.Now()
		c.eventually("it is sent", func() bool { return c.count(countUnsent) == 0 })
		slowest = max(slowest, time.Since(start))
	}
	t.Logf("the slowest of five took %v; on an idle machine, 100ms", slowest)
}

func TestPausesGrowToAMinute(t *testing.T) {
	t.Parallel()
	for n, longest := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second,
		5: 32 * time.Second, 6: time.Minute, 1_000_000: time.Minute} {
		for range 100 {
			if got := backoff(n); got < longest/2 || got > longest {
				t.Errorf("after %d: %v", n, got)
			}
		}
	}
}
