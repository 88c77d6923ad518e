package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/cmd/waybill/texts/fakegateway"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// sender is one of many callers of a server that is repeatedly killed. It sends
// each request until it has an answer, always with the same id or key.
type sender struct {
	*killing
	client *http.Client
	driver uuid.UUID

	pickups  []uuid.UUID
	statuses []string // of each pickup, as acknowledged last
	moves    []move
	charges  []uuid.UUID
}

type move struct {
	pickup    uuid.UUID
	name, key string
}

// killing is the shared state.
type killing struct {
	*fixture
	t   *testing.T
	url string

	mu sync.Mutex
	up chan struct{} // closed while the server is up

	over                   atomic.Bool
	cut, replayed, answers atomic.Int64
}

const (
	killPrice  = 300
	killCharge = 70
)

// send returns the answer's body, retrying until there is one.
func (s *sender) send(method, path string, role db.UserRole, body any, headers ...string) []byte {
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	for s.t.Context().Err() == nil {
		ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
		status, replayed, answer, err := s.once(ctx, method, path, role, string(text), headers)
		cancel()
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			s.awaitServer()
		case err != nil:
			s.cut.Add(1)
			s.awaitServer()
		case status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
			time.Sleep(time.Millisecond)
		case status == http.StatusOK || status == http.StatusCreated:
			s.answers.Add(1)
			if replayed {
				s.replayed.Add(1)
			}
			return answer
		default:
			s.t.Errorf("%s %s: %d %s", method, path, status, answer)
			return nil
		}
	}
	return nil
}

// awaitServer waits until the next server is up, or looks again soon.
func (k *killing) awaitServer() {
	k.mu.Lock()
	up := k.up
	k.mu.Unlock()
	select {
	case <-up:
		time.Sleep(time.Millisecond) // it may be the server that was just killed
	case <-time.After(time.Second):
	}
}

func (k *killing) is(up bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if up {
		close(k.up)
	} else {
		k.up = make(chan struct{})
	}
}

func (s *sender) once(
	ctx context.Context, method, path string, role db.UserRole, body string, headers []string,
) (int, bool, []byte, error) {
	response, err := call(ctx, s.client, method, s.url+path, s.tokens[role], body, headers...)
	if err != nil {
		return 0, false, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body) // a truncated answer does not count
	return response.StatusCode, response.Header.Get("Idempotency-Replayed") == "true", answer, err
}

// live makes pickups and moves them, until it is over.
func (s *sender) live() {
	for !s.over.Load() && !s.t.Failed() {
		s.create()
		switch rand.IntN(4) {
		case 0:
			s.move("submit")
			s.charge()
		case 1:
			s.move("submit", "cancel")
		case 2:
			s.move("submit", "assign", "release", "cancel")
		case 3:
			s.move("submit", "assign", "collect")
		}
	}
}

func (s *sender) create() {
	id := newID()
	s.send("POST", "/v1/pickups", db.UserRoleDispatcher, map[string]any{
		"id": id, "facility_id": demoID("facility"), "account_id": demoID("account Research Lab"),
		"price_cents":    killPrice,
		"pickup_address": "here", "dropoff_address": "there",
	})
	s.pickups, s.statuses = append(s.pickups, id), append(s.statuses, "DRAFT")
}

func (s *sender) move(names ...string) {
	last := len(s.pickups) - 1
	for _, name := range names {
		m := move{s.pickups[last], name, uuid.NewString()}
		var body any
		if name == "assign" {
			body = map[string]any{"driver_id": s.driver}
		}
		answer := s.send("POST", "/v1/pickups/"+m.pickup.String()+"/"+name,
			db.UserRoleDispatcher, body, "Idempotency-Key", m.key)
		var p struct{ Status string }
		if answer == nil || json.Unmarshal(answer, &p) != nil {
			return
		}
		s.moves, s.statuses[last] = append(s.moves, m), p.Status
	}
}

func (s *sender) charge() {
	id := newID()
	s.send("POST", "/v1/accounts/"+demoID("account Research Lab").String()+"/charges", db.UserRoleAdmin,
		map[string]any{"id": id, "amount_cents": killCharge})
	s.charges = append(s.charges, id)
}

// The server is killed at fifty random moments. Whatever it acknowledged has happened, once; whatever
// it did not is retried with the same id or key, and has also happened once. Nothing is half done. Its
// workers are killed too, and some of the gateway's answers are lost: each owed text takes effect once.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	const callers = 32
	kills := 50
	if dbtest.UnderRace {
		kills = 12
	}
	k := &killing{t: t, fixture: newFixture(t), up: make(chan struct{})}
	address := freeAddress(t)
	k.url = "http://" + address
	gateway := fakegateway.Start(t)
	gateway.Behave(func(id string, try int) fakegateway.Fault {
		if try == 1 && id[len(id)-1] < '4' {
			return fakegateway.LostClose
		}
		return fakegateway.Accept
	})
	// Few connections: a new server spends more time on them than on requests.
	flags := append([]string{"--addr", address, "--workers", "2", "--max-conns", "2"}, to(gateway)...)
	database := k.db.SettledURL() + "&application_name=" + killed
	senders := k.senders(callers)
	opening := k.balance()

	var lives sync.WaitGroup
	for _, s := range senders {
		lives.Go(s.live)
	}
	for i := range kills {
		// Most servers batch requests; a few do not.
		s := serve(t, database, append(flags, fmt.Sprintf("--combine=%t", i%5 != 0))...)
		k.is(true)
		k.awaitAnswer()
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		k.is(false)
		s.kill()
	}
	k.awaitQuiet() // otherwise a job might start after that minute, and not count as abandoned
	k.aMinuteLater()
	last := serve(t, database, flags...)
	k.is(true)
	k.over.Store(true)
	lives.Wait()
	eventually(t, "no job is left",
		func() bool { return k.count(`SELECT count(*) FROM river_job WHERE state <> 'completed'`) == 0 })
	last.stop(syscall.SIGTERM)
	k.awaitQuiet()
	k.account(senders, opening)
	if k.cut.Load() == 0 || k.replayed.Load() == 0 {
		k.t.Errorf("%d requests cut, %d of them committed: nothing was tested", k.cut.Load(), k.replayed.Load())
	}
	k.accountTexts(gateway)
}

// aMinuteLater makes abandoned jobs runnable and elects a new leader.
func (k *killing) aMinuteLater() {
	for _, statement := range []string{
		"UPDATE river_job SET attempted_at = attempted_at - interval '1 minute' WHERE state = 'running'",
		"UPDATE river_leader SET expires_at = expires_at - interval '1 minute'",
	} {
		if _, err := k.db.Owner().Exec(k.t.Context(), statement); err != nil {
			k.t.Fatal(err)
		}
	}
}

// accountTexts compares the texts with the transitions that owe them, and with what the gateway
// accepted.
func (k *killing) accountTexts(gateway *fakegateway.Gateway) {
	owed := k.count(`SELECT count(*) FROM pickup_events WHERE transition IN ('submit', 'assign')`)
	sent := k.count(`
		SELECT count(*) FROM messages AS m JOIN pickup_events AS e ON e.tenant_id = m.tenant_id AND e.id = m.event_id
		WHERE e.transition IN ('submit', 'assign') AND m.status = 'SENT'`)
	jobs := k.count(`SELECT count(DISTINCT args) FROM river_job`)
	all := k.count(`SELECT count(*) FROM river_job`)
	if taken := int64(len(gateway.Taken())); sent != owed || jobs != owed || all != owed || taken != owed {
		k.t.Errorf("%d texts owed, %d sent, %d jobs for %d texts, %d took effect", owed, sent, all, jobs, taken)
	}
	k.t.Logf("%d texts, %d resent after an unknown outcome", owed, gateway.Repeats())
}

// awaitAnswer waits for the first answer of a server: new ones are busy connecting.
func (k *killing) awaitAnswer() {
	before := k.answers.Load()
	for end := time.Now().Add(300 * time.Millisecond); k.answers.Load() == before && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

func (k *killing) senders(n int) []*sender {
	var all []*sender
	k.make(k.t, func(r *seed.Rows) {
		for range n {
			client := &http.Client{Transport: &http.Transport{}}
			k.t.Cleanup(client.CloseIdleConnections)
			all = append(all, &sender{killing: k, client: client, driver: r.Driver()})
		}
	})
	return all
}

// killed is the application name of the servers' connections.
const killed = "killed"

// awaitQuiet waits until the connections of killed servers are closed: their last statements may not
// even have started.
func (k *killing) awaitQuiet() {
	eventually(k.t, "no connection is left", func() bool {
		return k.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND application_name = $1`, killed) == 0
	})
}

func (k *killing) count(query string, args ...any) (n int64) {
	k.t.Helper()
	if err := k.db.Owner().QueryRow(context.Background(), query, args...).Scan(&n); err != nil {
		k.t.Fatal(err)
	}
	return n
}

func (k *killing) balance() int64 {
	return k.count(`SELECT balance_cents FROM accounts WHERE id = $1`, demoID("account Research Lab"))
}

// account compares the acknowledged requests with the database, in both directions.
func (k *killing) account(senders []*sender, opening int64) {
	var all sender
	names := map[string]int64{}
	for _, s := range senders {
		all.pickups, all.statuses = append(all.pickups, s.pickups...), append(all.statuses, s.statuses...)
		all.moves, all.charges = append(all.moves, s.moves...), append(all.charges, s.charges...)
	}
	var ids []uuid.UUID
	var keys []string
	for _, m := range all.moves {
		names[m.name]++
		ids, keys = append(ids, m.pickup), append(keys, m.name+" "+m.key)
	}
	for what, got := range map[string]int64{
		"pickups as acknowledged": int64(len(all.pickups)) - k.count(`
			SELECT count(*) FROM pickups JOIN unnest($1::uuid[], $2::text[]) AS a (id, status) USING (id)
			WHERE pickups.status::text = a.status`, all.pickups, all.statuses),
		"pickups in all": int64(len(all.pickups)) - k.count(`SELECT count(*) FROM pickups`),
		"transitions as acknowledged": int64(len(all.moves)) - k.count(`
			SELECT count(*) FROM pickup_events AS e JOIN unnest($1::uuid[], $2::text[]) AS a (id, key)
			ON e.pickup_id = a.id AND e.transition || ' ' || e.idempotency_key = a.key`, ids, keys),
		"transitions in all": int64(len(all.moves)) - k.count(`SELECT count(*) FROM pickup_events`),
		"charges as acknowledged": int64(len(all.charges)) - k.count(`
			SELECT count(*) FROM ledger_entries WHERE id = ANY ($1) AND kind = 'charge' AND amount_cents = $2`,
			all.charges, killCharge),
		"charges in all": int64(len(all.charges)) - k.count(`
			SELECT count(*) FROM ledger_entries WHERE kind = 'charge' AND pickup_id IS NULL`),
		"cents": opening - k.balance() - (names["submit"]-names["cancel"])*killPrice - int64(
			len(all.charges))*killCharge,
	} {
		if got != 0 {
			k.t.Errorf("%s: the rows differ from the acknowledged requests by %d", what, got)
		}
	}
	k.t.Logf("%d acknowledged, %d attempts cut, %d replayed; %s",
		k.answers.Load(), k.cut.Load(), k.replayed.Load(), fmt.Sprint(names))
}
