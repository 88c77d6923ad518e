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

// Viewer is who asks: every statement that reads or moves a tenant's rows names one.
// Its size is constant, whatever the viewer may see; that is joined in the statements.
type Viewer struct {
	TenantID  uuid.UUID
	UserID    uuid.UUID
	Role      UserRole
	DriverID  uuid.UUID // the driver whose login this is, else the nil UUID
	DigestKey []byte    // keys the digests of this tenant's requests
	ExpiresAt time.Time

	authority authority // set by Authenticate and SystemViewer alone
}

// Token is what a client holds of its session: the tenant's id and 256 random bits.
// Only its hash is stored.
type Token string

const secretBytes = 32

// NewToken makes a token for a session of the tenant.
func NewToken(tenantID uuid.UUID) Token {
	raw := append(make([]byte, 0, len(tenantID)+secretBytes), tenantID[:]...)
	raw = raw[:cap(raw)]
	rand.Read(raw[len(tenantID):])
	return Token(base64.RawURLEncoding.EncodeToString(raw))
}

// parse gives the tenant and the hash of the whole token. ok is false if it is none.
func (t Token) parse() (tenantID uuid.UUID, hash []byte, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(t))
	if err != nil || len(raw) != len(tenantID)+secretBytes {
		return tenantID, nil, false
	}
	copy(tenantID[:], raw)
	sum := sha256.Sum256(raw)
	return tenantID, sum[:], true
}

// Hash is what is stored of the token, nil if it is none.
func (t Token) Hash() []byte {
	_, hash, _ := t.parse()
	return hash
}

// Lifetimes of a session: in all, and without a request.
type Lifetimes struct {
	Absolute time.Duration // 0: 30 days
	Idle     time.Duration // 0: 12 hours
}

// WithDefaults fills what is not set.
func (l Lifetimes) WithDefaults() Lifetimes {
	if l.Absolute == 0 {
		l.Absolute = 30 * 24 * time.Hour
	}
	if l.Idle == 0 {
		l.Idle = 12 * time.Hour
	}
	return l
}

// OpenSession opens a session for a user whose password was verified against
// passwordHash. Unauthenticated, if the password was changed or the user
// deactivated since.
func (s *Store) OpenSession(
	ctx context.Context, tenantID, userID uuid.UUID, passwordHash string, lifetime time.Duration,
) (Token, CreateSessionRow, error) {
	token := NewToken(tenantID)
	row, err := s.CreateSession(ctx, CreateSessionParams{
		TenantID: tenantID, UserID: userID, PasswordHash: passwordHash, TokenHash: token.Hash(), Lifetime: lifetime,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", row, refuse(Unauthenticated, "")
	}
	return token, row, err
}

// Authenticate gives the viewer behind a token, and moves the session's last_seen_at
// where it is more than a minute old. Unauthenticated, if the session, its user or the
// password that it was opened with is not good any more.
func (s *Store) Authenticate(ctx context.Context, token Token, idle time.Duration) (Viewer, error) {
	tenantID, hash, ok := token.parse()
	if !ok {
		return Viewer{}, refuse(Unauthenticated, "")
	}
	known, err := s.sessions.do(ctx, session{tenantID, hash, idle})
	if err != nil {
		return Viewer{}, err
	}
	if !known.is {
		return Viewer{}, refuse(Unauthenticated, "")
	}
	row := known.row
	if row.Stale {
		if _, err := s.TouchSession(ctx, TouchSessionParams{TenantID: tenantID, TokenHash: hash}); err != nil {
			return Viewer{}, err
		}
	}
	return Viewer{
		row.TenantID, row.UserID, row.Role, row.DriverID, row.DigestKey, row.ExpiresAt,
		authority{ofSession, [sha256.Size]byte(hash)},
	}, nil
}

// session asks whose it is.
type session struct {
	tenantID uuid.UUID
	hash     []byte
	idle     time.Duration // the same for all
}

func (s *Store) flushSessions(ctx context.Context, asks []session) ([]found[GetSessionsRow], error) {
	rows, err := s.GetSessions(ctx, GetSessionsParams{
		TenantIds:   each(asks, func(a session) uuid.UUID { return a.tenantID }),
		TokenHashes: each(asks, func(a session) []byte { return a.hash }),
		Idle:        asks[0].idle,
	})
	return inPlace(asks, rows, func(r GetSessionsRow) int64 { return r.Asked }), err
}

// CloseSession revokes the token's session, at once and on every process.
func (s *Store) CloseSession(ctx context.Context, token Token) error {
	tenantID, hash, ok := token.parse()
	if !ok {
		return refuse(Unauthenticated, "")
	}
	_, err := s.RevokeSession(ctx, RevokeSessionParams{TenantID: tenantID, TokenHash: hash})
	return err
}
