package db

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A session is checked before the body of a request is read, and the write may wait for locks after
// that. So each write is sent in one round trip and one implicit transaction with a final statement
// that rejects it if the session has changed since: see ConfirmSessions.

// Reading returns the context of an operation that only reads for v: the first statement sent with it
// confirms v's session, if that is not confirmed yet.
func Reading(ctx context.Context, v Viewer) context.Context {
	if claims := claimsOf(v); claims != nil {
		return withConfirmation(ctx, confirmation{claims: claims})
	}
	if confirmationIn(ctx) != nil { // of an earlier viewer that was outdated
		return unconfirmed(ctx)
	}
	return ctx
}

// Acting returns the context of an operation that writes for v: each statement that names no viewer of
// its own is confirmed by v's session.
func Acting(ctx context.Context, v Viewer) context.Context {
	c := confirmationOf(v)
	c.may = v.mayWrite()
	c.alone = true
	return withConfirmation(ctx, c)
}

// confirmation lists what must be confirmed with the statements of a context. The zero value requires
// nothing: reads, and the system's own writes.
type confirmation struct {
	claims   claims // confirmed before the first statement
	sessions ConfirmSessionsParams
	pickups  ConfirmPickupsParams // written by staff, who must see their facilities
	messages []queued             // confirm of each message that staff write that they see its pickup
	// alone marks a statement of any kind that is not batched: it may end its own session, which is
	// therefore also confirmed before it.
	alone bool
	few   bool  // short arrays: the generic plan serves them
	may   error // why nothing may be sent at all
	// history is the history of events that must be the server's; "" for any. recovery is the crash from which the
	// server must have recovered last; "" for any.
	history, recovery string
	untimed           bool         // the session's statement_timeout does not apply
	replica           *replicaRead // replicas may serve it
	// lockTimeout bounds the waits for locks, in milliseconds; "" leaves them to the session.
	lockTimeout string
}

type confirmationKey struct{}

func withConfirmation(ctx context.Context, c confirmation) context.Context {
	return context.WithValue(ctx, confirmationKey{}, &c)
}

// confirmedWith returns a context with a changed copy of its confirmation.
func confirmedWith(ctx context.Context, change func(*confirmation)) context.Context {
	var c confirmation
	if known := confirmationIn(ctx); known != nil {
		c = *known
	}
	change(&c)
	return withConfirmation(ctx, c)
}

// unconfirmed returns a context without confirmation, for reads, and for work that must happen even if the
// session has ended.
func unconfirmed(ctx context.Context) context.Context {
	return context.WithValue(ctx, confirmationKey{}, (*confirmation)(nil))
}

func confirmationIn(ctx context.Context) *confirmation {
	c, _ := ctx.Value(confirmationKey{}).(*confirmation)
	return c
}

// confirmationOf returns a confirmation with each of the viewers' sessions once.
func confirmationOf(viewers ...Viewer) (c confirmation) {
	type asked struct {
		tokenHash          tokenHash
		tenantID, driverID uuid.UUID
		role               UserRole
	}
	c.claims = claimsOf(viewers...)
	var known map[asked]bool
	for i, v := range viewers {
		if v.authority.kind != ofSession {
			continue
		}
		if a := (asked{v.authority.tokenHash, v.TenantID, v.DriverID, v.Role}); len(viewers) > 1 {
			if known == nil {
				known = make(map[asked]bool, len(viewers))
			}
			if known[a] {
				continue
			}
			known[a] = true
		}
		c.sessions.TenantIds = append(c.sessions.TenantIds, v.TenantID)
		c.sessions.TokenHashes = append(c.sessions.TokenHashes, viewers[i].authority.tokenHash[:])
		c.sessions.Roles = append(c.sessions.Roles, string(v.Role))
		c.sessions.DriverIds = append(c.sessions.DriverIds, v.DriverID)
	}
	return c
}

// confirmed is a request of a batch, with its viewer and the pickups that it writes.
type confirmed interface {
	by() Viewer
	pickupIDs() []uuid.UUID
}

// confirmedBy returns the context of a batch, whose statement is confirmed by the sessions of all its
// requests.
func confirmedBy[Q confirmed](ctx context.Context, asks []Q) context.Context {
	c := confirmationOf(mapSlice(asks, Q.by)...)
	if known := confirmationIn(ctx); known != nil {
		c.lockTimeout = known.lockTimeout
	}
	for _, ask := range asks {
		c.addPickups(ask.by(), ask.pickupIDs()...)
	}
	return withConfirmation(ctx, c)
}

// addPickups adds a confirmation that staff see what they write; the permissions of other roles do not
// depend on groups.
func (c *confirmation) addPickups(v Viewer, ids ...uuid.UUID) {
	if v.authority.kind != ofSession || v.Role != UserRoleStaff {
		return
	}
	for _, id := range ids {
		c.pickups.TenantIds = append(c.pickups.TenantIds, v.TenantID)
		c.pickups.Ids = append(c.pickups.Ids, id)
		c.pickups.ViewerIds = append(c.pickups.ViewerIds, v.UserID)
	}
}

// addMessage adds a confirmation that staff see the pickup of the text that they write.
func (c *confirmation) addMessage(v Viewer, id uuid.UUID) {
	if v.authority.kind != ofSession || v.Role != UserRoleStaff {
		return
	}
	c.messages = append(c.messages, queued{confirmMessage, []any{v.TenantID, id, v.UserID}})
}

// hasSettings reports whether something besides sessions goes before the statement.
func (c *confirmation) hasSettings() bool { return c.lockTimeout != "" || c.history != "" || c.untimed }

// before and after return the statements to send with a statement. required means that the cached sessions
// are already confirmed before it.
func (c *confirmation) before(required bool) (all []queued) {
	if c.lockTimeout != "" {
		all = append(all, queued{setLockTimeout, []any{c.lockTimeout}})
	}
	if c.untimed {
		all = append(all, queued{sql: withoutStatementTimeout})
	}
	if c.history != "" {
		all = append(all, queued{requireEventHistory, []any{c.recovery, c.history}})
	}
	if c.few {
		all = append(all, queued{sql: planOnce})
	}
	if c.alone && !required {
		all = append(all, c.sessionsBy(confirmSessions))
	}
	return all
}

// confirmedFirst returns the context of a shared read: the claims of all its requests are confirmed first.
func confirmedFirst(ctx context.Context, asks []seen) context.Context {
	var all claims
	for i := range asks {
		if v := &asks[i].viewer; !v.Confirmed() {
			all = append(all, v.authority.claim)
		}
	}
	if all == nil {
		return unconfirmed(ctx)
	}
	return withConfirmation(ctx, confirmation{claims: all})
}

// plannedOnce makes the statement of a confirmed context use its generic plan if its arrays are short. For
// longer arrays PostgreSQL chooses the plan: the generic one assumes ten elements.
func plannedOnce(ctx context.Context, rows int) context.Context {
	if c := confirmationIn(ctx); c != nil {
		c.few = rows <= fewRows
	}
	return ctx
}

// fewRows is less than ten, the length that PostgreSQL assumes for an unknown array.
const fewRows = 8

func (c *confirmation) after() []queued {
	if len(c.sessions.TokenHashes) == 0 { // a read
		return nil
	}
	last := confirmSessions
	if c.alone {
		last = confirmSessionOrItsEnd
	}
	all := []queued{c.sessionsBy(last)}
	if p := c.pickups; len(p.Ids) > 0 {
		all = append(all, queued{confirmPickups, []any{p.TenantIds, p.Ids, p.ViewerIds}})
	}
	return append(all, c.messages...)
}

func (c *confirmation) sessionsBy(sql string) queued {
	return queued{sql, []any{c.sessions.TenantIds, c.sessions.TokenHashes, c.sessions.Roles, c.sessions.DriverIds}}
}

// confirming sends each statement with the confirmation of its context, if there is one.
type confirming struct {
	DBTX     // without confirmation
	take     taker
	replicas *replicaSet // nil without replicas
}

// Exec implements DBTX.
func (q confirming) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if confirmationIn(ctx) == nil {
		return q.DBTX.Exec(ctx, sql, args...)
	}
	return executed(q.Query(ctx, sql, args...))
}

// Query implements DBTX.
func (q confirming) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	c := confirmationIn(ctx)
	if c == nil {
		return q.DBTX.Query(ctx, sql, args...)
	}
	if c.may != nil {
		return nil, c.may
	}
	pending, err := c.claims.pending()
	if err != nil {
		return nil, err
	}
	if c.replica != nil && !c.hasSettings() {
		rows, ok, err := q.replicas.read(ctx, c.replica, pending, queued{sql, args})
		if ok || err != nil {
			return rows, err
		}
		if pending, err = c.claims.pending(); err != nil { // confirmed meanwhile
			return nil, err
		}
	}
	if len(pending) == 0 && len(c.sessions.TokenHashes) == 0 && !c.hasSettings() {
		// confirmed already, or the system's own
		return q.DBTX.Query(ctx, sql, args...)
	}
	return q.take.send(ctx, pipeline{pending, c.before(len(pending) > 0), queued{sql, args}, c.after()})
}

// QueryRow implements DBTX.
func (q confirming) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := q.Query(ctx, sql, args...)
	return oneRow{rows, err}
}
