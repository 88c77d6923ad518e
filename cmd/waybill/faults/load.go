package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// load is many callers, each of whom sends a request, always with the same id or key, until it is
// acknowledged. Some lose their patience in between.
type load struct {
	*stage
	client  *http.Client
	callers sync.WaitGroup
	over    chan struct{} // closed when no new request is to begin
	ended   context.Context
	end     context.CancelFunc

	mu                                  sync.Mutex
	charges, pickups, submits           []uuid.UUID // acknowledged
	answers, internal, errors5, refused int
	reads, stale                        int
	last                                time.Time // of an acknowledgement
	gap                                 time.Duration
}

func newLoad(s *stage) *load {
	transport := &http.Transport{MaxIdleConnsPerHost: s.Callers}
	return &load{stage: s, client: &http.Client{Transport: transport}, over: make(chan struct{})}
}

func (l *load) start(ctx context.Context) {
	l.ended, l.end = context.WithCancel(ctx)
	l.last = time.Now()
	for i := range l.Callers {
		c := l.newCaller(i)
		l.callers.Go(func() { l.live(c) })
	}
}

// finishing is how long the last requests may take.
const finishing = 30 * time.Second

// stop ends the load once the running requests are acknowledged.
func (l *load) stop() {
	close(l.over)
	late := time.AfterFunc(finishing, l.end)
	l.callers.Wait()
	late.Stop()
	l.end()
	l.client.CloseIdleConnections()
}

func (l *load) into(r *Result) {
	r.Acknowledged, r.Internal, r.ServerErrors, r.Refused = l.answers, l.internal, l.errors5, l.refused
	r.Unavailable = l.gap.Seconds()
	r.Reads, r.Stale, r.hasReplicas = l.reads, l.stale, l.replicas
}

func (l *load) isOver() bool {
	select {
	case <-l.over:
		return true
	case <-l.ended.Done():
		return true
	default:
		return false
	}
}

type object map[string]any

// live makes charges, and pickups that are submitted.
func (l *load) live(c *caller) {
	for !l.isOver() {
		if l.charge(c) && l.replicas {
			l.read(c)
		}
	}
}

// price is that of a pickup.
const price = 300

// charge charges an account, by itself or for a pickup. It returns false if nothing was acknowledged.
func (l *load) charge(c *caller) bool {
	account := c.account
	if account == (uuid.UUID{}) {
		account = l.accounts[c.choose.IntN(len(l.accounts))]
	}
	id := uuid.New()
	if c.choose.IntN(3) == 0 {
		cents := 1 + c.choose.IntN(99)
		charged := l.send(c, &l.charges, id, "/v1/accounts/"+account.String()+"/charges", l.admin,
			object{"id": id, "amount_cents": cents}, "")
		if charged {
			c.paid += int64(cents)
		}
		return charged
	}
	made := l.send(c, &l.pickups, id, "/v1/pickups", l.dispatcher, object{
		"id": id, "facility_id": l.facility, "account_id": account, "price_cents": price,
		"pickup_address": "here", "dropoff_address": "there"}, "")
	if !made || !l.send(c, &l.submits, id, "/v1/pickups/"+id.String()+"/submit", l.dispatcher, nil, uuid.NewString()) {
		return false
	}
	c.paid += price
	return true
}

// send sends a request until it is acknowledged, and records that. It returns false if it is refused, or if
// the load has ended before.
func (l *load) send(
	c *caller, acknowledged *[]uuid.UUID, id uuid.UUID, path string, token db.Token, body object, key string,
) bool {
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body) // of plain values
	}
	for l.ended.Err() == nil {
		patience := 5 * time.Second
		if c.choose.IntN(4) == 0 {
			patience = time.Duration(5+c.choose.IntN(200)) * time.Millisecond
		}
		status, position := l.once(patience, path, token, text, key)
		c.learn(position)
		if l.record(status, acknowledged, id) {
			return status < 300
		}
		time.Sleep(time.Duration(1+c.choose.IntN(10)) * time.Millisecond)
	}
	return false
}

// once returns the answer's status, 0 without one, and the position that the client is told.
func (l *load) once(
	patience time.Duration, path string, token db.Token, text []byte, key string,
) (status int, position string) {
	ctx, leave := context.WithTimeout(l.ended, patience)
	defer leave()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.program.url()+path, bytes.NewReader(text))
	if err != nil {
		return 0, ""
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	if text != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := l.client.Do(request)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil { // a truncated answer is none
		return 0, ""
	}
	return response.StatusCode, response.Header.Get(consistency)
}

// record counts an answer. It returns whether the request is settled: acknowledged, or refused.
func (l *load) record(status int, acknowledged *[]uuid.UUID, id uuid.UUID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case status == 0, status == http.StatusTooManyRequests:
		return false
	case status >= 500:
		l.errors5++
		if status == http.StatusInternalServerError {
			l.internal++
		}
		return false
	case status >= 400:
		l.refused++
		return true
	}
	*acknowledged = append(*acknowledged, id)
	l.answers++
	now := time.Now()
	l.gap, l.last = max(l.gap, now.Sub(l.last)), now
	return true
}
