//go:build !race

// These tests run SQL in PostgreSQL, which the race detector does not see.

package races_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/cmd/sqlguard/races"
)

// outcome is the result of a statement.
type outcome struct {
	rows  int64
	first string
	err   error
}

// session is one connection, and the statement that waits on it, if any.
type session struct {
	conn    *pgx.Conn
	waiting chan outcome
}

// play runs the lines one after the other. A line that waits continues in the background, and the next one
// begins when PostgreSQL reports that it is blocked.
type play struct {
	t        *testing.T
	ctx      context.Context
	pool     *pgxpool.Pool
	sessions map[string]*session
}

func (p *play) run(lines []races.Line) {
	p.t.Helper()
	for _, l := range lines {
		if p.t.Failed() {
			return
		}
		p.line(l)
	}
}

func (p *play) line(l races.Line) {
	p.t.Helper()
	if l.Session == "any" {
		p.any(l)
		return
	}
	s := p.session(l.Session)
	switch {
	case l.SQL == "":
		p.expect(l, p.await(l, s))
	case l.Want == "waits":
		s.waiting = make(chan outcome, 1)
		go func() { s.waiting <- p.query(s, l.SQL) }()
		p.blocked(l, s)
	default:
		p.expect(l, p.query(s, l.SQL))
	}
}

// session returns the session of that name, a new one at its first use.
func (p *play) session(name string) *session {
	if s := p.sessions[name]; s != nil {
		return s
	}
	conn, err := p.pool.Acquire(p.ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(conn.Release)
	p.sessions[name] = &session{conn: conn.Conn()}
	return p.sessions[name]
}

func (p *play) query(s *session, sql string) outcome {
	rows, err := s.conn.Query(p.ctx, sql)
	if err != nil {
		return outcome{err: err}
	}
	defer rows.Close()
	var o outcome
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return outcome{err: err}
		}
		if o.first == "" {
			o.first = strings.Trim(strings.ReplaceAll(fmt.Sprintln(texts(values)...), " ", ", "), "\n")
		}
	}
	o.rows, o.err = rows.CommandTag().RowsAffected(), rows.Err()
	return o
}

func texts(values []any) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = fmt.Sprint(v)
	}
	return all
}

func (p *play) await(l races.Line, s *session) outcome {
	select {
	case o := <-s.waiting:
		return o
	case <-p.ctx.Done():
		p.t.Fatalf("%s: still waiting", l.Session)
		return outcome{}
	}
}

// any waits for all waiting sessions: one of them ends as the line says.
func (p *play) any(l races.Line) {
	p.t.Helper()
	var ends []string
	for _, s := range p.sessions {
		if s.waiting != nil {
			ends = append(ends, p.await(l, s).says(l.Want))
		}
	}
	if !slices.Contains(ends, l.Want) {
		p.t.Errorf("%s\n got %q\nwant %q", l.Session, ends, l.Want)
	}
}

// blocked waits until PostgreSQL reports that the session waits for another.
func (p *play) blocked(l races.Line, s *session) {
	p.t.Helper()
	for p.ctx.Err() == nil {
		var blocked bool
		if err := p.pool.QueryRow(p.ctx, "SELECT cardinality(pg_blocking_pids($1)) > 0", int32(s.conn.PgConn().PID())).
			Scan(&blocked); err != nil {
			p.t.Fatal(err)
		}
		if blocked {
			return
		}
		select {
		case o := <-s.waiting:
			p.t.Fatalf("%s %s\ndid not wait, but gave %+v", l.Session, l.SQL, o)
		case <-time.After(time.Millisecond):
		}
	}
}

func (p *play) expect(l races.Line, o outcome) {
	p.t.Helper()
	if got := o.says(l.Want); got != l.Want {
		p.t.Errorf("%s %s\n got %q (%v)\nwant %q", l.Session, l.SQL, got, o.err, l.Want)
	}
}

// says returns the outcome in the words in which the expected one is written.
func (o outcome) says(want string) string {
	var refused *pgconn.PgError
	switch {
	case errors.As(o.err, &refused):
		return "error " + refused.Code
	case o.err != nil:
		return o.err.Error()
	case want == "", want == "ok", want == "no error":
		return want
	case strings.HasSuffix(want, " row") || strings.HasSuffix(want, " rows"):
		if o.rows == 1 {
			return "1 row"
		}
		return fmt.Sprintf("%d rows", o.rows)
	}
	return o.first
}
