package jobs

import (
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"waybill/cmd/waybill/texts"
	"waybill/cmd/waybill/texts/fakegateway"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

func TestTextsAreSentOrRefusedOnce(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	fake := fakegateway.Start(t)
	c.submit(20)
	refused := uuid.UUID{}
	c.must(c.owner.QueryRow(t.Context(), "SELECT id FROM messages LIMIT 1").Scan(&refused))
	fake.Behave(func(id string, _ int) fakegateway.Fault {
		if id == refused.String() {
			return fakegateway.Refuse
		}
		return fakegateway.Accept
	})
	// Duplicate jobs inserted by hand, and one without a message.
	c.exec("INSERT INTO river_job (kind, queue, args) SELECT kind, queue, args FROM river_job")
	c.exec("INSERT INTO river_job (kind, queue, args) VALUES ('send_text', 'texts', jsonb_build_object('tenant_id', "+
		"$1::uuid, 'message_id', $1::uuid))", c.Account)
	var mu sync.Mutex
	seen := map[Outcome]int{}
	c.work(c.gateway(fake), func(o *Options) {
		o.Observe = func(_ string, outcome Outcome, _ string) {
			mu.Lock()
			defer mu.Unlock()
			seen[outcome]++
		}
	})
	c.eventually("all jobs are finished", func() bool { return c.count(countUnfinished) == 0 })
	if n := c.count(countSent); n != 19 || len(fake.Taken()) != 19 {
		t.Errorf("%d sent, the gateway took %d", n, len(fake.Taken()))
	}
	if n := c.count("SELECT count(*) FROM messages WHERE id = $1 AND status = 'FAILED' AND reason = "+
		"'refused_422_invalid_number'", refused); n != 1 {
		t.Error("the rejected text has not failed with its reason")
	}
	if text := fake.Taken()[slices.Sorted(maps.Keys(fake.Taken()))[0]]; text.To != seed.StandardPhone ||
		text.Body != "Your pickup is booked." {
		t.Errorf("got %v", text)
	}
	mu.Lock()
	defer mu.Unlock()
	if seen[Failed] < 2 || seen[Done] != 39 || c.count(countLost) != 1 {
		t.Errorf("seen %v, %d lost", seen, c.count(countLost))
	}
}

// Every message meets several faults of its own in a row: lost, slow and foreign answers. Each takes
// effect once.
func TestTextsTakeEffectOnceWhateverTheGatewayDoes(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	fake := fakegateway.Start(t)
	fake.Behave(func(id string, try int) fakegateway.Fault {
		hash := fnv.New32()
		hash.Write([]byte(id))
		if faults := int(hash.Sum32()) % 4; try <= faults {
			return fakegateway.Faults[(int(hash.Sum32())/4+try)%len(fakegateway.Faults)]
		}
		return fakegateway.Accept
	})
	c.submit(60)
	c.work(c.gatewayWithin(fake, 100*time.Millisecond), func(o *Options) { o.Clock, o.Workers = lapse(60), 8 })
	c.schedule(60)
	c.eventually("all texts are sent", func() bool { return c.count(countSent) == 60 && c.count(countUnfinished) == 0 })
	if len(fake.Taken()) != 60 || c.count(countLost) != 0 {
		t.Errorf("%d effects, %d jobs lost", len(fake.Taken()), c.count(countLost))
	}
	if fake.Repeats() == 0 {
		t.Error("no answer was lost: nothing was tested")
	}
	t.Logf("%d requests, %d of them repeats", fake.Requests(), fake.Repeats())
}

// schedule does what River's leader does every five seconds, by another clock.
func (c *clinic) schedule(times int) {
	clock, done := lapse(times), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		executor := riverpgxv5.New(c.store.Pool()).GetExecutor()
		for ctx.Err() == nil {
			now := clock.Now()
			executor.JobSchedule(ctx, &riverdriver.JobScheduleParams{Max: 10_000, Now: &now})
			<-clock.After(5 * time.Second)
		}
	}()
	c.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// failingGateway is a gateway that is down until it is repaired.
type failingGateway struct {
	real    texts.Sender
	refused atomic.Int64
	mu      sync.Mutex
	down    bool
}

func (g *failingGateway) Send(ctx context.Context, text texts.Text) texts.Answer {
	g.mu.Lock()
	down := g.down
	if down {
		g.refused.Add(1)
	}
	g.mu.Unlock()
	if down {
		return texts.Answer{Verdict: texts.Retry, Reason: "unreachable"}
	}
	return g.real.Send(ctx, text)
}

func (g *failingGateway) repair() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = false
}

// The gateway is down for an hour of a faster clock. No text is lost, no job is given up, and nothing
// else is affected; afterwards the texts are sent at the workers' rate.
func TestAnHourWithoutTheGatewayLosesNothing(t *testing.T) {
	t.Parallel()
	const times = 240 // an hour in fifteen seconds
	minutes := dbtest.Rounds(60)
	outage := time.Duration(minutes) * time.Minute
	c := newClinic(t)
	fake := fakegateway.Start(t)
	gateway := &failingGateway{real: c.gateway(fake), down: true}
	c.submit(100)
	var held atomic.Int64
	workers := c.work(gateway, func(o *Options) {
		o.Clock = lapse(times)
		o.Observe = func(_ string, outcome Outcome, reason string) {
			if outcome == Snoozed {
				held.Add(1)
			}
		}
	})
	c.schedule(times)
	start, slowest := time.Now(), time.Duration(0)
	for time.Since(start) < outage/times {
		began := time.Now()
		c.submit(1)
		slowest = max(slowest, time.Since(began))
		time.Sleep(outage / times / 50)
	}
	if !workers.GatewayDown() || len(fake.Taken()) != 0 || c.count(countSent) != 0 {
		t.Error("the gateway was not down")
	}
	lasted := time.Since(start) * times // longer than was meant, on a busy machine
	if n := gateway.refused.Load(); n > int64(20+6*lasted.Minutes()) {
		t.Errorf("the failing gateway got %d requests in %v", n, lasted)
	}
	gateway.repair()
	back := time.Now()
	owed := c.count("SELECT count(*) FROM messages")
	c.eventually("all texts are sent",
		func() bool { return c.count(countSent) == owed && c.count(countUnfinished) == 0 })
	drained := time.Since(back) * times
	if lost := c.count(countLost); lost != 0 || len(fake.Taken()) != owed || fake.Repeats() != 0 {
		t.Errorf("%d jobs lost, %d of %d texts took effect, %d repeats", lost, len(fake.Taken()), owed, fake.Repeats())
	}
	if most := fake.MostAtOnce(); most > 4 {
		t.Errorf("%d concurrent requests by 4 workers", most)
	}
	if n := c.count("SELECT max(attempt) FROM river_job"); n > 1 {
		t.Errorf("%d attempts were consumed", n)
	}
	t.Logf("%d texts; %d requests in %d minutes, %d runs put off; slowest submit %v; drained in %v",
		owed, gateway.refused.Load(), minutes, held.Load(), slowest, drained)
}

type senderFunc func(context.Context, texts.Text) texts.Answer

func (f senderFunc) Send(ctx context.Context, t texts.Text) texts.Answer { return f(ctx, t) }

// Jobs that do not finish within the shutdown timeout return to their queue without using an attempt;
// jobs that wait for the gateway return at once.
func TestAStopHandsJobsBack(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	fake := fakegateway.Start(t)
	fake.Always(fakegateway.Hang)
	gateway, err := texts.NewGateway(texts.GatewayOptions{URL: fake.URL,
		Secret: fakegateway.Secret, Timeout: time.Minute})
	c.must(err)
	c.submit(6)
	workers, err := Start(t.Context(),
		Options{Store: c.store, Sender: gateway, Workers: 4, Log: quiet, SoftStop: 200 * time.Millisecond})
	c.must(err)
	c.eventually("four are being sent", func() bool { return fake.Requests() == 4 })
	c.must(workers.Stop()) // the gateway would not answer for a minute
	if n := c.count(
		"SELECT count(*) FROM river_job WHERE state = 'available' AND attempt = 0 AND scheduled_at <= now()"); n != 6 {
		t.Errorf("%d of 6 jobs are available again", n)
	}
	// And the next workers send them.
	fake.Always(fakegateway.Accept)
	c.work(c.gateway(fake))
	c.eventually("all texts are sent", func() bool { return c.count(countSent) == 6 })
}

// A panicking sender costs its job an attempt, and the worker continues.
func TestAPanicCostsNobodyElse(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	var first sync.Map
	c.submit(4)
	c.work(senderFunc(func(_ context.Context, text texts.Text) texts.Answer {
		if _, before := first.LoadOrStore(text.ID, true); !before {
			panic("of a sender")
		}
		return texts.Answer{Verdict: texts.Accepted}
	}))
	c.eventually("all texts are sent", func() bool { return c.count(countSent) == 4 })
}

// A text whose answer cannot be stored is sent again, and the gateway recognizes it.
func TestAnAnswerThatCannotBeWrittenIsAskedForAgain(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	fake := fakegateway.Start(t)
	real := c.gateway(fake)
	c.submit(1)
	var once sync.Once
	c.work(senderFunc(func(ctx context.Context, text texts.Text) texts.Answer {
		answer := real.Send(ctx, text)
		once.Do(func() { c.exec("REVOKE UPDATE ON messages FROM waybill_app") })
		if fake.Repeats() > 0 {
			c.exec("GRANT UPDATE ON messages TO waybill_app")
		}
		return answer
	}))
	c.eventually("the text is sent", func() bool { return c.count(countSent) == 1 })
	if len(fake.Taken()) != 1 || fake.Repeats() == 0 {
		t.Errorf("%d effects, %d repeats", len(fake.Taken()), fake.Repeats())
	}
}
