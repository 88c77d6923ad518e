package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"waybill/cmd/waybill/texts/fakegateway"
	"waybill/db"
)

func charge(id fmt.Stringer) string { return fmt.Sprintf(`{"id":"%s","amount_cents":1}`, id) }

func (w *fixture) charges(account string) string {
	return "/v1/accounts/" + demoID("account "+account).String() + "/charges"
}

// At SIGTERM readyz fails, every answer closes its connection, streams end, running requests finish,
// and the exit code is 0.
func TestStopLosesNoRequest(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	s := serve(t, w.db.AppURL, "--drain", "400ms")
	// One request waits in the database, for a lock that ends after the drain.
	waiting, unlock := w.blockedCharge(t, s.url)
	stream := w.follow(t, s.url)
	taken, callers := w.hammer(t, s.url)
	eventually(t, "some requests are under way", func() bool { return taken.Load() > 20 })

	s.signal(syscall.SIGTERM)
	eventually(t, "readyz says no", func() bool {
		response, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusServiceUnavailable
	})
	if status, _ := text(t, "GET", s.url+"/livez", "", ""); status != http.StatusOK {
		t.Errorf("livez while draining: %d", status)
	}
	if err := <-stream; err != nil {
		t.Errorf("the stream did not end well: %v", err)
	}
	callers.Wait()
	eventually(t, "no server listens", func() bool {
		_, err := http.Get(s.url + "/livez")
		return err != nil
	})
	select {
	case <-s.done:
		t.Error("the server ended before its last request")
	default:
	}
	unlock()
	if status := <-waiting; status != http.StatusCreated {
		t.Errorf("the request in flight: %d", status)
	}
	if code := s.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	var entries int64
	err := w.db.Owner().
		QueryRow(t.Context(), `SELECT count(*) FROM ledger_entries WHERE account_id = $1 AND kind = 'charge'`,
			demoID("account Mission Clinic")).Scan(&entries)
	if err != nil || entries != taken.Load() {
		t.Errorf("%d charges were acknowledged, %d are stored: %v", taken.Load(), entries, err)
	}
}

// Told to stop while it starts, here while a database does not answer, a process ends as it would later.
func TestStopWhileItStarts(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"serve", "--addr", "127.0.0.1:0", "--admin-addr", ""},
		append([]string{"work", "--admin-addr", ""}, to(fakegateway.Start(t))...),
		{"dev", "--addr", "127.0.0.1:0"},
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			silent, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			url := "DATABASE_URL=postgres://waybill_app@" + silent.Addr().String() + "/waybill?connect_timeout=60"
			p := start(t, []string{url}, args...)
			connected := make(chan net.Conn, 1)
			go func() {
				if conn, err := silent.Accept(); err == nil {
					connected <- conn
				}
			}()
			select {
			case conn := <-connected:
				defer conn.Close()
			case <-p.done:
				t.Fatal("it ended before it was told to")
			}
			p.stop(syscall.SIGTERM)
			if said := p.errors.String(); said != "" {
				t.Errorf("it said: %s", said)
			}
		})
	}
}

// blockedCharge sends a request that waits in the database until it is unlocked. The channel returns
// its status.
func (w *fixture) blockedCharge(t *testing.T, url string) (status <-chan int, unlock func()) {
	t.Helper()
	lock, err := w.db.Owner().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unlock = func() { lock.Rollback(context.Background()) }
	t.Cleanup(unlock)
	if _, err := lock.Exec(t.Context(), `SELECT FROM accounts WHERE id = $1 FOR UPDATE`,
		demoID("account Research Lab")); err != nil {
		t.Fatal(err)
	}
	answered := make(chan int, 1)
	go func() {
		response, err := call(t.Context(), http.DefaultClient, "POST", url+w.charges("Research Lab"),
			w.tokens[db.UserRoleAdmin], charge(newID()))
		if err != nil {
			t.Errorf("the request in flight: %v", err)
			answered <- 0
			return
		}
		response.Body.Close()
		answered <- response.StatusCode
	}()
	return answered, unlock
}

// sendHeadersOnly sends the headers of a request without its body. The channel returns the first line of
// the answer, if any, once the server has closed the connection. It skips interim answers: on a slow
// machine the client may be looked for.
func sendHeadersOnly(t *testing.T, url, request string, headers ...string) <-chan string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	headers = append([]string{request + " HTTP/1.1", "Host: waybill", "Content-Type: application/json",
		"Content-Length: 5"}, headers...)
	io.WriteString(conn, strings.Join(headers, "\r\n")+"\r\n\r\n")
	hungUp := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(conn)
		answer := string(text)
		for strings.HasPrefix(answer, "HTTP/1.1 102 ") {
			_, answer, _ = strings.Cut(answer, "\r\n\r\n")
		}
		line, _, _ := strings.Cut(answer, "\r\n")
		hungUp <- line
	}()
	return hungUp
}

// readTimeout is short, since these tests wait for it.
const readTimeout = 2 * time.Second

// A missing body holds a connection only for the timeout, whatever the request. Longer requests and
// streams are not cut off.
func TestBodyThatNeverComes(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	admin := freeAddress(t)
	s := serve(t, w.db.AppURL, "--admin-addr", admin, "--read-timeout", readTimeout.String(), "--feed-idle", "4s",
		"--lock-timeout", "40s", "--statement-timeout", "50s", "--handler-timeout", "60s")
	waiting, unlock := w.blockedCharge(t, s.url)
	stream := w.follow(t, s.url)
	feed := w.slowFeed(t, s.url, readTimeout+500*time.Millisecond)
	for _, c := range []struct{ url, request, answer string }{
		{s.url, "GET /livez", "HTTP/1.1 4"}, // it checks that there is no body
		{s.url, "POST /nope", "HTTP/1.1 404 Not Found"},
		{s.url, "POST /v1/sessions", "HTTP/1.1 408 Request Timeout"}, // huma's limit is the shorter one
		{s.url, "POST /v1/accounts", "HTTP/1.1 401 Unauthorized"},
		{s.url, "GET /v1/pickups/stream", "HTTP/1.1 401 Unauthorized"},
		{s.url, "POST " + feedPath, "HTTP/1.1 408 Request Timeout"},
		{admin, "GET /metrics", "HTTP/1.1 200 OK"},
	} {
		var headers []string
		if strings.HasSuffix(c.request, feedPath) { // only read for authorized users
			headers = []string{"Authorization: Bearer " + w.tokens[db.UserRoleStaff]}
		}
		hungUp := sendHeadersOnly(t, c.url, c.request, headers...)
		defer func() {
			if answer := <-hungUp; !strings.HasPrefix(answer, c.answer) {
				t.Errorf("%s: %s", c.request, answer)
			}
		}()
	}
	time.Sleep(readTimeout + time.Second)
	select {
	case err := <-stream:
		t.Errorf("the stream ended: %v", err)
	case status := <-waiting:
		t.Errorf("the slow request: %d", status)
	default:
	}
	unlock()
	if status := <-waiting; status != http.StatusCreated {
		t.Errorf("the slow request: %d", status)
	}
	if status := <-feed; status != http.StatusOK {
		t.Errorf("the slow feed: %d", status)
	}
}

var feedPath = "/v1/facilities/" + demoID("facility").String() +
	"/appointments/sync?allow_empty=true&as_of=2026-01-01T00:00:00Z"

// slowFeed sends an empty list, with more and more blank lines before its end.
func (w *fixture) slowFeed(t *testing.T, url string, long time.Duration) <-chan int {
	body, in := io.Pipe()
	go func() {
		for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			in.Write(bytes.Repeat([]byte("\n"), 1000))
		}
		in.Close()
	}()
	request, err := http.NewRequestWithContext(t.Context(), "POST", url+feedPath, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.tokens[db.UserRoleStaff])
	request.Header.Set("Content-Type", "application/x-ndjson")
	answered := make(chan int, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Errorf("the feed: %v", err)
			answered <- 0
			return
		}
		response.Body.Close()
		answered <- response.StatusCode
	}()
	return answered
}

// It does not spoil an orderly end either.
func TestStopWithBodiesThatNeverCome(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	s := serve(t, w.db.AppURL, "--read-timeout", readTimeout.String())
	for _, request := range []string{"GET /livez", "POST /nope", "POST /v1/sessions"} {
		sendHeadersOnly(t, s.url, request)
	}
	time.Sleep(200 * time.Millisecond) // for the server to begin with them
	s.stop(syscall.SIGTERM)
	hasNot(t, s.errors.String(), "requests were still running at shutdown")
}

// hammer charges an account from many connections, each until the server closes it. Every request must
// be answered.
func (w *fixture) hammer(t *testing.T, url string) (taken *atomic.Int64, callers *sync.WaitGroup) {
	taken, callers = new(atomic.Int64), new(sync.WaitGroup)
	for range 16 {
		callers.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for t.Context().Err() == nil {
				response, err := call(t.Context(), client, "POST", url+w.charges("Mission Clinic"),
					w.tokens[db.UserRoleAdmin], charge(newID()))
				if err != nil {
					t.Errorf("a request was lost: %v", err)
					return
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
				switch response.StatusCode {
				case http.StatusCreated:
					taken.Add(1)
				case http.StatusServiceUnavailable: // nothing was charged
				default:
					t.Errorf("a charge: %d", response.StatusCode)
				}
				if response.Close {
					return
				}
			}
		})
	}
	return taken, callers
}

// follow reads the event stream to its end, which must be that of an answer, not of a
// broken connection.
func (w *fixture) follow(t *testing.T, url string) <-chan error {
	response, err := call(t.Context(), http.DefaultClient, "GET", url+"/v1/pickups/stream",
		w.tokens[db.UserRoleDispatcher], "")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	first, err := bufio.NewReader(response.Body).ReadString('\n')
	if err != nil || !strings.HasPrefix(first, "retry:") {
		t.Fatal(first, err)
	}
	ended := make(chan error, 1)
	go func() {
		defer response.Body.Close()
		_, err := io.Copy(io.Discard, response.Body)
		ended <- err
	}()
	return ended
}

func TestStopGivesUpOnARequestThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	// Its lock wait would exceed the shutdown timeout.
	s := serve(t, w.db.AppURL, "--shutdown-timeout", "50ms", "--lock-timeout", "100s",
		"--statement-timeout", "110s", "--handler-timeout", "120s")
	lock, err := w.db.Owner().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback(context.Background())
	if _, err := lock.Exec(t.Context(), `SELECT FROM accounts FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	go func() {
		response, err := call(t.Context(), http.DefaultClient, "POST", s.url+w.charges("Research Lab"),
			w.tokens[db.UserRoleAdmin], charge(newID()))
		if err == nil {
			response.Body.Close()
		}
	}()
	w.awaitLockWait(t)
	s.signal(syscall.SIGTERM)
	if code := s.wait(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	has(t, s.errors.String(), "requests were still running at shutdown")
}

func (w *fixture) awaitLockWait(t testing.TB) {
	t.Helper()
	eventually(t, "a statement waits for a lock", func() bool {
		var n int
		w.db.Owner().QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n)
		return n > 0
	})
}

// Who presses Ctrl-C twice does not want to wait.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	s := serve(t, w.db.AppURL, "--drain", "1m")
	s.signal(syscall.SIGINT)
	eventually(t, "it drains", func() bool {
		status, _ := text(t, "GET", s.url+"/readyz", "", "")
		return status == http.StatusServiceUnavailable
	})
	eventually(t, "it ends", func() bool {
		s.signal(syscall.SIGINT)
		select {
		case <-s.done:
			return true
		default:
			return false
		}
	})
	if code := s.wait(); code == 0 {
		t.Error("exit code 0 without a complete drain")
	}
}
