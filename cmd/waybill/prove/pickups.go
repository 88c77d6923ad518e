package prove

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func pickupStories() []story {
	return []story{
		{"resubmission",
			"An item was shipped. Two weeks later a bug submitted its pickup again, and a driver was sent for " +
				"nothing.",
			"Submit a shipped pickup again, concurrently; and in every status, every transition that the pickup has " +
				"behind it.",
			resubmission},
		{"skipped-steps",
			"A misplaced item went straight to the packing station: the earlier transitions never happened.",
			"In every status, every transition that is not due yet; then all transitions of the hub concurrently.",
			skippedSteps},
		{"duplicates-with-key",
			"A faulty proxy sent a submit several times: four drivers were assigned, four texts sent.",
			"Submit, assign and dispatch four times concurrently, with one Idempotency-Key: all succeed, it " +
				"happens once.",
			duplicatesWithKey},
		{"duplicates-without-key",
			"The same proxy, with a client that sends no key.",
			"Submit, assign and dispatch four times concurrently: one succeeds, three get illegal_transition.",
			duplicatesWithoutKey},
		{"late-duplicate",
			"A duplicate of an assignment arrived after the driver was released, and assigned them again.",
			"Assign, release, then the duplicates: stale with If-Match, replays with Idempotency-Key; none " +
				"changes the pickup.",
			lateDuplicate},
		{"submit-against-cancel",
			"A pickup was canceled while it was being submitted: the charge stayed, or was never refunded.",
			"Many submit and many cancel one pickup concurrently: it ends canceled, with the balance unchanged.",
			submitAgainstCancel},
		{"attempts",
			"Of a million concurrent callers of one update, two were told that they had won.",
			"Submit one pickup --attempts times: exactly one wins.",
			attempts},
	}
}

// refusedIn tries, in each status, the transitions that are illegal there, and expects them to have no
// effect.
func (t *trial) refusedIn(statuses []string, wrong func(step, string) bool) (tried int) {
	for _, status := range statuses {
		id, driver := t.draft(), t.driver()
		t.advanceTo(id, driver, status)
		before, passed := t.getPickup(id), t.transitions(id)
		for _, s := range rules {
			if !wrong(s, status) {
				continue
			}
			tried++
			a := t.transition(t.ctx, s.name, id, driver)
			// The hub cannot see a pickup that was not collected: it gets not_found.
			unseen := a.status == 404 && a.code == "not_found"
			t.expect(a.code == "illegal_transition" || unseen, "%s of a pickup that is %s: %s",
				s.name, status, a.outcome())
		}
		after := t.getPickup(id)
		t.expect(after.Status == status && after.Version == before.Version && after.ChargedCents == before.ChargedCents,
			"a pickup that was %s is %s (version %d, then %d)", status, after.Status, before.Version, after.Version)
		expectEqual(t, "the events of a pickup that was "+status, strings.Join(t.transitions(id), " "),
			strings.Join(passed, " "))
	}
	return tried
}

func resubmission(t *trial) {
	id, driver := t.draft(), t.driver()
	t.advanceTo(id, driver, "SHIPPED")
	again := atOnce(t.Callers, func(int) answer { return t.transition(t.ctx, "submit", id, "") })
	expectEqual(t, "submits of a shipped pickup refused with illegal_transition",
		again.with("illegal_transition"), t.Callers)
	expectEqual(t, "the status", t.getPickup(id).Status, "SHIPPED")
	tried := t.refusedIn(append(slices.Clone(happyPath[1:]), "CANCELED"), step.isPast)
	t.figures("%d concurrent submits of a shipped pickup: %v; %d past transitions: all refused, nothing changed",
		t.Callers, again, tried)
}

func skippedSteps(t *trial) {
	tried := t.refusedIn(happyPath[:len(happyPath)-2], step.isBefore)
	hub, driver := []string{"ship", "pack", "receive", "deliver"}, t.driver()
	for range t.Rounds {
		id := t.draft()
		t.advanceTo(id, driver, "COLLECTED")
		got := atOnce(max(t.Callers, len(hub)),
			func(i int) answer { return t.transition(t.ctx, hub[i%len(hub)], id, "") })
		passed := t.transitions(id)
		want := steps[:min(len(passed), len(steps))]
		expectEqual(t, "the transitions made", strings.Join(passed, " "), strings.Join(want, " "))
		expectEqual(t, "the successful callers", got.won(), len(passed)-slices.Index(happyPath, "COLLECTED"))
	}
	t.figures("%d early transitions: all refused; %d rounds of %d callers: each transition once, in order",
		tried, t.Rounds, max(t.Callers, len(hub)))
}

// duplicates is how often the simulated proxy sends each request.
const duplicates = 4

// sent is one request that was sent several times.
type sent struct {
	id, driver, step string
	got              answers
}

// duplicate sends a transition of many pickups concurrently, each several times.
func (t *trial) duplicate(name string, keyed bool) []sent {
	n := max(1, t.Callers/duplicates)
	ids := t.drafts(n)
	if name != "submit" {
		ids = t.submitted(n)
	}
	all, drivers := make([]sent, n), t.onDuty(n)
	keys := make([][]header, n)
	for i, id := range ids {
		all[i] = sent{id: id, step: name, driver: drivers[i], got: make(answers, duplicates)}
		if keyed {
			keys[i] = []header{key(newKey())}
		}
	}
	paid := 0
	if name == "submit" {
		paid = n
	}
	t.balanced(paid, func() {
		atOnce(n*duplicates, func(i int) answer {
			s := all[i%n]
			s.got[i/n] = t.transition(t.ctx, name, s.id, s.driver, keys[i%n]...)
			return s.got[i/n]
		})
	})
	return all
}

// onlyOnce expects that each request had one effect: one event, one charge, one text, and one driver
// who has no other pickup. It releases the driver again.
func (t *trial) onlyOnce(all []sent) {
	drivers := map[string]bool{}
	for _, s := range all {
		passed := t.transitions(s.id)
		expectEqual(t, s.step+" events of one pickup", count(passed, s.step), 1)
		p := t.getPickup(s.id)
		expectEqual(t, "charged for one pickup, in cents", p.ChargedCents, priceCents)
		if texts, known := t.texts(s.id); known {
			t.expect(texts <= len(passed), "%d texts for %d transitions", texts, len(passed))
		}
		if s.step != "submit" {
			t.expect(p.DriverID != nil, "%s left a pickup without a driver", s.step)
		}
		if p.DriverID != nil {
			t.expect(!drivers[*p.DriverID], "one driver on two pickups")
			drivers[*p.DriverID] = true
			t.must("cancel", s.id, "")
		}
	}
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// balanced runs a race and expects that the account paid for each pickup once.
func (t *trial) balanced(pickups int, race func()) {
	before := t.balance(t.account)
	race()
	expectEqual(t, "charged to the account, in cents", before-t.balance(t.account), int64(pickups)*priceCents)
}

var duplicated = []string{"submit", "assign", "dispatch"}

func duplicatesWithKey(t *trial) {
	var pickups, won, replays int
	for range t.Rounds {
		for _, name := range duplicated {
			all := t.duplicate(name, true)
			for _, s := range all {
				what := fmt.Sprintf("of %s and its duplicates (%v): ", name, s.got)
				expectEqual(t, what+"successful", s.got.won(), duplicates)
				expectEqual(t, what+"answered as no replay", s.got.first(), 1)
				won, replays = won+s.got.won(), replays+s.got.replayed()
			}
			t.onlyOnce(all)
			pickups += len(all)
		}
	}
	t.figures("%d pickups x %d duplicates: %d succeeded, %d of them replays; 1 event and 1 charge each",
		pickups, duplicates, won, replays)
}

func duplicatesWithoutKey(t *trial) {
	var pickups, won, lost int
	for range t.Rounds {
		for _, name := range duplicated {
			all := t.duplicate(name, false)
			for _, s := range all {
				expectEqual(t, fmt.Sprintf("successful of %s and its duplicates (%v)", name, s.got), s.got.won(), 1)
				refused := s.got.with("illegal_transition", "driver_busy")
				expectEqual(t, fmt.Sprintf("refused with 409 (%v)", s.got), refused, duplicates-1)
				won, lost = won+s.got.won(), lost+refused
			}
			t.onlyOnce(all)
			pickups += len(all)
		}
	}
	t.figures("%d pickups x %d duplicates: %d succeeded, %d refused; 1 event and 1 charge each",
		pickups, duplicates, won, lost)
}

func lateDuplicate(t *trial) {
	var stale, repeats int
	driver := t.driver()
	for range t.Rounds {
		id := t.submitted(1)[0]
		seen, once := t.etag(id), key(newKey())
		if a := t.transition(t.ctx, "assign", id, driver, ifMatch(seen), once); !a.ok() {
			t.require(fmt.Errorf("assign: %s", a.outcome()))
		}
		t.must("release", id, "")
		released := t.getPickup(id)
		names := []string{"assign", "dispatch"}
		byTag := atOnce(t.Callers, func(i int) answer {
			return t.transition(t.ctx, names[i%2], id, driver, ifMatch(
				seen))
		})
		byKey := atOnce(t.Callers, func(int) answer {
			return t.transition(t.ctx, "assign", id, driver, ifMatch(seen),
				once)
		})
		t.expectRefused("late duplicates with If-Match", byTag, "stale_version", t.Callers)
		expectEqual(t, "late duplicates with Idempotency-Key answered as replays", byKey.replayed(), t.Callers)
		now := t.getPickup(id)
		t.expect(now.Status == "SUBMITTED" && now.Version == released.Version && now.DriverID == nil,
			"the released pickup has changed: %s, version %d instead of %d", now.Status, now.Version, released.Version)
		stale, repeats = stale+byTag.with("stale_version"), repeats+byKey.replayed()
	}
	t.figures("%d late duplicates: %d stale_version, %d replays; no pickup changed",
		stale+repeats, stale, repeats)
}

func submitAgainstCancel(t *trial) {
	var refunded, never int
	t.balanced(0, func() {
		for _, id := range t.drafts(t.Rounds) {
			names := []string{"submit", "cancel"}
			got := atOnce(max(2, t.Callers), func(i int) answer { return t.transition(t.ctx, names[i%2], id, "") })
			passed := strings.Join(t.transitions(id), " ")
			t.expect(passed == "cancel" || passed == "submit cancel", "transitions of the pickup: %s", passed)
			expectEqual(t, "successful callers", got.won(), 1+strings.Count(passed, " "))
			expectEqual(t, "charged for a canceled pickup, in cents", t.getPickup(id).ChargedCents, 0)
			if passed == "cancel" {
				never++
			} else {
				refunded++
			}
		}
	})
	t.figures("%d rounds of %d callers: %d times charged and refunded, %d times never charged; balance unchanged",
		t.Rounds, max(2, t.Callers), refunded, never)
}

func attempts(t *trial) {
	id := t.draft()
	var next, won, lost, other atomic.Int64
	var odd atomic.Value
	stop := t.progress(func() string {
		return fmt.Sprintf("attempts: %d of %d, %d won", won.Load()+lost.Load()+other.Load(), t.Attempts, won.Load())
	})
	start := time.Now()
	var callers sync.WaitGroup
	for range max(1, t.Callers) {
		callers.Go(func() {
			for t.ctx.Err() == nil && next.Add(1) <= int64(t.Attempts) {
				switch a := t.transition(t.ctx, "submit", id, ""); {
				case a.ok():
					won.Add(1)
				case a.code == "illegal_transition":
					lost.Add(1)
				default:
					other.Add(1)
					odd.Store(a.outcome())
				}
			}
		})
	}
	callers.Wait()
	took := time.Since(start)
	stop()
	t.expect(other.Load() == 0, "%d of %d attempts had another result, such as: %v",
		other.Load(), t.Attempts, odd.Load())
	expectEqual(t, "attempts that won", won.Load(), 1)
	expectEqual(t, "the transitions of the pickup", strings.Join(t.transitions(id), " "), "submit")
	t.figures("%d of %d won, %d illegal_transition; %.0f per second by %d callers",
		won.Load(), t.Attempts, lost.Load(), float64(t.Attempts)/took.Seconds(), t.Callers)
}

// progress prints the progress every second on one line of a terminal, or a line every ten seconds
// elsewhere, until stopped.
func (t *trial) progress(now func() string) (stop func()) {
	if t.Progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		every, before, after := 10*time.Second, "", "\n"
		if t.Redraw {
			every, before, after = time.Second, "\r", ""
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for printed := false; ; printed = true {
			select {
			case <-tick.C:
				fmt.Fprint(t.Progress, before, now(), after)
			case <-done:
				if printed {
					fmt.Fprint(t.Progress, before, now(), "\n")
				}
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}
