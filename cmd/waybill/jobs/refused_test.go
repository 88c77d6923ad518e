package jobs

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/cmd/waybill/texts/fakegateway"
)

// The gateway does not know the secret for a while, or its path is wrong: no text is lost.
func TestAWrongSecretLosesNoText(t *testing.T) {
	t.Parallel()
	for _, fault := range []fakegateway.Fault{fakegateway.Unauthorized, fakegateway.Nowhere} {
		c := newClinic(t)
		fake := fakegateway.Start(t)
		fake.Always(fault)
		c.submit(10)
		workers := c.work(c.gateway(fake), func(o *Options) { o.Clock = lapse(60) })
		c.schedule(60)
		c.eventually("the gateway is thought to be down", workers.GatewayDown)
		if n := c.count("SELECT count(*) FROM messages WHERE status <> 'QUEUED'"); n != 0 {
			t.Errorf("%s: %d texts are settled", fault, n)
		}
		fake.Always(fakegateway.Accept)
		c.eventually("all texts are sent",
			func() bool { return c.count(countSent) == 10 && c.count(countUnfinished) == 0 })
	}
}

// Retry-After of seven seconds is respected, by a faster clock.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	fake := fakegateway.Start(t)
	clock := lapse(20)
	var mu sync.Mutex
	var at []time.Time
	fake.Behave(func(string, int) fakegateway.Fault {
		mu.Lock()
		defer mu.Unlock()
		if at = append(at, clock.Now()); len(at) == 1 {
			return fakegateway.BusyFor
		}
		return fakegateway.Accept
	})
	c.submit(5)
	c.work(c.gateway(fake), func(o *Options) { o.Clock, o.Workers = clock, 1 })
	c.schedule(20)
	c.eventually("all texts are sent", func() bool { return c.count(countSent) == 5 })
	mu.Lock()
	defer mu.Unlock()
	if waited := at[1].Sub(at[0]); waited < 7*time.Second {
		t.Errorf("Retry-After was 7 s, retried after %v", waited)
	}
}

// resend asks for each text to be sent again, as so many concurrent callers, and returns how often a caller
// was the one who did.
func (c *clinic) resend(all []RefusedText, callers int) (total int) {
	c.t.Helper()
	var wg sync.WaitGroup
	won := make([]int, callers)
	for i := range won {
		wg.Go(func() {
			for _, r := range all {
				if again, err := Resend(c.t.Context(), c.store, r); err != nil {
					c.t.Error(err)
				} else if again {
					won[i]++
				}
			}
		})
	}
	wg.Wait()
	for _, n := range won {
		total += n
	}
	return total
}

// A refused text is sent again on request, once, however many requests there are.
func TestARefusedTextIsSentAgain(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	fake := fakegateway.Start(t)
	fake.Always(fakegateway.Refuse)
	c.submit(3)
	c.exec("DELETE FROM phone_numbers")
	c.submit(1) // has no phone number: not refused by the gateway
	c.work(c.gateway(fake))
	c.eventually("all are refused", func() bool {
		return c.count("SELECT count(*) FROM messages WHERE reason = 'refused_422_invalid_number'") == 3 &&
			c.count(countUnfinished) == 0
	})
	var all []RefusedText
	list := func(since time.Time, reason string) (n int) {
		all = nil
		c.must(Refused(t.Context(), c.store, since, reason, func(r RefusedText) error {
			all = append(all, r)
			return nil
		}))
		return len(all)
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	if list(yesterday, "refused_410") != 0 || list(time.Now().Add(time.Hour), "") != 0 ||
		list(yesterday, "refused_422") != 3 {
		t.Error("the filters do not filter")
	}
	if n := list(yesterday, ""); n != 3 || all[0].Tenant != c.Slug {
		t.Fatalf("%d rejected texts: %v", n, all)
	}
	stop := errors.New("enough")
	if err := Refused(t.Context(), c.store, yesterday, "", func(RefusedText) error { return stop }); err != stop {
		t.Errorf("the callback's error: %v", err)
	}
	fake.Always(fakegateway.Accept)
	total := c.resend(all, 8)
	c.eventually("all are sent", func() bool { return c.count(countSent) == 3 && c.count(countUnfinished) == 0 })
	if total != 3 || len(fake.Taken()) != 3 || fake.Repeats() != 0 {
		t.Errorf("resent %d times, %d took effect, %d repeats", total, len(fake.Taken()), fake.Repeats())
	}
	if again, err := Resend(t.Context(), c.store,
		RefusedText{TenantID: c.staff.TenantID, ID: uuid.New()}); again || err != nil {
		t.Errorf("an unknown text: %v, %v", again, err)
	}
}
