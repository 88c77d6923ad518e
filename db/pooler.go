package db

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// StatementMode is how a connection sends its statements.
type StatementMode string

// The statement modes.
const (
	// Prepare prepares each statement once per connection, under a name: the fastest. The server must be the
	// same for each statement of a connection, or the pooler must know prepared statements.
	Prepare StatementMode = "prepare"
	// Describe asks once per connection for the types of a statement's parameters and results, and has it
	// parsed and planned each time: nothing of it is left on the server.
	Describe StatementMode = "describe"
)

// StatementModes lists all modes.
func StatementModes() []StatementMode { return []StatementMode{Prepare, Describe} }

// statementMode returns the mode that is set. A pooler may send each transaction to another server process, which
// does not have the statements that were prepared before.
func (c Config) statementMode() StatementMode {
	switch {
	case c.StatementMode != "":
		return c.StatementMode
	case c.Pooler:
		return Describe
	}
	return Prepare
}

// configureSessions sets what each session starts with. A pooler refuses most settings: there they come from
// the role.
func (c Config) configureSessions(config *pgx.ConnConfig) error {
	if config.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement {
		return errors.New("contains default_query_exec_mode: set the statement mode instead (WAYBILL_STATEMENT_MODE)")
	}
	if c.statementMode() == Describe {
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	own := SessionSettings(c)
	if c.Pooler {
		own = map[string]string{clientEncoding: own[clientEncoding]}
	}
	maps.Copy(config.RuntimeParams, own)
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "waybill"
	}
	return nil
}

// clientEncoding is the one of our settings that every pooler takes.
const clientEncoding = "client_encoding"

// oneOff configures a command's own connection so that it also works through a pooler, and leaves no prepared statement
// there, which the next one to prepare it would collide with.
func oneOff(config *pgx.ConnConfig) {
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	config.RuntimeParams[clientEncoding] = "UTF8"
}

// Connect opens the one connection of a command, as whoever the configuration says. The error is for operators, and
// contains neither the password nor the URL.
func Connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	oneOff(config)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, ConnectAdvice(err, &config.Config)
	}
	if err := CheckEncoding(conn.PgConn()); err != nil {
		conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

// SessionError means that a new session is not what this program needs: it is not used. It is Unavailable, since
// another session may be right.
type SessionError struct{ reason string }

// Error says what is wrong, and how to fix it. It contains only names and values of settings.
func (e *SessionError) Error() string { return e.reason }

// checkSession compares a new session's role and settings with those that it was to start with: a pooler may have
// ignored them, in silence.
func (c Config) checkSession(ctx context.Context, conn *pgx.Conn) error {
	if err := CheckEncoding(conn.PgConn()); err != nil {
		return err
	}
	wanted := SessionSettings(c)
	names := append(slices.Sorted(maps.Keys(wanted)), flushing, syncing)
	have, err := New(unprepared(conn)).GetSessionSettings(ctx, names)
	if err != nil {
		return Explain(err) // no statement of a request was sent
	}
	if uint32(have.Pid) != conn.PgConn().PID() && !c.Pooler && c.StatementMode == "" {
		return errPooler
	}
	return compareSession(wanted, have)
}

// errPooler means that the mode of statements was left to a default that may fail now and then. A pooler tells a
// connection the number of another process than that which serves it.
var errPooler = &SessionError{"the database URL leads to a connection pooler: set WAYBILL_POOLER=true; or " +
	"WAYBILL_STATEMENT_MODE=prepare, if it keeps the session, or the prepared statements, of each connection"}

// The settings that say whether what is committed, and therefore shown and acknowledged, is on the disk: also what
// others have committed, if they do not say otherwise. Only without fsync a server may leave it: it keeps nothing for
// certain, and serves tests.
const (
	flushing = "synchronous_commit"
	syncing  = "fsync"
)

// errUnflushed means that commits do not wait for the disk. What a crash takes away would have been acknowledged, and
// the transaction ids of events that streams have told would be given out once more.
var errUnflushed = &SessionError{"synchronous_commit is off: what is acknowledged would be lost in a crash, and " +
	"streams " +
	"would miss events after it; set it to on (ALTER DATABASE … SET, ALTER ROLE … SET, or the server's " +
	"configuration), or to whatever else the standbys need"}

func compareSession(wanted map[string]string, have GetSessionSettingsRow) error {
	var wrong []string
	if have.RoleName != wanted["role"] {
		wrong = append(wrong, fmt.Sprintf("role is %s and must be %s", quote(have.RoleName), wanted["role"]))
	} else if have.IsPrivileged {
		return &SessionError{fmt.Sprintf("the role %s is a superuser, or bypasses row level security: run, as a "+
			"superuser: ALTER ROLE %[1]s NOSUPERUSER NOBYPASSRLS", have.RoleName)}
	}
	values := map[string]string{"role": wanted["role"]} // which is no setting to PostgreSQL
	for _, setting := range have.Settings {
		name, value, _ := strings.Cut(setting, "=")
		values[name] = value
	}
	if values[flushing] == "off" && values[syncing] == "on" {
		return errUnflushed
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if values[name] != wanted[name] {
			wrong = append(wrong, fmt.Sprintf("%s is %s and must be %s", name, values[name], wanted[name]))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &SessionError{"a session of the database did not start as it should: " + strings.Join(wrong, ", ") +
		"; through a connection pooler, the settings must come from the role: run what this prints: waybill pooler"}
}

// inMode sends each statement in a mode of its own.
type inMode struct {
	*pgx.Conn
	mode pgx.QueryExecMode
}

// unprepared sends statements in one round trip that leaves nothing on the server.
func unprepared(conn *pgx.Conn) inMode { return inMode{conn, pgx.QueryExecModeExec} }

// Query implements DBTX.
func (m inMode) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return m.Conn.Query(ctx, sql, append([]any{m.mode}, args...)...)
}

// QueryRow implements DBTX.
func (m inMode) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return m.Conn.QueryRow(ctx, sql, append([]any{m.mode}, args...)...)
}

// isPoolerError reports whether a pooler, and not the server, ended the connection. What the server did with the
// statement is unknown.
func isPoolerError(err *pgconn.PgError) bool { return strings.HasPrefix(err.Code, "08") }

// poolerMessages are PgBouncer's own, which share one SQLSTATE and contain nothing of a statement.
var poolerMessages = map[string]bool{
	"invalid server parameter":                      true,
	"no more connections allowed (max_client_conn)": true,
	"query_timeout":                                 true,
	"query_wait_timeout":                            true,
	"server conn crashed?":                          true,
	"server login has been failing, try again later (server_login_retry)": true,
}
