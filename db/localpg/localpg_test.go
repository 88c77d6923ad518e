package localpg

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestStartAnswersAndStopRemoves(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	s := startIn(t, Options{Settings: map[string]string{"timezone": "Asia/Kathmandu"}})
	t.Logf("a throwaway server takes %v", time.Since(begin))
	for role, want := range map[string]string{Superuser: "on", Owner: "off", App: "off"} {
		if got := query(t, s.URL(role, Database), "SELECT current_setting('is_superuser')"); got != want {
			t.Errorf("is_superuser of %s = %s, want %s", role, got, want)
		}
	}
	for setting, want := range map[string]string{
		"fsync": "off", "timezone": "Asia/Kathmandu", "server_encoding": "UTF8", "listen_addresses": "",
	} {
		if got := query(t, s.URL(App, Database), "SELECT current_setting('"+setting+"')"); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary folder is still there: %v", err)
	}
}

func TestOwnerOwnsTheDatabaseAndMayBecomeTheApp(t *testing.T) {
	t.Parallel()
	s := startIn(t, Options{Dir: usedDir(t)})
	execute(t, s.URL(Owner, Database), `
		CREATE TABLE secrets (id int);
		CREATE EXTENSION btree_gist;
		ALTER ROLE waybill_app SET statement_timeout = '10s';
		SET ROLE waybill_app`)
	const canRead = "SELECT has_table_privilege('secrets', 'SELECT')::text"
	if got := query(t, s.URL(App, Database), canRead); got != "false" {
		t.Errorf("the app reads a table without a grant")
	}
}

// What PostgreSQL says of a refused row has its values in the DETAIL.
func TestLogHoldsNoValues(t *testing.T) {
	t.Parallel()
	s := startIn(t, Options{Dir: usedDir(t)})
	conn, err := pgx.Connect(t.Context(), s.URL(Owner, Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(),
		"CREATE TABLE people (name text CONSTRAINT one_name PRIMARY KEY CONSTRAINT short CHECK (length(name) < 10), "+
			"born date NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	for _, born := range []any{"1931-07-13", "1931-07-13", nil} {
		conn.Exec(t.Context(), "INSERT INTO people VALUES ($1, $2)", "Quetzal", born)
	}
	conn.Exec(t.Context(), "INSERT INTO people VALUES ($1, now())", "Quetzalcoatl")
	log, err := os.ReadFile(s.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"one_name", "short", "not-null"} {
		if !bytes.Contains(log, []byte(word)) {
			t.Errorf("the log does not name %s: this proves nothing\n%s", word, log)
		}
	}
	for _, value := range []string{"Quetzal", "1931-07"} {
		if bytes.Contains(log, []byte(value)) {
			t.Errorf("the log holds %s:\n%s", value, log)
		}
	}
}

func TestTwoServersRunSideBySide(t *testing.T) {
	t.Parallel()
	a, b := startIn(t, Options{Dir: usedDir(t), TCP: true}), startIn(t, Options{Dir: usedDir(t), TCP: true})
	if a.Dir() == b.Dir() || a.port == b.port {
		t.Fatalf("both in %s, port %d", a.Dir(), a.port)
	}
	execute(t, a.URL(Owner, Database), "CREATE TABLE only_in_a (id int)")
	if got := query(t, b.URL(Owner, Database),
		"SELECT coalesce(to_regclass('only_in_a')::text, 'none')"); got != "none" {
		t.Error("b sees the table of a")
	}
}

func TestDurableKeepsPostgresDefaults(t *testing.T) {
	t.Parallel()
	s := startIn(t, Options{Dir: usedDir(t), Durable: true})
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "200",
	} {
		if got := query(t, s.URL(App, Database), "SELECT current_setting('"+setting+"')"); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
}

// Between the finding of a free port and its use, any connection may take it.
func TestPortTakenMeanwhileIsNotInsistedOn(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port, picked := taken.Addr().(*net.TCPAddr).Port, 0
	pick := func() (int, error) {
		if picked++; picked <= 2 {
			return port, nil
		}
		return freePort()
	}
	s := startIn(t, Options{Dir: usedDir(t), TCP: true, pick: pick})
	if got := query(t, s.URL(App, Database), "SHOW port"); got == strconv.Itoa(port) || picked != 3 {
		t.Errorf("it listens at %s, after %d picks; %d is taken", got, picked, port)
	}
	_, err = Start(t.Context(), Options{Dir: usedDir(t), TCP: true, Port: port})
	if err == nil || !strings.Contains(err.Error(), "Address already in use") {
		t.Errorf("at a port that is asked for and taken: %v", err)
	}
}

func TestTCPWantsThePassword(t *testing.T) {
	t.Parallel()
	s := startIn(t, Options{Dir: usedDir(t), TCP: true})
	url := s.URL(App, Database)
	if got := query(t, url, "SELECT current_user || inet_server_addr()"); got != "waybill_app127.0.0.1/32" {
		t.Errorf("got %s through %s", got, url)
	}
	wrong := strings.Replace(url, s.passwords[App], "guess", 1)
	if err := tryConnect(t, wrong); err == nil {
		t.Error("a wrong password gets in")
	}
	info, err := os.Stat(filepath.Join(s.Dir(), "passwords.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password file: %v, %v", info, err)
	}
}

func TestLogAlsoGoesToTheWriter(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := startIn(t, Options{Dir: usedDir(t), Log: &log})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "ready to accept connections") {
		t.Errorf("the log is %q", log.String())
	}
}

func TestStartFailsWithTheEndOfTheLog(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{Dir: usedDir(t), Settings: map[string]string{"shared_buffers": "many"}})
	if err == nil || !strings.Contains(err.Error(), `invalid value for parameter "shared_buffers"`) {
		t.Errorf("got %v", err)
	}
}

func TestDoneTellsThatTheServerDied(t *testing.T) {
	t.Parallel()
	s := startIn(t, Options{Dir: usedDir(t)})
	if err := s.process.Load().cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-time.After(time.Minute):
		t.Error("Done is not closed")
	}
}

func TestLongFolderGetsAShortSocket(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(keptDir(t), strings.Repeat("long", 30))
	if os.Chmod(filepath.Dir(dir), 0o755) != nil {
		t.Fatal("chmod")
	}
	s := startIn(t, Options{Dir: dir})
	query(t, s.URL(App, Database), "SELECT 'it answers'")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.folder.socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's folder is still there: %v", err)
	}
}
