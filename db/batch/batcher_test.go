package batch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What the batcher does with requests, whatever their statement. That each statement
// answers its requests as if they came one by one is proved on the database.

// failed is an error of a known kind; any other is Unknown.
type failed Failure

func (f failed) Error() string { return fmt.Sprintf("failure %d", int(f)) }

var (
	errRejected    error = failed(Rejected)
	errUnavailable error = failed(Unavailable)
	errDeadlock    error = failed(Deadlock)
	errLockTimeout error = failed(LockTimeout)
	errRevoked     error = failed(Revoked)
)

func classify(err error) Failure {
	var f failed
	errors.As(err, &f)
	return Failure(f)
}

// flushes records what each flush was asked, and lets each take a moment.
type flushes struct {
	mu    sync.Mutex
	asked [][]int
	fails func([]int) error
}

func (f *flushes) flush(_ context.Context, asks []int) ([]int, error) {
	f.mu.Lock()
	f.asked = append(f.asked, slices.Clone(asks))
	f.mu.Unlock()
	time.Sleep(time.Millisecond)
	if f.fails != nil {
		if err := f.fails(asks); err != nil {
			return nil, err
		}
	}
	answers := make([]int, len(asks))
	for i, a := range asks {
		answers[i] = -a
	}
	return answers, nil
}

// config is that of a batcher of numbers, each of which is a row of its own and a caller.
func (f *flushes) config(inFlight int) Config[int, int, int] {
	return Config[int, int, int]{
		Flush:    f.flush,
		Resolve:  func(_ context.Context, ask int) (int, error) { return 1000 + ask, nil },
		Classify: classify,
		OwnRows:  func(ask int) []int { return []int{ask} },
		Caller:   func(ask int) int { return ask % 256 },
		Limits:   Limits{MaxInFlight: inFlight, MaxBatch: 64, MaxQueue: 100},
	}
}

func (f *flushes) batcher(inFlight int) *Batcher[int, int, int] { return New(f.config(inFlight)) }

// together asks for all at once and gives what each got.
func together(c *Batcher[int, int, int], asks ...int) ([]int, []error) {
	answers, errs := make([]int, len(asks)), make([]error, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() { answers[i], errs[i] = c.Do(context.Background(), ask) })
	}
	wg.Wait()
	return answers, errs
}

func upTo(n int) (asks []int) {
	for i := range n {
		asks = append(asks, i)
	}
	return asks
}

func TestALoneRequestStartsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		start := time.Now()
		answer, err := f.batcher(1).Do(t.Context(), 7)
		if answer != -7 || err != nil || time.Since(start) != time.Millisecond {
			t.Errorf("%d, %v after %v; want -7 after the one flush", answer, err, time.Since(start))
		}
	})
}

func TestRequestsGatherWhileAFlushRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		asks := upTo(33)
		answers, errs := together(f.batcher(1), asks...)
		for i := range asks {
			if answers[i] != -i || errs[i] != nil {
				t.Errorf("%d got %d, %v", i, answers[i], errs[i])
			}
		}
		if len(f.asked) != 2 || len(f.asked[1]) != 32 {
			t.Errorf("flushes of %v; want one of 1, and one of the 32 that came meanwhile", f.asked)
		}
	})
}

// A session that was ended under way is no fault of its user's other requests.
func TestWhoseSessionEndedIsNoSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func(asks []int) error {
			if slices.Contains(asks, 13) {
				return errRevoked
			}
			return nil
		}}
		c := f.batcher(1)
		_, errs := together(c, upTo(32)...)
		for ask, err := range errs {
			if (err != nil) != (ask == 13) {
				t.Errorf("%d got %v", ask, err)
			}
		}
		if len(c.suspect) > 0 {
			t.Errorf("%d are suspects", len(c.suspect))
		}
	})
}

// The server's state is told to each request of a batch at once: none of them is tried
// alone, and nobody's next request is put in quarantine.
func TestServerThatTakesNoWritesIsNoCallersFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func([]int) error { return errUnavailable }}
		c := f.batcher(1)
		_, errs := together(c, upTo(33)...)
		for i, err := range errs {
			if !errors.Is(err, errUnavailable) {
				t.Errorf("%d got %v", i, err)
			}
		}
		// The first goes alone; whoever came meanwhile shares a batch.
		if len(f.asked) != 2 || len(c.suspect) > 0 {
			t.Errorf("%d batches, %d callers in quarantine", len(f.asked), len(c.suspect))
		}
	})
}

// held is a flush that takes as long as one likes, for requests from 100 on.
func (f *flushes) held(release <-chan struct{}) func(context.Context, []int) ([]int, error) {
	return func(ctx context.Context, asks []int) ([]int, error) {
		if asks[0] >= 100 {
			<-release
		}
		return f.flush(ctx, asks)
	}
}

func TestAnotherFlightDepartsBesideALateOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, release := &flushes{}, make(chan struct{})
		c := f.batcher(2)
		c.Flush = f.held(release)
		var stuck sync.WaitGroup
		defer stuck.Wait()
		defer close(release)
		stuck.Go(func() { c.Do(t.Context(), 100) })
		synctest.Wait()
		start := time.Now()
		together(c, upTo(20)...)
		if took := time.Since(start); len(f.asked) != 1 || took < late || took > 2*late {
			t.Errorf("flushes of %v after %v; want one of all 20 as soon as the first is late", f.asked, took)
		}
		start = time.Now()
		if c.Do(t.Context(), 7); time.Since(start) != time.Millisecond {
			t.Errorf("one that comes alone beside it took %v", time.Since(start))
		}
		stuck.Go(func() { c.Do(t.Context(), 101) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*late)
		defer cancel()
		if _, err := c.Do(ctx, 8); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third departed beside two: %v", err)
		}
	})
}

func TestACrowdHasAFlightOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		together(f.batcher(2), upTo(1+crowd+crowd-1)...)
		var sizes []int
		for _, asks := range f.asked {
			sizes = append(sizes, len(asks))
		}
		slices.Sort(sizes) // the first two take off at one moment
		if !slices.Equal(sizes, []int{1, crowd - 1, crowd}) {
			t.Errorf("flushes of %v; want one of the first, of those who filled another, and of the rest", sizes)
		}
	})
}

func TestNoTwoFlushesShareARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, release := &flushes{}, make(chan struct{})
		c := f.batcher(2)
		c.Flush = f.held(release)
		c.SharedRows = func(ask int) []int { return []int{ask % 2} }
		var first sync.WaitGroup
		first.Go(func() { c.Do(t.Context(), 100) })
		synctest.Wait()
		for ask := range 10 {
			first.Go(func() { c.Do(t.Context(), ask) })
		}
		time.Sleep(3 * late)
		synctest.Wait()
		if len(f.asked) != 1 || len(f.asked[0]) != 5 || slices.ContainsFunc(f.asked[0], func(ask int) bool { return ask%2 == 0 }) {
			t.Errorf("flushes of %v; want one of the odd, while one that shares a row with the even is under way", f.asked)
		}
		close(release)
		first.Wait()
		if len(f.asked) != 3 || len(f.asked[2]) != 5 {
			t.Errorf("flushes of %v; want one of all the even in the end", f.asked)
		}
	})
}

func TestRequestsOfOneKeyNeverShareAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		var underWay, most atomic.Int32
		c := f.batcher(3)
		flush := c.Flush
		c.Flush = func(ctx context.Context, asks []int) ([]int, error) {
			if slices.Contains(asks, 5) {
				most.Store(max(most.Load(), underWay.Add(1)))
				defer underWay.Add(-1)
			}
			return flush(ctx, asks)
		}
		together(c, 5, 5, 5, 1, 2, 3, 5)
		seen := 0
		for _, asks := range f.asked {
			n := len(asks) - len(slices.DeleteFunc(slices.Clone(asks), func(a int) bool { return a == 5 }))
			if n > 1 {
				t.Errorf("a flush of %v", asks)
			}
			seen += n
		}
		if seen != 4 || most.Load() != 1 {
			t.Errorf("%d requests of one key, up to %d under way at once; want 4, one after the other", seen, most.Load())
		}
	})
}

func TestARefusedFlushFailsTheGuiltyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func(asks []int) error {
			if slices.Contains(asks, 13) || slices.Contains(asks, 14) {
				return errRejected
			}
			return nil
		}}
		answers, errs := together(f.batcher(1), upTo(40)...)
		for i := range answers {
			if guilty := i == 13 || i == 14; guilty != errors.Is(errs[i], errRejected) || !guilty && answers[i] != -i {
				t.Errorf("%d got %d, %v", i, answers[i], errs[i])
			}
		}
	})
}

func TestARepeatOffenderGoesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func(asks []int) error {
			if slices.Contains(asks, 13) {
				return errRejected
			}
			return nil
		}}
		c := f.batcher(1)
		go c.Do(t.Context(), 0) // who comes first comes alone, which costs nobody else
		synctest.Wait()
		together(c, upTo(40)[1:]...)
		f.asked = nil
		_, errs := together(c, upTo(40)...)
		shared := slices.ContainsFunc(f.asked, func(asks []int) bool { return slices.Contains(asks, 13) && len(asks) > 1 })
		if !errors.Is(errs[13], errRejected) || shared || len(f.asked) > 3 {
			t.Errorf("%v in flushes of %v; want the suspect alone, and the others as if they were not there", errs[13], f.asked)
		}
		f.fails = nil
		for range probation {
			together(c, 13)
		}
		synctest.Wait()
		if len(c.suspect) != 0 {
			t.Error("still a suspect after a time of good requests")
		}
	})
}

func TestAVictimOfADeadlockIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		f.fails = func([]int) error {
			if len(f.asked) < 3 {
				return errDeadlock
			}
			return nil
		}
		if answers, errs := together(f.batcher(1), 1); answers[0] != -1 || errs[0] != nil {
			t.Errorf("got %v, %v", answers, errs)
		}
	})
}

func TestAnUnknownOutcomeIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func(asks []int) error {
			if len(asks) > 1 {
				return errors.New("connection reset by peer")
			}
			return nil
		}}
		answers, errs := together(f.batcher(1), upTo(5)...)
		resolved := 0
		for i, answer := range answers {
			if errs[i] != nil || answer != -i && answer != 1000+i {
				t.Errorf("%d got %d, %v", i, answer, errs[i])
			}
			if answer == 1000+i {
				resolved++
			}
		}
		if resolved != 4 {
			t.Errorf("%d of the 4 that shared a flush were resolved", resolved)
		}
	})
}

func TestWhoGoesAwayBeforeTheFlushIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		c := f.batcher(1)
		go c.Do(t.Context(), 1)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { _, err := c.Do(ctx, 2); gone <- err }()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("who went away got %v", err)
		}
		together(c, 3)
		for _, asks := range f.asked {
			if slices.Contains(asks, 2) {
				t.Errorf("flushes of %v: 2 went away", f.asked)
			}
		}
	})
}

func TestWhoGoesAwayInAFlightLeavesTheOthersTheirAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		c := f.batcher(1)
		go c.Do(t.Context(), 1)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Microsecond) // the second flush runs by then
		defer cancel()
		gone := make(chan error)
		go func() { _, err := c.Do(ctx, 2); gone <- err }()
		answers, errs := together(c, 3)
		if err := <-gone; !errors.Is(err, context.DeadlineExceeded) || answers[0] != -3 || errs[0] != nil {
			t.Errorf("who left got %v, who stayed %d, %v", err, answers[0], errs[0])
		}
		if len(f.asked) != 2 || len(f.asked[1]) != 2 {
			t.Errorf("flushes of %v; want one of the two", f.asked)
		}
	})
}

// Somebody else holds a row for long: of those who shared a flush, only those who need
// the row are refused, after their second wait, and they are nobody's suspects. The
// others have waited once, and whoever comes after them not at all.
func TestAFlushThatWaitsInVainIsParted(t *testing.T) {
	const wait = 3 * time.Second
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		c := f.batcher(2)
		c.SharedRows = func(ask int) []int { return []int{ask / 10} }
		c.Flush = func(ctx context.Context, asks []int) ([]int, error) {
			if slices.ContainsFunc(asks, func(ask int) bool { return ask/10 == 3 }) {
				time.Sleep(wait)
				return nil, errLockTimeout
			}
			return f.flush(ctx, asks)
		}
		type told struct {
			ask   int
			err   error
			after time.Duration
		}
		answers, start := make(chan told, 7), time.Now()
		ask := func(ask int) {
			_, err := c.Do(t.Context(), ask)
			answers <- told{ask, err, time.Since(start)}
		}
		for _, i := range []int{50, 11, 31, 21, 32, 12} { // the first goes alone
			go ask(i)
			synctest.Wait()
		}
		time.Sleep(wait + 10*time.Millisecond)
		go ask(13)
		for range cap(answers) {
			a := <-answers
			switch {
			case a.ask/10 == 3 && (a.err != errLockTimeout || a.after > 2*wait+5*time.Millisecond):
				t.Errorf("%d, of the row that is held, got %v after %v", a.ask, a.err, a.after)
			case a.ask/10 != 3 && (a.err != nil || a.after > wait+15*time.Millisecond):
				t.Errorf("%d got %v after %v", a.ask, a.err, a.after)
			}
		}
		if len(c.suspect) > 0 {
			t.Errorf("%d are suspects", len(c.suspect))
		}
		synctest.Wait()
		if len(c.held)+len(c.shared)+len(c.flying) > 0 {
			t.Errorf("at the end %v and %v are held, %d are flying", c.held, c.shared, len(c.flying))
		}
	})
}

// Where nobody knows who needs the row, one half of the flush is refused at the most.
func TestAFlushThatWaitsInVainForNobodyKnowsWhatIsHalved(t *testing.T) {
	const wait = 3 * time.Second
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		c := f.batcher(1)
		c.Flush = func(ctx context.Context, asks []int) ([]int, error) {
			if slices.Contains(asks, 30) {
				time.Sleep(wait)
				return nil, errLockTimeout
			}
			return f.flush(ctx, asks)
		}
		go c.Do(t.Context(), 100) // the first goes alone
		synctest.Wait()
		start := time.Now()
		_, errs := together(c, upTo(64)...)
		refused := 0
		for i, err := range errs {
			switch {
			case err == errLockTimeout:
				refused++
			case err != nil || i == 30:
				t.Errorf("%d got %v", i, err)
			}
		}
		if took := time.Since(start); refused == 0 || refused > 32 || took > 2*wait+10*time.Millisecond {
			t.Errorf("%d were refused, the last after %v", refused, took)
		}
	})
}

// However long each half takes to be refused, there is one deadline.
func TestHalvingAFlushHasOneDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		c := f.batcher(1)
		c.Flush = func(ctx context.Context, asks []int) ([]int, error) {
			select {
			case <-time.After(3 * time.Second):
				return nil, errRejected
			case <-ctx.Done():
				return nil, errUnavailable
			}
		}
		start := time.Now()
		_, errs := together(c, upTo(64)...)
		for i, err := range errs {
			if err == nil {
				t.Errorf("%d has an answer", i)
			}
		}
		if took := time.Since(start); took > 3*time.Second+flushTimeout {
			t.Errorf("the last was told after %v", took)
		}
	})
}

func TestAPanicInAFlushIsAnErrorOfItsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func(asks []int) error {
			if slices.Contains(asks, 2) {
				panic("no such thing")
			}
			return nil
		}}
		c := f.batcher(1)
		_, errs := together(c, 1, 2, 3)
		for i, err := range errs {
			if panicked := new(PanicError); err != nil && !errors.As(err, &panicked) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if _, errs := together(c, 1, 3); errs[0] != nil || errs[1] != nil {
			t.Errorf("afterwards: %v", errs)
		}
	})
}

func TestAFullQueueRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		c := f.batcher(1)
		c.MaxQueue = 10
		_, errs := together(c, upTo(20)...)
		refused := 0
		for _, err := range errs {
			if errors.Is(err, ErrQueueFull) {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if refused != 9 {
			t.Errorf("%d refused; want 20 but one under way and ten who wait", refused)
		}
	})
}

// TestEachRequestIsAnsweredOnce runs many callers over few keys, with flushes that fail
// in every way, and counts.
func TestEachRequestIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	var flushed [100]atomic.Int32
	c := New(Config[int, string, int]{
		Flush: func(_ context.Context, asks []int) ([]string, error) {
			answers := make([]string, len(asks))
			for i, a := range asks {
				if flushed[a].Add(1) != 1 {
					panic("two of one key at once")
				}
				answers[i] = fmt.Sprint(a)
			}
			time.Sleep(time.Duration(rand.N(int64(200 * time.Microsecond))))
			for _, a := range asks {
				flushed[a].Add(-1)
			}
			switch rand.N(10) {
			case 0:
				return nil, errRejected
			case 1:
				return nil, errors.New("connection reset by peer")
			}
			return answers, nil
		},
		Resolve:    func(_ context.Context, ask int) (string, error) { return fmt.Sprint(ask), nil },
		Classify:   classify,
		OwnRows:    func(ask int) []int { return []int{ask} },
		SharedRows: func(ask int) []int { return []int{ask % 5} },
		Caller:     func(ask int) int { return ask % 7 },
		Limits:     Limits{MaxInFlight: 2, MaxBatch: 16, MaxQueue: 1000},
	})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 100 {
				ask := rand.N(len(flushed))
				if got, err := c.Do(context.Background(), ask); err == nil && got != fmt.Sprint(ask) {
					t.Errorf("%d got %q", ask, got)
				} else if err != nil && !errors.Is(err, errRejected) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for range 1000 { // the last flights land after they answered
		if len(c.flying) == 0 && !c.alone {
			break
		}
		c.mu.Unlock()
		time.Sleep(time.Millisecond)
		c.mu.Lock()
	}
	if len(c.queue) != 0 || len(c.held) != 0 || len(c.shared) != 0 || len(c.flying) != 0 {
		t.Errorf("left over: %d waiting, %d and %d held, %d under way", len(c.queue), len(c.held), len(c.shared), len(c.flying))
	}
}
