package api_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// A batch is answered as its writes are, one by one in its order, also where some of them share statements: 2,500
// random batches with WAYBILL_TEST=thorough, of writes that need each other in one order and not in another. If one is
// refused, so is the batch, with its error and its position.
func TestABatchAnswersLikeItsWritesOneByOne(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := s.newCrowd()
	whole := theDocument().operation("write-batch")
	rounds := dbtest.Rounds(2_500)
	succeeded, refusedAt := 0, map[int]int{}
	for round := range rounds {
		as, items := s.dispatcher, []object(nil)
		if g.IntN(4) == 0 {
			as = s.admin
		}
		if round%20 == 0 {
			s.clear(g)
		}
		for range 2 + g.IntN(7) {
			items = append(items, g.item(s, as))
		}
		together := s.plainly(whole, as, "/v1/batch?dry_run=true", batch(items...), nil)
		alone := s.oneByOne(as, items)
		last := len(alone) - 1
		if alone[last].status >= 300 {
			refusedAt[last]++
		} else {
			succeeded++
		}
		if want, got := asBatch(alone), together.verdict(); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d, by %s:\n%v\none by one: %v\ntogether:   %v", round, as.role, items, want, got)
		}
	}
	if succeeded < rounds/20 || refusedAt[0] == rounds-succeeded {
		t.Errorf("%d of %d succeeded, refused by position: %v", succeeded, rounds, refusedAt)
	}
	t.Logf("%d of %d succeeded, refused by position: %v", succeeded, rounds, refusedAt)
}

// oneByOne makes the items' requests up to the first that is refused.
func (s *server) oneByOne(as *user, items []object) (answers []*answer) {
	s.t.Helper()
	for _, item := range items {
		op := theDocument().operation(item["operation"].(string))
		path, headers := requestOf(op, item)
		answers = append(answers, s.plainly(op, as, path, item["body"], headers))
		if answers[len(answers)-1].status >= 300 {
			break
		}
	}
	return answers
}

// asBatch returns the verdict on the batch of which these are the answers one by one.
func asBatch(answers []*answer) object {
	position := len(answers) - 1
	if last := answers[position].verdict(); last["status"].(int) >= 300 {
		body := last["body"].(object)
		body["item"] = float64(position)
		if field, ok := body["field"].(string); ok {
			body["field"] = fmt.Sprintf("items[%d].%s", position, field)
		}
		return last
	}
	items := []any{}
	for _, a := range answers {
		v := a.verdict()
		headers := object{}
		for name, value := range map[string]any{"ETag": v["etag"], "Idempotency-Replayed": v["replayed"],
			"Location": a.header.Get("Location")} {
			if value != "" {
				headers[name] = value
			}
		}
		items = append(items, object{"status": float64(a.status), "headers": headers, "body": v["body"]})
	}
	return object{"status": 200, "etag": "", "replayed": "", "body": object{"items": items}}
}

// crowd makes writes of few rows, of which many need each other.
type crowd struct {
	*rand.Rand
	pickups, accounts, drivers, entries []uuid.UUID
	status                              map[uuid.UUID]db.PickupStatus // as the writes would leave them
}

func (s *server) newCrowd() *crowd {
	g := &crowd{Rand: rand.New(rand.NewPCG(21, 5))}
	for range 2 {
		g.drivers = append(g.drivers, s.newDriver(s.tenant))
	}
	s.clear(g)
	return g
}

// clear begins with new accounts, which have little, and with free drivers.
func (s *server) clear(g *crowd) {
	s.t.Helper()
	for _, d := range g.drivers {
		s.free(s.tenant, d)
	}
	g.accounts, g.pickups, g.entries, g.status = nil, nil, nil, map[uuid.UUID]db.PickupStatus{}
	s.make(s.tenant, func(r *seed.Rows) {
		for range 2 {
			id := r.Account()
			r.Deposit(seed.Deposit{Account: id, Cents: 3, ActorID: s.admin.id})
			g.accounts = append(g.accounts, id)
		}
	})
}

func one[T any](g *crowd, of []T) T { return of[g.IntN(len(of))] }

// item is a write of the role.
func (g *crowd) item(s *server, as *user) object {
	if as == s.admin && g.IntN(3) > 0 {
		id := newID()
		if g.entries = append(g.entries, id); g.IntN(8) == 0 {
			id = one(g, g.entries)
		}
		return object{"operation": one(g, []string{"charge-account", "deposit-to-account"}),
			"path": object{"account_id": one(g, g.accounts)}, "body": object{"id": id, "amount_cents": 1 + g.IntN(3)}}
	}
	switch n := g.IntN(10); {
	case n == 0 && as == s.dispatcher, as == s.admin && n < 3:
		return object{"operation": "locate-driver", "path": object{"driver_id": one(g, g.drivers)},
			"body": object{"latitude": 1, "longitude": g.IntN(90),
				"located_at": fmt.Sprintf("2026-01-01T00:00:%02dZ", g.IntN(60))}}
	case as == s.dispatcher && (n < 4 || len(g.pickups) == 0):
		id := newID()
		g.pickups, g.status[id] = append(g.pickups, id), db.PickupStatusDRAFT
		if g.IntN(8) == 0 {
			id = one(g, g.pickups)
		}
		return object{"operation": "create-pickup",
			"body": with(s.newPickup(), object{"id": id, "account_id": one(g, g.accounts), "price_cents": g.IntN(3)})}
	}
	return g.transition(as == s.admin)
}

// transition is one that is legal, most of the time, if the earlier writes were made.
func (g *crowd) transition(byAdmin bool) object {
	id := newID()
	if len(g.pickups) > 0 {
		id = g.pickups[max(0, len(g.pickups)-1-g.IntN(6))]
	}
	type step struct {
		name string
		to   db.PickupStatus
	}
	legal := map[db.PickupStatus][]step{
		db.PickupStatusDRAFT:     {{"submit", db.PickupStatusSUBMITTED}, {"submit", db.PickupStatusSUBMITTED}},
		db.PickupStatusSUBMITTED: {{"assign", db.PickupStatusASSIGNED}, {"cancel", db.PickupStatusCANCELED}},
		db.PickupStatusASSIGNED: {{"collect", db.PickupStatusCOLLECTED}, {"release", db.PickupStatusSUBMITTED},
			{"cancel", db.PickupStatusCANCELED}},
	}[g.status[id]]
	next := step{"submit", g.status[id]}
	switch {
	case byAdmin:
		next = step{"cancel", db.PickupStatusCANCELED}
	case len(legal) > 0 && g.IntN(10) > 0:
		next = one(g, legal)
	}
	g.status[id] = next.to
	item := object{"operation": next.name + "-pickup", "path": object{"pickup_id": id}}
	if next.name == "assign" {
		item["body"] = object{"driver_id": one(g, g.drivers)}
	}
	if g.IntN(4) == 0 {
		item["headers"] = object{"Idempotency-Key": fmt.Sprint("k", g.IntN(2))}
	}
	return item
}
