package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Position is a place in the WAL: a standby that has replayed it shows what a client has read or written. The zero
// value is none. Positions are comparable on one timeline only; a later timeline is greater.
type Position struct {
	timeline uint32
	lsn      uint64
}

// String returns the position as clients keep it. Of two positions, the greater text is the newer one.
func (p Position) String() string { return fmt.Sprintf("%08x%016x", p.timeline, p.lsn) }

// ParsePosition parses what String returns.
func ParsePosition(text string) (Position, error) {
	if len(text) != 24 || strings.ToLower(text) != text {
		return Position{}, errNoPosition
	}
	timeline, err := strconv.ParseUint(text[:8], 16, 32)
	if err != nil || timeline == 0 {
		return Position{}, errNoPosition
	}
	lsn, err := strconv.ParseUint(text[8:], 16, 64)
	if err != nil {
		return Position{}, errNoPosition
	}
	return Position{uint32(timeline), lsn}, nil
}

var errNoPosition = errors.New("not a position")

// parseLSN parses PostgreSQL's text of a place in the WAL.
func parseLSN(text string) (uint64, error) {
	high, low, ok := strings.Cut(text, "/")
	upper, err := strconv.ParseUint(high, 16, 32)
	lower, err2 := strconv.ParseUint(low, 16, 32)
	if !ok || err != nil || err2 != nil {
		return 0, errNoPosition
	}
	return upper<<32 | lower, nil
}

// The WAL is written in pages of 8 KiB, which begin with a short header, or a long one.
const (
	walPage        = 8 << 10
	walShortHeader = 24
	walLongHeader  = 40
)

// endOfRecords returns the end of the last record before an insert position, which is where the next one begins:
// behind the header of a page, where the last one ended with the page before. A standby tells the end of the record
// that it has replayed, and would not reach the other.
func endOfRecords(insert uint64) uint64 {
	if offset := insert % walPage; offset == walShortHeader || offset == walLongHeader {
		return insert - offset
	}
	return insert
}

// primaryState is what the primary showed at some moment.
type primaryState struct {
	history  string // of the connection's server
	recovery string // from a crash, the last one
	position Position
	xmax     int64 // transactions from it on had not ended, or not begun
	running  []int64
	at       time.Time
}

// parsePrimaryState parses the state that a primary of a history and a timeline tells.
func parsePrimaryState(history string, timeline uint32, row GetPrimaryStateRow) (*primaryState, error) {
	lsn, err := parseLSN(row.Position)
	parts := strings.Split(row.Snapshot, ":")
	if err != nil || len(parts) != 3 {
		return nil, errNoPosition
	}
	s := &primaryState{history: history, recovery: row.Recovery,
		position: Position{timeline, endOfRecords(lsn)}, at: time.Now()}
	if s.xmax, err = strconv.ParseInt(parts[1], 10, 64); err != nil {
		return nil, err
	}
	for text := range strings.SplitSeq(parts[2], ",") {
		if text == "" {
			break
		}
		xid, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, err
		}
		s.running = append(s.running, xid)
	}
	return s, nil
}

// goesOn reports whether the server still writes the history of an earlier state, and has not crashed since: if it has,
// other transactions may have the ids of those that had not reached its disk.
func (s *primaryState) goesOn(from *primaryState) bool {
	return s.history == from.history && s.recovery == from.recovery
}

// shows reports whether each of the transactions had ended.
func (s *primaryState) shows(xids []int64) bool {
	for _, xid := range xids {
		if xid >= s.xmax {
			return false
		}
		if slices.Contains(s.running, xid) {
			return false
		}
	}
	return true
}

// historyKey is the key of a connection's history in its custom data.
const historyKey = "waybill.history"

// history returns the history that the connection's server writes. It begins it if it has just been promoted.
func (c *sharedConn) history(ctx context.Context) (string, error) {
	custom := c.Conn.Conn().PgConn().CustomData()
	if known, ok := custom[historyKey].(string); ok {
		return known, nil
	}
	q := New(c.Conn.Conn())
	history, err := q.GetCurrentHistory(ctx)
	if err == nil && history == "" {
		if err = q.BeginEventHistory(ctx); err == nil {
			history, err = q.GetCurrentHistory(ctx)
		}
	}
	if err == nil && history == "" {
		err = errors.New("the server has no history")
	}
	if err == nil {
		custom[historyKey] = history
	}
	return history, err
}

// state reads the primary's state, after it has confirmed the claims, if there are any, in the same round trip.
func (p pooled) state(ctx context.Context, pending claims) (*primaryState, error) {
	conn, err := p.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	history, err := conn.history(ctx)
	if err != nil {
		return nil, err
	}
	timeline, _ := conn.Conn.Conn().PgConn().CustomData()[timelineKey].(uint64)
	batch, first := pipeline{claims: pending, statement: queued{sql: getPrimaryState}}.batch()
	pending.sent()
	results := conn.SendBatch(ctx, batch)
	var row GetPrimaryStateRow
	if first > 0 {
		_, err = results.Exec()
		pending.answered(err)
	}
	if err == nil {
		err = results.QueryRow().Scan(&row.Position, &row.Snapshot, &row.Recovery)
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	return parsePrimaryState(history, uint32(timeline), row)
}
