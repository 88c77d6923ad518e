package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"waybill/api"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// asProgram makes the test binary run as the program: a separate process, which can be killed.
const asProgram = testProgram

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	// They wait for programs, and for limits to pass, more than they compute.
	dbtest.Exit(dbtest.Run(m, dbtest.Parallel(4)))
}

// output collects the output of a process, readable while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// raceOptions are for a program built with the race detector: a race is a failure, and exits need not
// be delayed by a second.
const raceOptions = "GORACE=atexit_sleep_ms=0 exitcode=66"

// acquireTimeout lets the program's requests wait longer for a connection on a busy machine.
const acquireTimeout = "WAYBILL_ACQUIRE_TIMEOUT=2s"

// program is a running waybill.
type program struct {
	t           testing.TB
	cmd         *exec.Cmd
	out, errors output
	done        chan struct{}
}

// start runs waybill with only these environment variables.
func start(t testing.TB, env []string, args ...string) *program {
	return startWith(t, nil, env, args...)
}

func startWith(t testing.TB, in io.Reader, env []string, args ...string) *program {
	t.Helper()
	return launch(t, exec.Command(os.Args[0], args...), in, env)
}

func launch(t testing.TB, cmd *exec.Cmd, in io.Reader, env []string) *program {
	t.Helper()
	p := &program{t: t, cmd: cmd, done: make(chan struct{})}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "WAYBILL_") && !strings.HasPrefix(v, "DATABASE_URL=") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(append(p.cmd.Env, asProgram+"=1", raceOptions, acquireTimeout), env...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in, &p.out, &p.errors
	p.cmd.WaitDelay = 10 * time.Second // programs that it has started, and that it left behind, have its output open
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("waybill %s wrote:\n%s%s", strings.Join(cmd.Args[1:], " "), p.out.String(), p.errors.String())
		}
	})
	return p
}

// wait waits for the end, and returns the exit code.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(5 * time.Minute):
		p.t.Fatalf("waybill does not end; it wrote:\n%s%s", p.out.String(), p.errors.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) signal(s os.Signal) { p.cmd.Process.Signal(s) }

// kill ends it as a crash would.
func (p *program) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// stop asks for a graceful shutdown, and expects it.
func (p *program) stop(s syscall.Signal) {
	p.t.Helper()
	p.signal(s)
	if code := p.wait(); code != 0 {
		p.t.Errorf("exit code %d after %v", code, s)
	}
}

// ended runs waybill to its end.
func ended(t testing.TB, in string, env []string, args ...string) (code int, out, errors string) {
	t.Helper()
	p := startWith(t, strings.NewReader(in), env, args...)
	code = p.wait()
	return code, p.out.String(), p.errors.String()
}

// eventually waits for something to be true.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not true in time: %s", what)
		}
	}
}

// serving is a "waybill serve" that is ready.
type serving struct {
	*program
	url   string
	ready int // milliseconds, as printed by the program
}

// serve starts a server on a free port, without an admin port unless args set one.
func serve(t testing.TB, database string, args ...string) serving {
	t.Helper()
	args = append([]string{"serve", "--addr", "127.0.0.1:0", "--admin-addr", "", "--bcrypt-cost",
		"4", "--drain", "0", "--log-level", "warn"}, args...)
	s := serving{program: start(t, []string{"DATABASE_URL=" + database}, args...)}
	s.await()
	return s
}

func (s *serving) await() {
	s.t.Helper()
	eventually(s.t, "serve is ready", func() bool {
		select {
		case <-s.done:
			s.t.Fatalf("serve ended: %s", s.errors.String())
		default:
		}
		n, _ := fmt.Sscanf(strings.ReplaceAll(s.out.String(), ",", ""), "serving %s ready in %d ms", &s.url, &s.ready)
		return n == 2
	})
}

// fixture is the demo tenant of a database, with a session of each role.
type fixture struct {
	demo
	db     *dbtest.DB
	store  *db.System
	tokens map[db.UserRole]string
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	d := dbtest.New(t, invariants)
	made, err := loadDemo(t.Context(), d.OwnerURL, bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	store, err := db.Open(t.Context(), db.Config{URL: d.SettledURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	w := &fixture{made, d, store, map[db.UserRole]string{}}
	w.make(t, func(r *seed.Rows) {
		for _, u := range made.users {
			user := seed.User{Viewer: db.Viewer{UserID: u.ID}, PasswordHash: u.PasswordHash}
			w.tokens[u.Role] = string(r.Session(user))
		}
	})
	return w
}

// make makes rows of the tenant.
func (w *fixture) make(t testing.TB, fill func(*seed.Rows)) {
	t.Helper()
	if err := seed.Make(t.Context(), w.db.Owner(), w.tenantID, fill); err != nil {
		t.Fatal(err)
	}
}

// inProcess serves the fixture's tenant from this process.
func (w *fixture) inProcess(t testing.TB) *httptest.Server {
	t.Helper()
	a, err := api.New(t.Context(), w.store.Store, api.Options{PasswordCost: bcrypt.MinCost})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	return s
}

// call makes one request, with a body of JSON if it is not empty.
func call(
	ctx context.Context, client *http.Client, method, url, token, body string, headers ...string,
) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body == "" {
		request.Body, request.ContentLength = nil, 0
	} else {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return client.Do(request)
}

// text makes a request and reads the answer.
func text(t testing.TB, method, url, token, body string, headers ...string) (status int, answer string) {
	t.Helper()
	response, err := call(t.Context(), http.DefaultClient, method, url, token, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(read)
}

// freeAddress returns an address on which nothing listens, below the ephemeral ports: a free one of
// those may be taken by an outgoing connection.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

func has(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in: %s", part, text)
		}
	}
}

func hasNot(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("%q is unexpected in: %s", part, text)
		}
	}
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
