package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/localpg"
)

// installed is a PostgreSQL as packages install it: with only the superuser, who logs in through the
// socket, and passwords over TCP.
type installed struct {
	t      testing.TB
	super  *pgx.Conn
	port   string
	socket string
}

func install(t testing.TB) *installed {
	t.Helper()
	server, err := localpg.Start(t.Context(), localpg.Options{TCP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	super, err := pgx.Connect(t.Context(), server.URL(localpg.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { super.Close(context.Background()) })
	p := &installed{t, super, strconv.Itoa(int(super.Config().Port)), filepath.Join(server.Dir(), "run")}
	p.exec("DROP DATABASE " + localpg.Database)
	p.exec(fmt.Sprintf("DROP ROLE %s, %s", localpg.Owner, localpg.App))
	rules := "local all postgres trust\nlocal all all peer\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(server.Dir(), "data", "pg_hba.conf"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	p.exec("SELECT pg_reload_conf()")
	return p
}

func (p *installed) exec(statement string) {
	p.t.Helper()
	if _, err := p.super.Exec(p.t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
		p.t.Fatalf("%s: %v", statement, err)
	}
}

// url returns the URL of a role whose password is its name.
func (p *installed) url(role, database string) string {
	return fmt.Sprintf("postgres://%s:%[1]s@127.0.0.1:%s/%s", role, p.port, database)
}

// setup runs "waybill setup" as the README has it.
func (p *installed) setup(args ...string) (owner, app string) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "waybill.env")
	code, page, errors := ended(p.t, "", []string{"PGHOST=127.0.0.1", "PGPORT=" + p.port},
		append([]string{"setup", "--env", file}, args...)...)
	if code != 0 {
		p.t.Fatal(errors)
	}
	psql := exec.Command(needPsql(p.t), "-X")
	psql.Env = append(os.Environ(), "PGHOST="+p.socket, "PGPORT="+p.port, "PGUSER=postgres", "PGDATABASE=postgres")
	psql.Stdin = strings.NewReader(page)
	if out, err := psql.CombinedOutput(); err != nil {
		p.t.Fatalf("psql: %v\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		p.t.Errorf("others may read the passwords: %v, %v", info.Mode(), err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch value = strings.Trim(value, "'"); name {
		case "OWNER_URL":
			owner = value
		case "APP_URL":
			app = value
		}
	}
	for _, address := range []string{owner, app} {
		u, err := url.Parse(address)
		if err != nil {
			p.t.Fatal(err)
		}
		password, _ := u.User.Password()
		if len(password) < 20 {
			p.t.Errorf("a password of %d characters", len(password))
		}
		hasNot(p.t, page, password)
	}
	return owner, app
}

func needPsql(t testing.TB) string {
	t.Helper()
	psql, err := exec.LookPath("psql")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("psql is not installed")
	}
	if err != nil {
		t.Skip("needs psql")
	}
	return psql
}

// runningIt returns the commands in the README's section "Running it".
func runningIt(t testing.TB) (commands []string) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Running it\n")
	if !found {
		t.Fatal("the README lacks the section")
	}
	for line := range strings.Lines(section) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			commands = append(commands, strings.TrimSpace(command))
		} else if len(commands) > 0 {
			return commands
		}
	}
	return commands
}

// backgroundScript returns the README's commands as a script that runs the servers in the background.
func backgroundScript(t testing.TB) string {
	t.Helper()
	script := "set -eu\n"
	staying := 0
	for _, command := range runningIt(t) {
		if strings.HasPrefix(command, "waybill serve") || strings.HasPrefix(command, "waybill work") {
			command, _, _ = strings.Cut(command, "#")
			command += " >>stays.out 2>>stays.err &"
			staying++
		}
		script += command + "\n"
	}
	if staying != 2 {
		t.Fatalf("%d programs keep running:\n%s", staying, script)
	}
	return script
}

// plainEnviron returns the environment without settings of Waybill's and PostgreSQL's.
func plainEnviron() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "WAYBILL_") && !strings.HasPrefix(v, "DATABASE_URL=") && !strings.HasPrefix(v, "PG") {
			env = append(env, v)
		}
	}
	return env
}

// stopRecorded ends the programs whose process ids are in a file.
func stopRecorded(pids string) {
	text, _ := os.ReadFile(pids)
	for pid := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(pid); err == nil && n > 1 {
			if cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", n)); err == nil &&
				!strings.HasPrefix(string(cmdline), os.Args[0]) {
				continue // it has ended, and the number is another's
			}
			syscall.Kill(n, syscall.SIGTERM)
		}
	}
}

// The README's instructions work on a newly installed PostgreSQL: the lines are run unchanged, except
// that servers run in the background.
func TestTheReadmesRunningItWorksOnAFreshPostgreSQL(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "commands that do one thing after the other")
	needPsql(t)
	p, dir := install(t), t.TempDir()
	executable := func(name, script string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	executable("waybill", fmt.Sprintf("echo $$ >> pids\nexec '%s' \"$@\"\n", os.Args[0]))
	executable("sudo", fmt.Sprintf(
		"[ \"$1 $2\" = '-u postgres' ] || exit 9\nshift 2\nPGHOST='%s' PGUSER=postgres exec \"$@\"\n", p.socket))
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := backgroundScript(t)
	sh := exec.Command("sh", "-c", script)
	sh.Dir = dir
	sh.Env = plainEnviron()
	sh.Env = append(sh.Env, asProgram+"=1", raceOptions, "PATH="+dir+":"+os.Getenv("PATH"),
		"PGHOST=127.0.0.1", "PGPORT="+p.port, "PSQLRC=/dev/null",
		"WAYBILL_ADDR=127.0.0.1:0", "WAYBILL_ADMIN_ADDR=127.0.0.1:0", "WAYBILL_BCRYPT_COST=4", "WAYBILL_DRAIN=0")
	t.Cleanup(func() { stopRecorded(filepath.Join(dir, "pids")) })
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(dir, name))
		return string(text)
	}
	eventually(t, "both programs run", func() bool {
		out := read("stays.out")
		if len(read("stays.err")) > 0 && !strings.Contains(read("stays.err"), "level=") {
			t.Fatal(read("stays.err"))
		}
		return strings.Contains(out, "serving http://") && strings.Contains(out, "working, ")
	})
	_, after, _ := strings.Cut(read("stays.out"), "serving ")
	address, _, _ := strings.Cut(after, ",")
	status, body := text(t, "POST", address+"/v1/sessions", "",
		`{"tenant":"acme","email":"ada@acme.example","password":"correct horse"}`)
	if status != http.StatusCreated {
		t.Errorf("login: %d %s", status, body)
	}
	if status, body := text(t, "GET", address+"/readyz", "", ""); status != 200 {
		t.Errorf("readyz: %d %s", status, body)
	}
	hasNot(t, read("stays.err"), "would contain patient data")
}

// The script can be run again, and on an existing database, to create missing objects.
func TestSetupMakesWhatIsMissing(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "commands that do one thing after the other")
	needPsql(t)
	p := install(t)
	p.exec("CREATE ROLE waybill_app")
	p.exec("CREATE DATABASE courier TEMPLATE template0")
	for range 2 {
		owner, app := p.setup("--database", "courier", "--owner", "courier_owner")
		if code, _, errors := ended(t, "", []string{"DATABASE_URL=" + owner}, "migrate", "up"); code != 0 {
			t.Fatal(errors)
		}
		for _, address := range []string{owner, app} { // the owner may become waybill_app
			if code, _, errors := ended(t, "", []string{"DATABASE_URL=" + address}, "jobs"); code != 0 {
				t.Error(errors)
			}
		}
	}
	owner, _ := p.setup()
	var encoding, ctype string
	if err := p.super.QueryRow(t.Context(),
		"SELECT pg_encoding_to_char(encoding), datctype FROM pg_database WHERE datname = 'waybill'").
		Scan(&encoding, &ctype); err != nil || encoding != "UTF8" || ctype != "C.UTF-8" {
		t.Errorf("%s, %s, %v", encoding, ctype, err)
	}
	if code, _, errors := ended(t, "", []string{"DATABASE_URL=" + owner}, "migrate", "up"); code != 0 {
		t.Error(errors)
	}
}

func TestSetupRefuses(t *testing.T) {
	t.Parallel()
	taken := filepath.Join(t.TempDir(), "waybill.env")
	if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, args := range map[string][]string{
		"only lower-case letters":      {"--database", `x"; DROP`},
		"must not own the schema":      {"--owner", "waybill_app"},
		"must be the name of a locale": {"--locale", "C' x"},
		"already exists":               {"--env", taken},
	} {
		if code, out, errors := ended(t, "", nil, append([]string{"setup"}, args...)...); code != 1 || out != "" ||
			!strings.Contains(errors, says) {
			t.Errorf("%v: %d %s%s", args, code, out, errors)
		}
	}
	if text, err := os.ReadFile(taken); err != nil || string(text) != "mine" {
		t.Errorf("the file was overwritten: %s, %v", text, err)
	}
	if code, out, errors := ended(t, "", nil, "setup"); code != 0 || strings.Contains(out, "SCRAM-SHA-256") ||
		!strings.Contains(out, `\password waybill_owner`) {
		t.Errorf("without passwords: %d %s%s", code, out, errors)
	}
}

// setupAdvice and noSchema are advice that the messages give.
const (
	setupAdvice = "waybill setup --database mine --owner boss | sudo -u postgres psql"
	noSchema    = "run as its owner: waybill migrate up"
)

// fails runs a command, which must fail with one line that contains what it says.
func (p *installed) fails(env []string, command string, says ...string) {
	p.t.Helper()
	code, out, errors := ended(p.t, "correct horse", env, strings.Fields(command)...)
	if code != 1 || strings.Count(errors, "\n") != 1 {
		p.t.Errorf("%s: exit code %d, %s%s", command, code, out, errors)
	}
	has(p.t, errors, says...)
	hasNot(p.t, errors, "SQLSTATE", "goose_db_version", "boss@", "guest:")
}

// applicationFails runs the commands of the application, each of which must fail with the same message.
func (p *installed) applicationFails(env []string, says ...string) {
	p.t.Helper()
	for _, command := range []string{"serve --addr 127.0.0.1:0 --admin-addr=",
		"work --admin-addr= --gateway-url http://127.0.0.1:1 --gateway-secret " +
			"whsec_YSBzZWNyZXQgb2YgdHdlbnR5LWZvdXIgYg==", "jobs"} {
		p.fails(env, command, says...)
	}
}

// tables returns the number of tables in the database mine.
func (p *installed) tables() (n int) {
	p.t.Helper()
	conn, err := pgx.Connect(p.t.Context(), p.url("boss", "mine"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close(p.t.Context())
	if err := conn.QueryRow(p.t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").
		Scan(&n); err != nil {
		p.t.Fatal(err)
	}
	return n
}

// What is missing at a first deployment is named, with the command that mends it, and
// nothing is begun before.
func TestWhatIsMissingAtAFirstDeploymentIsNamed(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "commands that do one thing after the other")
	p := install(t)
	p.exec("CREATE ROLE boss LOGIN PASSWORD 'boss'; CREATE ROLE guest LOGIN PASSWORD 'guest'")
	p.exec("CREATE DATABASE mine OWNER boss")
	boss := []string{"DATABASE_URL=" + p.url("boss", "mine")}
	p.namesMissingRoles(boss)
	p.namesMissingSchema(boss)
	p.namesWrongLogins()
}

// namesMissingRoles migrates as owners that lack a role or a right.
func (p *installed) namesMissingRoles(boss []string) {
	p.t.Helper()
	p.fails(boss, "migrate up", "the role waybill_app is missing, and boss may not create it", setupAdvice)
	p.applicationFails(boss, noSchema)
	p.exec("CREATE ROLE waybill_app")
	p.fails(boss, "migrate up", "boss is no member of waybill_app", "GRANT waybill_app TO boss;", setupAdvice)
	p.applicationFails(boss, "boss may not become waybill_app", "GRANT waybill_app TO boss;")
	if n := p.tables(); n != 0 {
		p.t.Errorf("%d tables were created", n)
	}
	// A user of the application's URL is not advised to make that role the owner.
	p.exec("ALTER ROLE waybill_app LOGIN PASSWORD 'waybill_app'")
	p.fails([]string{"DATABASE_URL=" + p.url("waybill_app", "mine")}, "migrate up",
		"waybill_app is the application's role, which must not own the schema", "migrations run as its owner")
	p.exec("ALTER ROLE waybill_app NOLOGIN PASSWORD NULL")
	p.exec("GRANT waybill_app TO guest")
	p.fails([]string{"DATABASE_URL=" + p.url("guest", "mine")}, "migrate up",
		"guest may not create tables in the schema public of mine", "ALTER DATABASE mine OWNER TO guest;",
		"waybill setup --database mine --owner guest | sudo -u postgres psql")
}

// namesMissingSchema runs the commands on a database that an earlier program began to migrate without the
// role: goose's table is there, and no grants.
func (p *installed) namesMissingSchema(boss []string) {
	p.t.Helper()
	m, err := db.NewMigrator(p.url("boss", "mine"))
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := m.Provider.Up(p.t.Context()); err == nil {
		p.t.Error("the migration succeeds without the role")
	}
	m.Close()
	if p.tables() != 1 {
		p.t.Error("goose's table is missing: nothing was tested")
	}
	p.applicationFails([]string{"DATABASE_URL=" + p.url("guest", "mine")}, noSchema)
	p.exec("GRANT waybill_app TO boss")
	p.applicationFails(boss, noSchema)
	p.fails(boss, "tenant --slug a --name A --admin-email a@b.example --bcrypt-cost 4", noSchema)
	if code, _, errors := ended(p.t, "", boss, "migrate", "up"); code != 0 {
		p.t.Fatal(errors)
	}
	if code, _, errors := ended(p.t, "", boss, "jobs"); code != 0 {
		p.t.Error(errors)
	}
	p.fails([]string{"DATABASE_URL=" + p.url("guest", "mine")}, "migrate down --yes-lose-data",
		"guest may not do that: migrations run as the owner of the schema")
}

// namesWrongLogins runs the commands with a database, a password or a role that may not be used.
func (p *installed) namesWrongLogins() {
	p.t.Helper()
	for address, says := range map[string]string{
		p.url("boss", "yours"): "there is no database yours: it is made by: waybill " +
			"setup --database yours",
		"postgres://boss:wrong@127.0.0.1:" + p.port + "/mine": "refuses the password of boss",
		p.url("waybill_app", "mine"):                          "refuses the password of waybill_app",
	} {
		for _, command := range []string{"migrate up", "jobs",
			"tenant --slug a --name A --admin-email a@b.example --bcrypt-cost 4"} {
			p.fails([]string{"DATABASE_URL=" + address}, command, says)
		}
	}
	p.exec("ALTER ROLE waybill_app PASSWORD 'waybill_app'") // as the migration made it: it may not log in
	p.applicationFails([]string{"DATABASE_URL=" + p.url("waybill_app", "mine")},
		"does not let waybill_app log in", "ALTER ROLE waybill_app LOGIN")
}

// An owner with CREATEROLE, as on hosted servers, does not need the script. Since PostgreSQL 16 it must
// first grant itself the roles that it created: the message says how.
func TestAnOwnerWhoMayCreateRolesMigratesAlone(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "commands that do one thing after the other")
	p := install(t)
	p.exec("CREATE ROLE maker LOGIN CREATEROLE PASSWORD 'maker'")
	p.exec("CREATE DATABASE mine OWNER maker")
	maker := []string{"DATABASE_URL=" + p.url("maker", "mine")}
	if code, _, errors := ended(t, "", maker, "migrate", "up"); code != 0 {
		t.Fatal(errors)
	}
	if code, _, errors := ended(t, "", maker, "jobs"); code != 0 {
		const mends = "GRANT waybill_app TO maker"
		has(t, errors, "maker may not become waybill_app", mends)
		conn, err := pgx.Connect(t.Context(), p.url("maker", "mine"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if _, err := conn.Exec(t.Context(), mends); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, errors := ended(t, "", maker, "jobs"); code != 0 {
		t.Error(errors)
	}
}
