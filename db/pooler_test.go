package db_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/localpg"
)

// ignoredSettings are those that PgBouncer is told to ignore.
const ignoredSettings = "role,default_transaction_isolation,statement_timeout,lock_timeout," +
	"idle_in_transaction_session_timeout,jit"

// setSessions gives waybill_app the settings of its sessions in the test's database, as waybill pooler prints them.
func setSessions(t testing.TB, d *dbtest.DB, c db.Config) {
	t.Helper()
	for name, value := range db.SessionSettings(c) {
		must(d.App().Exec(t.Context(), fmt.Sprintf("ALTER ROLE waybill_app IN DATABASE %s SET %s = '%s'",
			d.Name(), name, value)))
	}
}

// sessionError opens a store, which must fail because of its session.
func sessionError(t testing.TB, c db.Config) string {
	t.Helper()
	s, err := db.OpenRaw(t.Context(), c)
	if err == nil {
		s.Close()
		t.Fatal("opened")
	}
	var session *db.SessionError
	if !errors.As(err, &session) || db.CodeOf(db.Explain(err)) != db.Unavailable {
		t.Errorf("%T: %v", err, err)
	}
	return err.Error()
}

// A pooler that ignores what it does not know gives sessions without limits, as whoever logs in.
func TestASessionWithoutItsRoleOrLimitsIsRefused(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for _, mode := range []string{"session", "transaction"} {
		p := d.PgBouncer(map[string]string{"pool_mode": mode, "ignore_startup_parameters": ignoredSettings})
		for url, wrong := range map[string][]string{
			p.AppURL: {"statement_timeout is 0 and must be 5000", "lock_timeout is 0 and must be 3000",
				"idle_in_transaction_session_timeout is 0 and must be 5000"},
			p.URL("postgres", d.Name()): {"role is postgres and must be waybill_app", "statement_timeout is 0 and"},
			p.OwnerURL:                  {"role is waybill_owner and must be waybill_app"},
		} {
			says := sessionError(t, db.Config{URL: url, StatementMode: db.Prepare})
			for _, part := range append(wrong, "waybill pooler") {
				if !strings.Contains(says, part) {
					t.Errorf("%s: %q is not in: %s", mode, part, says)
				}
			}
		}
	}
}

// What is committed must be on the disk before it is shown: a crash would take away what was acknowledged.
func TestASessionWhoseCommitsAreNotFlushedIsRefused(t *testing.T) {
	t.Parallel()
	for fsync, refused := range map[string]bool{"on": true, "off": false} {
		s := must(localpg.Start(t.Context(), localpg.Options{
			Settings: map[string]string{"fsync": fsync, "synchronous_commit": "off"}}))
		t.Cleanup(func() { s.Stop() })
		must(0, db.Migrate(t.Context(), s.URL(localpg.Owner, localpg.Database)))
		c := db.Config{URL: s.URL(localpg.App, localpg.Database)}
		if refused {
			if says := sessionError(t, c); !strings.Contains(says, "synchronous_commit is off") {
				t.Error(says)
			}
			must(openPool(t, s.URL(localpg.Superuser, localpg.Database)).Exec(t.Context(),
				"ALTER ROLE waybill_app SET synchronous_commit = local"))
		}
		must(openStore(t, c).ListTransitions(t.Context()))
	}
}

// A pooler that was not expected is noticed, even if all settings are right: its prepared statements may fail.
func TestAPoolerThatWasNotExpectedIsRefused(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	setSessions(t, d, db.Config{})
	for _, mode := range []string{"session", "transaction"} {
		p := d.PgBouncer(map[string]string{"pool_mode": mode, "ignore_startup_parameters": ignoredSettings})
		if says := sessionError(t, db.Config{URL: p.AppURL}); !strings.Contains(says, "set WAYBILL_POOLER=true") {
			t.Errorf("%s: %s", mode, says)
		}
		must(openStore(t, db.Config{URL: p.AppURL, StatementMode: db.Describe}).ListTransitions(t.Context()))
		must(openStore(t, db.Config{URL: p.AppURL, Pooler: true}).ListTransitions(t.Context()))
	}
	must(openStore(t, db.Config{URL: d.AppURL}).ListTransitions(t.Context()))
}

// The migrations give the sessions of waybill_app what a program without settings of its own needs.
func TestMigrationsSetWhatSessionsStartWith(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.Bare(t, "")
	own := func() map[string]string {
		rows := must(d.Owner().Query(ctx, `SELECT split_part(c, '=', 1), split_part(c, '=', 2)
			FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c
			WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND s.setrole = 'waybill_app'::regrole`))
		settings := map[string]string{}
		var name, value string
		must(pgx.ForEachRow(rows, []any{&name, &value}, func() error {
			settings[strings.ToLower(name)] = value
			return nil
		}))
		return settings
	}
	m := must(db.NewMigrator(d.OwnerURL))
	t.Cleanup(func() { m.Close() })
	must(m.Up(ctx))
	want := db.SessionSettings(db.Config{})
	delete(want, "role")
	if got := own(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	p := d.PgBouncer(map[string]string{"pool_mode": "transaction"})
	must(openStore(t, db.Config{URL: p.AppURL, Pooler: true}).ListTransitions(ctx))
	must(d.App().Exec(ctx, "ALTER ROLE waybill_app IN DATABASE "+d.Name()+" SET work_mem = '8MB'"))
	for _, source := range m.ListSources() {
		if strings.HasSuffix(source.Path, "_session_settings.sql") {
			must(m.DownTo(ctx, source.Version-1))
		}
	}
	if got := own(); !maps.Equal(got, map[string]string{"work_mem": "8MB"}) {
		t.Errorf("after the way down: %v", got)
	}
}

// A login that is only a member of waybill_app becomes it by its settings.
func TestAMemberGetsTheRoleThroughAPooler(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	const login = "waybill_test_member"
	p := d.PgBouncer(map[string]string{"pool_mode": "transaction"}, login)
	must(d.Owner().Exec(ctx, "CREATE ROLE "+login+" LOGIN IN ROLE waybill_app"))
	t.Cleanup(func() {
		must(d.Owner().Exec(context.Background(), "ALTER ROLE "+login+" IN DATABASE "+d.Name()+" RESET ALL"))
		must(d.Owner().Exec(context.Background(), "DROP ROLE "+login))
	})
	c := db.Config{URL: p.URL(login, d.Name()), Pooler: true}
	if says := sessionError(t, c); !strings.Contains(says, "role is "+login+" and must be waybill_app") {
		t.Errorf("got %s", says)
	}
	for name, value := range db.SessionSettings(c) {
		must(d.Owner().Exec(ctx, fmt.Sprintf("ALTER ROLE %s IN DATABASE %s SET %s = '%s'",
			login, d.Name(), name, value)))
	}
	must(0, p.Command(ctx, "RECONNECT"))
	must(openStore(t, c).ListTransitions(ctx))
}

// A pooler that refuses what it does not know leads to the setting.
func TestAPoolerThatRefusesSettingsIsExplained(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	p := d.PgBouncer(nil)
	s, err := db.OpenRaw(t.Context(), db.Config{URL: p.AppURL})
	if err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "WAYBILL_POOLER=true") ||
		!strings.Contains(err.Error(), "waybill pooler") {
		t.Errorf("got %v", err)
	}
}

// Every session is compared, not only the first.
func TestASessionThatLostItsSettingsIsNotUsed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	c := config(d.AppURL, true)
	c.Pooler = true
	setSessions(t, d, c)
	s := openStore(t, c)
	tenants := func() error {
		_, err := s.ListTransitions(ctx)
		return err
	}
	must(0, tenants())
	for name, value := range map[string]string{"statement_timeout": "'1min'", "lock_timeout": "0",
		"idle_in_transaction_session_timeout": "0", "default_transaction_isolation": "serializable",
		"timezone": "'Asia/Kathmandu'", "jit": "on"} {
		must(d.App().Exec(ctx, fmt.Sprintf("ALTER ROLE waybill_app IN DATABASE %s SET %s = %s", d.Name(), name, value)))
		s.Pool().Reset()
		err := tenants()
		if db.CodeOf(db.Explain(err)) != db.Unavailable || !strings.Contains(fmt.Sprint(err), name+" is ") {
			t.Errorf("%s: %v", name, err)
		}
		setSessions(t, d, c)
		must(0, tenants())
	}
}

// A role that row level security does not apply to is not the application's, whatever its name.
func TestAPrivilegedRoleIsRefused(t *testing.T) {
	t.Parallel()
	err := db.CompareSession(map[string]string{"role": db.AppRole},
		db.GetSessionSettingsRow{RoleName: db.AppRole, IsPrivileged: true})
	if err == nil || !strings.Contains(err.Error(), "NOSUPERUSER NOBYPASSRLS") {
		t.Errorf("got %v", err)
	}
}

// Neither the URL nor the environment chooses the encoding: another one would store other characters.
func TestTheEncodingOfASessionIsOurs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	setSessions(t, d, db.Config{})
	p := d.PgBouncer(map[string]string{"pool_mode": "transaction"})
	for _, encoding := range []string{"LATIN1", "SJIS", "nonsense"} {
		s := openStore(t, db.Config{URL: p.AppURL + "&client_encoding=" + encoding, Pooler: true})
		var text string
		err := s.Pool().QueryRow(ctx, "SELECT $1::text || chr(8364)", "é").Scan(&text)
		if err != nil || text != "é€" {
			t.Errorf("%s: %q, %v", encoding, text, err)
		}
	}
	conn := must(pgx.Connect(ctx, d.AppURL+"&client_encoding=LATIN1"))
	defer conn.Close(ctx)
	var session *db.SessionError
	if err := db.CheckEncoding(conn.PgConn()); !errors.As(err, &session) ||
		!strings.Contains(err.Error(), "client_encoding of a session is LATIN1 and must be UTF8") {
		t.Errorf("got %v", err)
	}
	_, err := conn.Exec(ctx, "SELECT chr(8364)")
	if code := db.CodeOf(db.Explain(err)); code != db.Internal {
		t.Errorf("what the session cannot express is %s: %v", code, err)
	}
}

// The mode of statements is chosen in one place.
func TestTheStatementModeIsNotInTheURL(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for _, mode := range []string{"simple_protocol", "exec", "describe_exec", "cache_describe"} {
		s, err := db.OpenRaw(t.Context(), db.Config{URL: d.AppURL + "&default_query_exec_mode=" + mode})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "WAYBILL_STATEMENT_MODE") {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

// Statements in the mode describe leave nothing in a session; those of the default mode do.
func TestDescribedStatementsLeaveNothingInTheSession(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	for mode, want := range map[db.StatementMode]bool{db.Describe: false, db.Prepare: true} {
		s := openStore(t, db.Config{URL: d.AppURL, MaxConns: 1, StatementMode: mode})
		w := (&database{s, d.Owner(), d}).fixture(ctx)
		must(0, w.depositing(ctx, w.account, 1)(s))
		must(s.ListTransitions(ctx))
		var left []string
		must(0, s.Pool().QueryRow(ctx, "SELECT array_agg(name) FROM pg_prepared_statements",
			pgx.QueryExecModeExec).Scan(&left))
		left = slices.DeleteFunc(left, func(name string) bool { return name == "" })
		if (len(left) > 0) != want {
			t.Errorf("%s: %d prepared statements are left", mode, len(left))
		}
	}
}

// Migrators exclude each other through a pooler too, which may put both into one session.
func TestTwoMigratorsThroughAPoolerDoNotCollide(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, mode := range []string{"session", "transaction"} {
		d := dbtest.New(t)
		before := catalog(ctx, d.Owner())
		p := d.PgBouncer(map[string]string{"pool_mode": mode})
		m := must(db.NewMigrator(p.OwnerURL))
		t.Cleanup(func() { m.Close() })
		must(m.DownTo(ctx, 0))
		for i, err := range together(3, func(int) error { return db.Migrate(ctx, p.OwnerURL) }) {
			if err != nil {
				t.Errorf("%s: migrator %d: %v", mode, i, err)
			}
		}
		if after := catalog(ctx, d.Owner()); !slices.Equal(before, after) {
			t.Errorf("%s: the schema differs", mode)
		}
		// The pooler ends a server's session, and with it its locks, after it has let the client go.
		waiting, cancel := context.WithTimeout(ctx, time.Minute)
		waitFor(waiting, d, `SELECT (count(*) = 0)::int FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
			WHERE l.locktype = 'advisory' AND d.datname = current_database()`)
		cancel()
	}
}

// While one migrator holds the lock through a pooler no other gets it, whichever way that comes.
func TestTheMigrationsLockHoldsThroughAPooler(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a lock that was lost is never given back
	defer cancel()
	d := dbtest.New(t)
	p := d.PgBouncer(map[string]string{"pool_mode": "transaction", "default_pool_size": "3"})
	for first, second := range map[string]string{p.OwnerURL: p.OwnerURL, d.OwnerURL: p.OwnerURL} {
		var inside, most atomic.Int32
		for _, err := range together(4, func(i int) error {
			url := first
			if i%2 == 1 {
				url = second
			}
			return db.WithMigrationLock(ctx, url, func() {
				most.Store(max(most.Load(), inside.Add(1)))
				must(d.Owner().Exec(ctx, "SELECT pg_sleep(0.05)"))
				inside.Add(-1)
			})
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		if most.Load() != 1 {
			t.Errorf("%d migrators had the lock at once", most.Load())
		}
	}
}
