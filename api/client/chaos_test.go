//go:build !race

// The server is api's to test with the race detector.

package client_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/api/client"
	"waybill/db/dbtest"
)

// forEach calls work for the numbers below n, so many at once, until one fails.
func forEach(ctx context.Context, workers, n int, work func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	numbers := make(chan int)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := range numbers {
				if err := work(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		numbers <- i
	}
	close(numbers)
	all.Wait()
	return context.Cause(ctx)
}

// writes are those of a thorough run, as in api/ts; otherwise it makes a quarter.
const writes = 10_000

func TestWritesThroughANetworkThatLosesDelaysDoublesAndCutsTakeEffectOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	proxy, url := startUnreliable(t, s.url, 20)
	pauses, patience := client.WithPauses(20*time.Millisecond, 500*time.Millisecond), client.WithPatience(2*time.Minute)
	staff, admin := s.through(url, s.staff, pauses, patience), s.through(url, s.admin, pauses, patience)
	rounds := dbtest.Rounds(writes) / 5
	input := s.newPickup()
	input.PriceCents = 100
	check(t, forEach(t.Context(), 32, rounds, func(ctx context.Context, i int) error {
		deposit := client.NewLedgerEntry{AmountCents: 300}
		if _, err := admin.Accounts.DepositToAccount(ctx, s.account, deposit); err != nil {
			return fmt.Errorf("deposit: %w", err)
		}
		draft, err := staff.Pickups.Create(ctx, input)
		if err != nil {
			return fmt.Errorf("create: %w", err)
		}
		change := client.PickupEdit{PickupAddress: new(address(i)), WindowEnd: client.Set(windowEnd)}
		edited, err := staff.Pickups.Edit(ctx, draft, change)
		if err != nil || edited.Version != draft.Version+1 {
			return fmt.Errorf("edit of version %d to %v: %w", draft.Version, edited, err)
		}
		if _, err := staff.Pickups.Submit(ctx, draft.ID); err != nil {
			return fmt.Errorf("submit: %w", err)
		}
		if _, err := admin.Accounts.Charge(ctx, s.account, client.NewLedgerEntry{AmountCents: 50}); err != nil {
			return fmt.Errorf("charge: %w", err)
		}
		return nil
	}))
	proxy.late.Wait()
	t.Log(proxy.faults(), proxy.overtaken.Load(), "overtaken")
	if n := proxy.overtaken.Load(); n < int64(rounds*5/1000) {
		t.Errorf("%d requests were overtaken by those that were sent again", n)
	}
	for _, f := range faults {
		if n := proxy.faults()[f]; n < rounds*5/100 {
			t.Errorf("the network was reliable: it did %q %d times", f, n)
		}
	}
	s.wroteOnce(t, rounds)
}

// windowEnd is a time that the server writes in another way.
var windowEnd = time.Date(2040, 1, 1, 9, 0, 0, 123456789, time.FixedZone("", 3600))

func address(i int) string { return fmt.Sprintf("%d Mission St", i) }

// wroteOnce fails the test unless each round has written a pickup, a deposit and two charges.
func (s *server) wroteOnce(t *testing.T, rounds int) {
	t.Helper()
	addresses, want := map[string]int{}, map[string]int{}
	for p, err := range s.as(s.staff).Pickups.List(t.Context(), &client.ListPickupsQuery{Limit: 200}) {
		check(t, err)
		if addresses[p.PickupAddress]++; p.Status != client.PickupStatusSubmitted {
			t.Errorf("%s is %s", p.PickupAddress, p.Status)
		}
	}
	for i := range rounds {
		want[address(i)] = 1
		if n := addresses[address(i)]; n != 1 {
			t.Errorf("%d pickups of round %d", n, i)
		}
	}
	if len(addresses) != len(want) {
		t.Errorf("%d addresses, want %d", len(addresses), len(want))
	}
	kinds := map[client.EntryKind]int{}
	for e, err := range s.as(s.admin).Accounts.ListEntries(t.Context(), s.account, &client.ListQuery{Limit: 200}) {
		check(t, err)
		kinds[e.Kind]++
	}
	if kinds[client.EntryKindCharge] != 2*rounds || kinds[client.EntryKindDeposit] != rounds+1 {
		t.Errorf("the entries are %v, want %d charges and %d deposits", kinds, 2*rounds, rounds+1)
	}
	got := value(s.as(s.admin).Accounts.Get(t.Context(), s.account))(t).BalanceCents
	if want := int64(balance + rounds*(300-100-50)); got != want {
		t.Errorf("the balance is %d, want %d", got, want)
	}
}

// cuts are those of a thorough run, as in api/ts; otherwise it makes a quarter.
const cuts = 1_000

func TestStreamThatIsCutAtRandomBytesLosesNoEventAndRepeatsNone(t *testing.T) {
	t.Parallel()
	s := start(t)
	proxy, url := startCutter(t, s.url, 4_000)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	began, added := make(chan struct{}), make(chan uuid.UUID, 1)
	go func() {
		isFirst := true
		c := s.through(url, s.dispatcher, client.WithPauses(time.Millisecond, 20*time.Millisecond))
		for m, err := range c.Pickups.Stream(ctx, nil) {
			if err != nil {
				t.Errorf("the stream ended: %v", err)
				break
			}
			if isFirst {
				close(began)
			}
			if isFirst = false; m.Event != nil {
				added <- m.Event.ID
			}
		}
		close(added)
	}()
	<-began
	seen, done := collect(added)

	staff, caused := s.as(s.staff), []uuid.UUID(nil)
	input := s.newPickup()
	input.PriceCents = 0
	for proxy.cuts.Load() < int64(dbtest.Rounds(cuts)) {
		draft := value(staff.Pickups.Create(ctx, input))(t)
		value(staff.Pickups.Submit(ctx, draft.ID))(t)
		value(staff.Pickups.Cancel(ctx, draft.ID, client.Cancellation{}))(t)
		for e, err := range staff.Pickups.ListEvents(ctx, draft.ID, nil) {
			check(t, err)
			caused = append(caused, e.ID)
		}
	}
	for !seen.hasAll(caused) && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	<-done
	if n := len(seen.ids); n != len(caused) || !slices.Equal(seen.sorted(), sorted(caused)) {
		t.Errorf("%d events were told, want each of %d once", n, len(caused))
	}
	t.Logf("%d events, %d cuts", len(caused), proxy.cuts.Load())
}

// ids are those of events, in the order in which they came.
type ids struct {
	mu  sync.Mutex
	ids []uuid.UUID
}

// collect keeps what comes until the channel is closed; then done is.
func collect(from <-chan uuid.UUID) (*ids, <-chan struct{}) {
	all, done := &ids{}, make(chan struct{})
	go func() {
		for id := range from {
			all.mu.Lock()
			all.ids = append(all.ids, id)
			all.mu.Unlock()
		}
		close(done)
	}()
	return all, done
}

func (s *ids) sorted() []uuid.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sorted(s.ids)
}

func (s *ids) hasAll(caused []uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids) >= len(caused)
}

func sorted(all []uuid.UUID) []uuid.UUID {
	return slices.SortedFunc(slices.Values(all), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
}
