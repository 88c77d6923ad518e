package db

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// With synchronous_standby_names, a commit is answered once the standbys have it. But if that wait is
// canceled, because the caller left or a time limit ended it, the commit succeeds all the same, with a
// warning: it may be lost if a standby takes over. So
//
//   - a statement whose commit brings that warning returns errUnreplicated: its outcome is not known;
//   - what rests on a row that an earlier request wrote, such as the answer to a replay, waits until the
//     standbys have that row (Store.replicated).
//
// A write that committed waits for nothing more: whatever it saw was written before.

// errUnreplicated means that a transaction was committed, and may be lost if a standby takes over.
var errUnreplicated = errors.New("committed, but the wait for the standbys was canceled")

// unreplicatedKey is the connection's custom data that says so of its running operation.
const unreplicatedKey = "waybill: unreplicated"

// markUnreplicated marks an operation of the configured connections whose commit is warned of. The
// warning has no code of its own, and its text is translated: any warning of its class counts.
func markUnreplicated(config *pgconn.Config) {
	config.OnNotice = func(conn *pgconn.PgConn, notice *pgconn.Notice) {
		if notice.Code == "01000" {
			conn.CustomData()[unreplicatedKey] = true
		}
	}
}

// begin forgets the mark of what was done on the connection before.
func (c *sharedConn) begin() { delete(c.Conn.Conn().PgConn().CustomData(), unreplicatedKey) }

// outcome returns the error of an operation that has ended, errUnreplicated if it has none and is
// marked.
func (c *sharedConn) outcome(err error) error {
	if err == nil && c.Conn.Conn().PgConn().CustomData()[unreplicatedKey] != nil {
		return errUnreplicated
	}
	return err
}

// end releases the connection, and returns the operation's outcome.
func (c *sharedConn) end(err error) error {
	defer c.Release()
	return c.outcome(err)
}

// replication is what a store knows of its server's standbys.
type replication struct {
	ignored bool         // see Config.AcknowledgeUnreplicated
	noneAt  atomic.Int64 // when the server last said that no commit waits, in Unix nanoseconds
}

// noneFor is how long that is believed: without synchronous standbys, answers wait for no round trip.
const noneFor = time.Second

func (r *replication) isNone() bool {
	return r.ignored || time.Since(time.Unix(0, r.noneAt.Load())) < noneFor
}

// replicated returns once the standbys have everything that was committed before the call, if commits
// wait for standbys. Concurrent calls share one wait. If the wait is ended before, it returns that
// error, explained.
func (s *Store) replicated(ctx context.Context) error {
	if s.replication.isNone() {
		return nil
	}
	if _, err := s.standbys.do(unconfirmed(ctx), struct{}{}); err != nil {
		return Explain(err)
	}
	return nil
}

// resting returns an answer that rests on an earlier row, once the standbys have it.
func resting[T any](ctx context.Context, s *Store, answer T, err error) (T, error) {
	if err == nil {
		err = s.replicated(ctx)
	}
	if err != nil {
		var none T
		return none, err
	}
	return answer, nil
}

// awaitStandbys is one wait for all who gathered meanwhile. A connection that waits serves nobody else,
// so that there is one.
func (s *Store) awaitStandbys(oneByOne bool) *batcher[struct{}, struct{}] {
	flush := func(ctx context.Context, asks []struct{}) ([]struct{}, error) {
		asked := time.Now()
		_, err := s.q.AwaitStandbys(ctx)
		if NoRow(err) {
			s.replication.noneAt.Store(asked.UnixNano())
			err = nil
		}
		return asks, err
	}
	return oneAtATime(oneByOne, flush)
}
