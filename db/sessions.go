package db

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Viewer is the user on whose behalf a statement runs: every statement that reads or writes a tenant's rows
// has one. Its size is constant: statements join the facilities that the user sees.
type Viewer struct {
	TenantID  uuid.UUID
	UserID    uuid.UUID
	Role      UserRole
	DriverID  uuid.UUID // the driver that the user is linked to, or the nil UUID
	DigestKey []byte    // keys the request digests of the tenant
	ExpiresAt time.Time

	authority authority // set only by Authenticate and SystemViewer
}

// Token is a client's session token: the tenant's id and 256 random bits. Only its hash is stored.
type Token string

const secretBytes = 32

// NewToken returns a new token for a session of the tenant.
func NewToken(tenantID uuid.UUID) Token {
	raw := append(make([]byte, 0, len(tenantID)+secretBytes), tenantID[:]...)
	raw = raw[:cap(raw)]
	rand.Read(raw[len(tenantID):])
	return Token(base64.RawURLEncoding.EncodeToString(raw))
}

// parse returns the tenant and the hash of the whole token. ok is false if it is malformed.
func (t Token) parse() (tenantID uuid.UUID, hash tokenHash, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(t))
	if err != nil || len(raw) != len(tenantID)+secretBytes {
		return tenantID, hash, false
	}
	copy(tenantID[:], raw)
	return tenantID, sha256.Sum256(raw), true
}

// Hash returns the stored hash of the token, nil if the token is malformed.
func (t Token) Hash() []byte {
	_, hash, ok := t.parse()
	if !ok {
		return nil
	}
	return hash[:]
}

// Lifetimes are the absolute and the idle timeout of sessions.
type Lifetimes struct {
	Absolute time.Duration // 0 means 30 days
	Idle     time.Duration // 0 means 12 hours
}

// WithDefaults replaces zeros by defaults.
func (l Lifetimes) WithDefaults() Lifetimes {
	if l.Absolute == 0 {
		l.Absolute = 30 * 24 * time.Hour
	}
	if l.Idle == 0 {
		l.Idle = 12 * time.Hour
	}
	return l
}

// OpenSession creates a session for a user whose password was verified against passwordHash. It returns
// Unauthenticated if the password was changed or the user deactivated since.
func (s *Store) OpenSession(
	ctx context.Context, tenantID, userID uuid.UUID, passwordHash string, lifetime time.Duration,
) (Token, CreateSessionRow, error) {
	token := NewToken(tenantID)
	row, err := s.q.CreateSession(ctx, CreateSessionParams{
		TenantID: tenantID, UserID: userID, PasswordHash: passwordHash, TokenHash: token.Hash(), Lifetime: lifetime,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", row, refuse(Unauthenticated, "")
	}
	return token, row, err
}

// Admit returns the viewer of a token from the cache, or from Authenticate if it is not cached.
// A cached viewer may be out of date: the first statement sent for it confirms it, or is
// refused. See Viewer.Confirmed and Viewer.Outdated.
func (s *Store) Admit(ctx context.Context, token Token, idle time.Duration) (Viewer, error) {
	_, hash, ok := token.parse()
	if !ok {
		return Viewer{}, refuse(Unauthenticated, "")
	}
	if cached, ok := s.viewers.get(hash, time.Now()); ok && cached.idle == idle {
		v := cached.Viewer
		v.authority.claim = &claim{cached: cached, cache: s.viewers}
		return v, nil
	}
	return s.Authenticate(ctx, token, idle)
}

// touchInterval is how often last_seen_at is updated: see GetSessions and TouchSession.
const touchInterval = time.Minute

// touchMargin is how long before that update a viewer is removed from the cache. It is longer than most
// requests wait for the database, so that few requests are refused and retried.
const touchMargin = 5 * time.Second

// Authenticate reads the viewer of a token from the database, and updates the session's last_seen_at if it is
// more than a minute old. It returns Unauthenticated if the session, its user or the password that it was
// opened with is no longer valid.
func (s *Store) Authenticate(ctx context.Context, token Token, idle time.Duration) (Viewer, error) {
	tenantID, hash, ok := token.parse()
	if !ok {
		return Viewer{}, refuse(Unauthenticated, "")
	}
	asked := time.Now()
	known, err := s.sessions.do(ctx, session{tenantID, hash, idle})
	if err != nil {
		return Viewer{}, err
	}
	if !known.ok {
		s.viewers.drop(hash)
		return Viewer{}, refuse(Unauthenticated, "")
	}
	row := known.row
	if row.FreshFor < 0 {
		if _, err := s.q.TouchSession(unconfirmed(ctx),
			TouchSessionParams{TenantID: tenantID, TokenHash: hash[:]}); err != nil {
			return Viewer{}, err
		}
		row.FreshFor = touchInterval
	}
	v := Viewer{row.TenantID, row.UserID, row.Role, row.DriverID, row.DigestKey, row.ExpiresAt,
		authority{kind: ofSession, tokenHash: hash}}
	if fresh := min(row.FreshFor, idle) - touchMargin; fresh > 0 {
		s.viewers.put(&cachedViewer{v, asked.Add(fresh), idle})
	}
	return v, nil
}

// session is a request for a token's session.
type session struct {
	tenantID uuid.UUID
	hash     tokenHash
	idle     time.Duration // the same for all
}

func (s *Store) flushSessions(ctx context.Context, asks []session) ([]found[GetSessionsRow], error) {
	rows, err := s.q.GetSessions(unconfirmed(ctx), GetSessionsParams{
		TenantIds:   mapSlice(asks, func(a session) uuid.UUID { return a.tenantID }),
		TokenHashes: mapSlice(asks, func(a session) []byte { return a.hash[:] }),
		Idle:        asks[0].idle,
	})
	return inPlace(asks, rows, func(r GetSessionsRow) int64 { return r.Asked }), err
}

// CloseSession revokes the token's session, immediately and on all processes.
func (s *Store) CloseSession(ctx context.Context, token Token) error {
	tenantID, hash, ok := token.parse()
	if !ok {
		return refuse(Unauthenticated, "")
	}
	s.viewers.drop(hash)
	n, err := s.q.RevokeSession(ctx, RevokeSessionParams{TenantID: tenantID, TokenHash: hash[:]})
	return s.changed(ctx, n, err)
}
