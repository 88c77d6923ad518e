package db_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

var loginAttemptRaces = []check{
	{"CountLoginAttempt", "parallel guesses go uncounted", func(ctx context.Context, w *fixture) error {
		// Four are admitted; after the fourth the next one has to wait.
		key := keyOf(w.tenant)
		if err := someWin(4, together(manyCallers, func(int) error { return guess(ctx, w.Raw, key) }),
			db.NotFound); err != nil {
			return err
		}
		if n := w.failures(ctx, key); n != 4 {
			return fmt.Errorf("%d failures are counted, want 4", n)
		}
		return nil
	}},
	{"RememberLogin", "logins at once are not all recorded",
		func(ctx context.Context, w *fixture) error {
			key := keyOf(w.tenant)
			remember := func(s *db.Raw) error { return remember(ctx, s, key) }
			if err := w.wins(ctx, commit, remember, remember); err != nil {
				return err
			}
			return first(together(manyCallers, func(int) error { return remember(w.Raw) })...)
		}},
	{"ForgetLoginAttempts", "the tries of a session are forgotten twice", func(ctx context.Context, w *fixture) error {
		key := keyOf(w.tenant)
		w.must(guess(ctx, w.as, key))
		return w.countedOnce(func(s *db.Raw) (int64, error) { return s.ForgetLoginAttempts(ctx, key) })
	}},
	{"SweepLoginAttempts", "a try that is being counted is swept away", func(ctx context.Context, w *fixture) error {
		defer alone(&sweeping)()
		key := keyOf(w.tenant)
		w.must(guess(ctx, w.as, key))
		w.expire(ctx, key, "-1 minute")
		if err := w.passes(ctx,
			func(s *db.Raw) error { return guess(ctx, s, key) },
			func(s *db.Raw) error { _, err := s.SweepLoginAttempts(ctx); return err },
		); err != nil {
			return err
		}
		if n := w.failures(ctx, key); n != 2 {
			return fmt.Errorf("%d failures are left, want 2", n)
		}
		return nil
	}},
	{"TakeLoginToken", "parallel guesses take one token together", func(ctx context.Context, w *fixture) error {
		key := keyOf(w.tenant)
		return someWin(5, together(manyCallers, func(int) error { return takeToken(ctx, w.Raw, key, 5) }),
			db.NotFound)
	}},
	{"ReturnLoginToken", "tokens given back at once count as one", func(ctx context.Context, w *fixture) error {
		key := keyOf(w.tenant)
		for range manyCallers {
			w.must(takeToken(ctx, w.as, key, manyCallers))
		}
		if err := first(together(manyCallers,
			func(int) error { return returnToken(ctx, w.Raw, key) })...); err != nil {
			return err
		}
		return someWin(manyCallers,
			together(manyCallers+1, func(int) error { return takeToken(ctx, w.Raw, key, manyCallers) }), db.NotFound)
	}},
	{"SweepLoginBuckets", "a bucket that is being drained is swept away", func(ctx context.Context, w *fixture) error {
		defer alone(&sweeping)()
		key := keyOf(w.tenant)
		w.must(takeToken(ctx, w.as, key, 1))
		w.fill(ctx, key, "-1 minute")
		if err := w.passes(ctx,
			func(s *db.Raw) error { return takeToken(ctx, s, key, 1) },
			func(s *db.Raw) error { _, err := s.SweepLoginBuckets(ctx); return err },
		); err != nil {
			return err
		}
		return refused(takeToken(ctx, w.Raw, key, 1), db.NotFound)
	}},
}

var loginAttemptRules = []check{
	{"RememberLogin", "a login forgets the failures before it", func(ctx context.Context, w *fixture) error {
		key := keyOf(w.tenant)
		w.must(guess(ctx, w.as, key))
		w.must(remember(ctx, w.Raw, key))
		row, err := w.GetLoginAttempt(ctx, key)
		if n := w.failures(ctx, key); err != nil || !row.Known || row.Wait > 0 || n != 0 {
			return fmt.Errorf("%+v, %d failures, %v", row, n, err)
		}
		return nil
	}},
	{"SweepLoginAttempts", "only expired rows are swept, oldest first",
		func(ctx context.Context, w *fixture) error {
			defer alone(&sweeping)()
			keys := manyKeys(9)
			for i, key := range keys {
				w.must(guess(ctx, w.as, key))
				w.expire(ctx, key, fmt.Sprintf("-%d minutes", 10+i))
			}
			fresh := keyOf(w.tenant)
			w.must(guess(ctx, w.as, fresh))
			w.expire(ctx, fresh, "10 minutes")
			n, err := w.SweepLoginAttempts(ctx)
			if err != nil || n != 8 || w.attempts(ctx, keys[0]) != 1 {
				return fmt.Errorf("%d swept, the first is there %d times: %v", n, w.attempts(ctx, keys[0]), err)
			}
			if n, err = w.SweepLoginAttempts(ctx); err != nil || n != 1 || w.attempts(ctx, fresh) != 1 {
				return fmt.Errorf("%d swept, the fresh one is there %d times: %v", n, w.attempts(ctx, fresh), err)
			}
			return nil
		}},
	{"SweepLoginBuckets", "only full buckets are swept, oldest first",
		func(ctx context.Context, w *fixture) error {
			defer alone(&sweeping)()
			keys := manyKeys(9)
			for i, key := range keys {
				w.must(takeToken(ctx, w.as, key, 1))
				w.fill(ctx, key, fmt.Sprintf("-%d minutes", 10+i))
			}
			drained := keyOf(w.tenant)
			w.must(takeToken(ctx, w.as, drained, 1))
			w.fill(ctx, drained, "1 second")
			n, err := w.SweepLoginBuckets(ctx)
			if err != nil || n != 8 || w.buckets(ctx, keys[0]) != 1 {
				return fmt.Errorf("%d swept, the first is there %d times: %v", n, w.buckets(ctx, keys[0]), err)
			}
			if n, err = w.SweepLoginBuckets(ctx); err != nil || n != 1 || w.buckets(ctx, drained) != 1 {
				return fmt.Errorf("%d swept, the drained one is there %d times: %v", n, w.buckets(ctx, drained), err)
			}
			return nil
		}},
}

// sweeping is held by tests whose rows another test's sweep would delete: a sweep is not limited to a tenant.
var sweeping sync.Mutex

func alone(mu *sync.Mutex) (done func()) {
	mu.Lock()
	return mu.Unlock
}

func keyOf(id uuid.UUID) []byte {
	sum := sha256.Sum256(id[:])
	return sum[:]
}

func manyKeys(n int) (keys [][]byte) {
	for range n {
		keys = append(keys, keyOf(uuid.New()))
	}
	return keys
}

// guess counts one attempt to log in.
func guess(ctx context.Context, s *db.Raw, key []byte) error {
	_, err := s.CountLoginAttempt(ctx, key)
	return err
}

func remember(ctx context.Context, s *db.Raw, key []byte) error {
	_, err := s.RememberLogin(ctx, db.RememberLoginParams{Key: key, KnownFor: 24 * time.Hour})
	return err
}

const refill = time.Hour

func takeToken(ctx context.Context, s *db.Raw, key []byte, burst int) error {
	_, err := s.TakeLoginToken(ctx,
		db.TakeLoginTokenParams{Key: key, Refill: refill, Drained: refill * time.Duration(burst-1)})
	return err
}

func returnToken(ctx context.Context, s *db.Raw, key []byte) error {
	_, err := s.ReturnLoginToken(ctx, db.ReturnLoginTokenParams{Key: key, Refill: refill})
	return err
}

func (w *fixture) failures(ctx context.Context, key []byte) int {
	return scan[int](ctx, w.owner, "SELECT coalesce(sum(failures), -1) FROM login_attempts WHERE key = $1", key)
}

func (w *fixture) attempts(ctx context.Context, key []byte) int {
	return scan[int](ctx, w.owner, "SELECT count(*) FROM login_attempts WHERE key = $1", key)
}

func (w *fixture) buckets(ctx context.Context, key []byte) int {
	return scan[int](ctx, w.owner, "SELECT count(*) FROM login_buckets WHERE key = $1", key)
}

func (w *fixture) expire(ctx context.Context, key []byte, in string) {
	must(w.owner.Exec(ctx, "UPDATE login_attempts SET expires_at = now() + $2::text::interval WHERE key = $1", key, in))
}

func (w *fixture) fill(ctx context.Context, key []byte, in string) {
	must(w.owner.Exec(ctx, "UPDATE login_buckets SET full_at = now() + $2::text::interval WHERE key = $1", key, in))
}

func TestGuessesWaitTwiceAsLongEachTime(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	for failures, want := range map[int]string{2: "", 3: "00:00:01", 4: "00:00:02",
		7: "00:00:16", 13: "00:15:00", 1000: "00:15:00"} {
		key := keyOf(uuid.New())
		w.must(guess(ctx, w.Raw, key))
		must(w.owner.Exec(ctx, "UPDATE login_attempts SET failures = $1 WHERE key = $2", failures, key))
		w.must(guess(ctx, w.Raw, key))
		wait := scan[string](ctx, w.owner,
			`SELECT coalesce(date_trunc('second', nullif(next_at, 'epoch') - now() + interval '0.9 second')::text, '')
			FROM login_attempts WHERE key = $1`, key)
		if wait != want {
			t.Errorf("after %d failures the next login waits %q, want %q", failures, wait, want)
		}
	}
}

// Tokens refill with time, up to the size of the bucket.
func TestBucketsFillAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	key := keyOf(w.tenant)
	for range 3 {
		w.must(takeToken(ctx, w.Raw, key, 3))
	}
	if err := refused(takeToken(ctx, w.Raw, key, 3), db.NotFound); err != nil {
		t.Fatal(err)
	}
	wait, err := w.GetLoginTokenWait(ctx, db.GetLoginTokenWaitParams{Key: key, Drained: 2 * refill})
	if err != nil || wait > refill || wait < refill-time.Minute {
		t.Errorf("the next token takes %v, %v", wait, err)
	}
	w.fill(ctx, key, "2 hours") // one hour later
	w.must(takeToken(ctx, w.Raw, key, 3))
	if err := refused(takeToken(ctx, w.Raw, key, 3), db.NotFound); err != nil {
		t.Fatal(err)
	}
	w.fill(ctx, key, "-1000 hours")
	for range 3 {
		w.must(takeToken(ctx, w.Raw, key, 3))
	}
	if err := refused(takeToken(ctx, w.Raw, key, 3), db.NotFound); err != nil {
		t.Error(err)
	}
}
