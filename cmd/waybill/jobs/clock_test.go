package jobs

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/cmd/waybill/texts/fakegateway"
	"waybill/db/dbtest"
)

// clinicWhoseClockIs returns a clinic on a server of its own, whose clock is ahead of this process's, or behind it.
func clinicWhoseClockIs(t *testing.T, ahead string) *clinic {
	t.Helper()
	ownerURL, appURL := dbtest.WithClock(t, ahead)
	owner, err := pgxpool.New(t.Context(), ownerURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(owner.Close)
	return clinicOn(t, appURL, owner)
}

// skews are how far the database's clock is ahead of this process's.
var skews = map[string]time.Duration{"+1h": time.Hour, "-1h": -time.Hour}

func TestADatabasesClockIsRead(t *testing.T) {
	for ahead, skew := range skews {
		t.Run(ahead, func(t *testing.T) {
			clock, err := newDatabaseClock(t.Context(), clinicWhoseClockIs(t, ahead).store)
			if err != nil {
				t.Fatal(err)
			}
			if off := time.Until(clock.Now()) - skew; off.Abs() > 10*time.Minute {
				t.Errorf("off by %v", off)
			}
		})
	}
}

// A text that has to be sent again is, whatever this process's clock says, and so is one that a worker gives back
// when it stops. None waits for an hour.
func TestTextsAreSentByTheDatabasesClock(t *testing.T) {
	for ahead, skew := range skews {
		t.Run(ahead, func(t *testing.T) {
			c := clinicWhoseClockIs(t, ahead)
			fake := fakegateway.Start(t)
			fake.ClockIsAhead(skew)
			fake.Behave(func(_ string, try int) fakegateway.Fault {
				if try == 1 {
					return fakegateway.BusyFor // longer than River's scheduler waits
				}
				return fakegateway.Accept
			})
			c.work(c.gateway(fake))
			c.submit(1)
			c.eventually("it is sent", func() bool { return c.count(countSent) == 1 })
		})
	}
}

// Where workers stop, others send the texts at once.
func TestStoppedWorkersGiveTextsBackByTheDatabasesClock(t *testing.T) {
	for ahead, skew := range skews {
		t.Run(ahead, func(t *testing.T) {
			c := clinicWhoseClockIs(t, ahead)
			fake := fakegateway.Start(t)
			fake.ClockIsAhead(skew)
			fake.Always(fakegateway.Broken)
			first := c.work(c.gateway(fake))
			c.submit(8)
			c.eventually("the gateway is down", first.GatewayDown)
			c.must(first.Stop())
			fake.Always(fakegateway.Accept)
			if n := c.count(`SELECT count(*) FROM river_job WHERE state NOT IN ('available', 'scheduled', 'retryable')
				OR scheduled_at > now() + interval '1 minute'`); n > 0 {
				t.Errorf("%d jobs have to wait", n)
			}
			c.work(c.gateway(fake))
			c.eventually("all are sent", func() bool { return c.count(countSent) == 8 })
		})
	}
}

// A killed worker's job runs again, and one that runs is left to its worker.
func TestJobsAreRescuedByTheDatabasesClock(t *testing.T) {
	for ahead, skew := range skews {
		t.Run(ahead, func(t *testing.T) {
			c := clinicWhoseClockIs(t, ahead)
			fake := fakegateway.Start(t)
			fake.ClockIsAhead(skew)
			c.submit(2)
			c.exec(`UPDATE river_job SET state = 'running', attempt = 1, attempted_by = '{gone}', attempted_at = now()`)
			c.exec(`UPDATE river_job SET attempted_at = now() - $1::interval
				WHERE id = (SELECT min(id) FROM river_job)`, rescueAfter+time.Second)
			c.work(c.gateway(fake))
			c.eventually("the text is sent", func() bool {
				return c.count("SELECT count(*) FROM river_job WHERE state = 'completed'") == 1
			})
			sent, run := c.count(countSent), c.count("SELECT count(*) FROM river_job WHERE state = 'running'")
			if sent != 1 || run != 1 {
				t.Errorf("%d texts are sent, %d jobs run", sent, run)
			}
		})
	}
}
