package db

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db/batch"
)

// What the server cannot do at the moment, whatever the request, is not reported as a fault of the
// program: a client may retry it.
func TestStateOfTheServerIsNoFaultOfTheProgram(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]Code{
		"25006": Unavailable, "25P03": Unavailable,
		"57P01": Unavailable, "57P02": Unavailable, "57P03": Unavailable, "57P04": Unavailable, "57P05": Unavailable,
		"08000": Unavailable, "08003": Unavailable, "08006": Unavailable, "08P01": Unavailable,
		"53000": Unavailable, "53100": StorageFull, "58000": Unavailable, "58030": Unavailable,
		"53200": Overloaded, "53300": Overloaded, "53400": Overloaded,
		"40001": Overloaded, "40P01": Overloaded, "55P03": Overloaded, "26000": Overloaded,
		"42P05": Overloaded,
		"57014": Timeout, "25P04": Timeout,
		"22021": ValidationFailed, "22P05": ValidationFailed, "23502": ValidationFailed,
		// These remain faults of the program or its schema.
		"XX000": Internal, "XX001": Internal, "42P01": Internal, "42501": Internal, "42601": Internal,
		"25P02": Internal, "P0001": Internal, "23505": Internal, "0A000": Internal, "": Internal,
	} {
		if got := Explain(fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: state})).Code; got != want {
			t.Errorf("SQLSTATE %q is %s, want %s", state, got, want)
		}
	}
	stale := &pgconn.PgError{Code: "0A000", Routine: "RevalidateCachedQuery"}
	if got := Explain(stale).Code; got != Overloaded {
		t.Errorf("a plan from before a migration is %s", got)
	}
}

// A server that refuses the connection has not seen the request: a changed password, a missing role or
// database.
func TestRefusedConnectionIsUnavailable(t *testing.T) {
	t.Parallel()
	const unreachable = "postgres://nobody@127.0.0.1:1/none?connect_timeout=1"
	_, err := pgconn.Connect(t.Context(), unreachable)
	if got := Explain(err).Code; got != Unavailable {
		t.Errorf("no server listens: %s", got)
	}
	for state, want := range map[string]Code{"28P01": Unavailable, "28000": Unavailable,
		"3D000": Unavailable, "42501": Unavailable, "53300": Overloaded} {
		if got := explainServer(&pgconn.PgError{Code: state}, true).Code; got != want {
			t.Errorf("SQLSTATE %s at connect is %s, want %s", state, got, want)
		}
	}
	if got := explainServer(&pgconn.PgError{Code: "42501"}, false).Code; got != Internal {
		t.Errorf("without a privilege, at a statement: %s", got)
	}
}

// A pooler's error tells nothing of what became of the statement, and only the log what it was.
func TestAPoolersErrorIsNotTheServers(t *testing.T) {
	t.Parallel()
	for message, logged := range map[string]bool{"query_wait_timeout": true, "server conn crashed?": true,
		"a value of somebody": false} {
		err := &pgconn.PgError{Code: "08P01", Severity: "ERROR", SeverityUnlocalized: "ERROR", Message: message}
		if notApplied(err) || classify(err) != batch.Unknown {
			t.Errorf("%s: the statement is taken for rolled back", message)
		}
		if text := Explain(err).Error(); strings.Contains(text, message) != logged {
			t.Errorf("%s: the log says %s", message, text)
		}
	}
}

// A session that is not used has run nothing.
func TestASessionThatIsNotUsedHasRunNothing(t *testing.T) {
	t.Parallel()
	for _, err := range []error{&SessionError{"wrong"}, Explain(&pgconn.PgError{Code: "57P01", Severity: "FATAL"})} {
		if !notApplied(err) || classify(err) != batch.Unavailable {
			t.Errorf("%v is %v", err, classify(err))
		}
	}
}
