package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"waybill/db/localpg"
)

// caller is one client. Where standbys serve reads, it alone charges its account, and so knows what it must read: never
// more than was left by what was acknowledged.
type caller struct {
	choose  *rand.Rand
	account uuid.UUID // the zero value: any
	paid    int64
	keeps   bool   // it sends what it has read and written
	seen    string // that: the greatest Waybill-Consistency; "" if it forgot
}

func (l *load) newCaller(i int) *caller {
	c := &caller{choose: rand.New(rand.NewPCG(l.Seed, uint64(i+1)))}
	if l.replicas {
		c.account, c.keeps = l.accounts[i], i%3 != 2
	}
	return c
}

// accountsFor returns how many accounts the load needs.
func (s *stage) accountsFor() int {
	if s.replicas {
		return s.Callers
	}
	return 4
}

// learn keeps the position of an answer. After one without, or none, it forgets the one that it has.
func (c *caller) learn(position string) {
	if position == "" {
		c.seen = ""
	}
	c.seen = max(c.seen, position)
}

// read reads the caller's account a few times.
func (l *load) read(c *caller) {
	for range 3 {
		if l.isOver() {
			return
		}
		ctx, leave := context.WithTimeout(l.ended, 5*time.Second)
		balance, ok := l.balance(ctx, c)
		leave()
		if ok {
			l.recordRead(balance > plenty-c.paid)
		}
	}
}

// balance reads the balance of the caller's account.
func (l *load) balance(ctx context.Context, c *caller) (cents int64, ok bool) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.program.url()+"/v1/accounts/"+c.account.String(), nil)
	if err != nil {
		return 0, false
	}
	r.Header.Set("Authorization", "Bearer "+string(l.admin))
	if c.keeps && c.seen != "" {
		r.Header.Set(consistency, c.seen)
	}
	response, err := l.client.Do(r)
	if err != nil {
		c.learn("")
		return 0, false
	}
	defer response.Body.Close()
	var account struct {
		Balance *int64 `json:"balance_cents"`
	}
	err = json.NewDecoder(response.Body).Decode(&account)
	c.learn(response.Header.Get(consistency))
	l.countError(response.StatusCode)
	if err != nil || response.StatusCode != http.StatusOK || account.Balance == nil {
		return 0, false
	}
	return *account.Balance, true
}

const consistency = "Waybill-Consistency"

func (l *load) recordRead(isStale bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if isStale {
		l.stale++
	}
}

// countError counts an answer 5xx.
func (l *load) countError(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if status >= 500 {
		l.errors5++
	}
	if status == http.StatusInternalServerError {
		l.internal++
	}
}

// openReader starts another standby, and has both serve reads.
func (s *stage) openReader(ctx context.Context) (err error) {
	if !s.replicas {
		return nil
	}
	if s.reader, err = s.primary.Standby(ctx, readerName); err != nil {
		return err
	}
	s.closing(s.reader.Stop)
	// A busy machine is behind, too.
	s.Env = append(append([]string(nil), s.Env...), "WAYBILL_REPLICA_WAIT=200ms", "WAYBILL_REPLICA_TIMEOUT=1s",
		"REPLICA_DATABASE_URL="+s.standby.URL(localpg.App, localpg.Database)+" "+
			s.reader.URL(localpg.App, localpg.Database))
	return nil
}

// readerName is that of the standby which nobody waits for.
const readerName = "reader"

// awaitReaders waits until both serve reads.
func (s *stage) awaitReaders(ctx context.Context) error {
	if !s.replicas {
		return nil
	}
	return s.await(ctx, func() bool { return s.metric(ctx, "waybill_replica_up{") == 2 })
}

// awaitReplicaReads waits until replicas have served some of the load.
func (s *stage) awaitReplicaReads(ctx context.Context) error {
	if !s.replicas {
		return nil
	}
	return s.await(ctx, func() bool { return s.replicaReads(ctx) > 10 })
}

func (s *stage) replicaReads(ctx context.Context) int {
	return s.metric(ctx, "waybill_replica_reads_total{")
}

var errNoReaders = errors.New("the standbys serve no reads")

func (s *stage) await(ctx context.Context, holds func() bool) error {
	for begun := time.Now(); !holds(); {
		if time.Since(begun) > 2*time.Minute {
			return errNoReaders
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// metric returns the sum of the server's metrics whose lines begin so, -1 if it does not answer.
func (s *stage) metric(ctx context.Context, prefix string) (sum int) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.program.admin+"/metrics", nil)
	if err != nil {
		return -1
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return -1
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 2 && strings.HasPrefix(lines.Text(), prefix) {
			n, _ := strconv.ParseFloat(fields[1], 64)
			sum += int(n)
		}
	}
	return sum
}

func killReader(ctx context.Context, s *stage) error {
	if err := s.reader.Kill(); err != nil {
		return err
	}
	s.pause(ctx, 500*time.Millisecond, time.Second)
	return s.reader.Restart(ctx)
}

func freezeReader(ctx context.Context, s *stage) error {
	if err := s.reader.Pause(); err != nil {
		return err
	}
	s.pause(ctx, time.Second, 2*time.Second)
	return s.reader.Resume()
}

// delayReader has a standby answer, and replay nothing for a while.
func delayReader(ctx context.Context, s *stage) error {
	if err := askAt(ctx, s.reader.URL(localpg.Superuser, localpg.Database),
		"SELECT pg_wal_replay_pause()"); err != nil {
		return err
	}
	s.pause(ctx, time.Second, 2*time.Second)
	return askAt(ctx, s.reader.URL(localpg.Superuser, localpg.Database), "SELECT pg_wal_replay_resume()")
}

// promoteReader promotes a standby by accident: it writes a history of its own, in which all accounts have more than
// they ever had.
func promoteReader(ctx context.Context, s *stage) error {
	if err := s.reader.Promote(ctx); err != nil {
		return err
	}
	err := askAt(ctx, s.reader.URL(localpg.Owner, localpg.Database),
		fmt.Sprintf("UPDATE accounts SET balance_cents = %d", 2*int64(plenty)))
	if err != nil {
		return err
	}
	s.pause(ctx, time.Second, 2*time.Second)
	return s.reader.Rejoin(ctx, s.primary, readerName)
}

// failOverReaders kills the primary and promotes the standby that has all commits; the other one follows the former
// primary for a while.
func failOverReaders(ctx context.Context, s *stage) error {
	if err := failOver(ctx, s); err != nil {
		return err
	}
	s.pause(ctx, 500*time.Millisecond, time.Second)
	return s.reader.Rejoin(ctx, s.primary, readerName)
}

// plenty is what an account has at first.
const plenty = 1_000_000_000_000
