package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"waybill/db"
)

func charge(id fmt.Stringer) string { return fmt.Sprintf(`{"id":"%s","amount_cents":1}`, id) }

func (w *town) charges(account string) string {
	return "/v1/accounts/" + demoID("account "+account).String() + "/charges"
}

// At SIGTERM readyz says no, every answer asks the client to come no more on its
// connection, streams end, what is under way is finished, and the exit code is 0.
func TestStopLosesNoRequest(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	s := serve(t, w.db.AppURL, "--drain", "400ms")
	admin := w.tokens[db.UserRoleAdmin]

	// One request waits in the database, for a lock that ends after the drain.
	lock, err := w.db.Owner().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback(context.Background())
	if _, err := lock.Exec(t.Context(), `SELECT FROM accounts WHERE id = $1 FOR UPDATE`, demoID("account Research Lab")); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan int, 1)
	go func() {
		response, err := call(t.Context(), http.DefaultClient, "POST", s.url+w.charges("Research Lab"), admin, charge(newID()))
		if err != nil {
			t.Errorf("the request that was under way: %v", err)
			waiting <- 0
			return
		}
		response.Body.Close()
		waiting <- response.StatusCode
	}()
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
	eventually(t, "nobody listens", func() bool {
		_, err := http.Get(s.url + "/livez")
		return err != nil
	})
	select {
	case <-s.done:
		t.Error("it ended before its last request")
	default:
	}
	lock.Rollback(t.Context())
	if status := <-waiting; status != http.StatusCreated {
		t.Errorf("the request that was under way: %d", status)
	}
	if code := s.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	var entries int64
	err = w.db.Owner().QueryRow(t.Context(), `SELECT count(*) FROM ledger_entries WHERE account_id = $1 AND kind = 'charge'`,
		demoID("account Mission Clinic")).Scan(&entries)
	if err != nil || entries != taken.Load() {
		t.Errorf("%d charges were acknowledged, %d are there: %v", taken.Load(), entries, err)
	}
}

// hammer charges an account from many connections, each until the server says that it
// was the connection's last request. Every request must be answered.
func (w *town) hammer(t *testing.T, url string) (taken *atomic.Int64, callers *sync.WaitGroup) {
	taken, callers = new(atomic.Int64), new(sync.WaitGroup)
	for range 16 {
		callers.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for t.Context().Err() == nil {
				response, err := call(t.Context(), client, "POST", url+w.charges("Mission Clinic"), w.tokens[db.UserRoleAdmin], charge(newID()))
				if err != nil {
					t.Errorf("a request was lost: %v", err)
					return
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
				switch response.StatusCode {
				case http.StatusCreated:
					taken.Add(1)
				case http.StatusServiceUnavailable: // it says so, and charged nothing
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
func (w *town) follow(t *testing.T, url string) <-chan error {
	response, err := call(t.Context(), http.DefaultClient, "GET", url+"/v1/pickups/stream", w.tokens[db.UserRoleDispatcher], "")
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
	w := newTown(t)
	s := serve(t, w.db.AppURL, "--shutdown-timeout", "50ms")
	lock, err := w.db.Owner().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback(context.Background())
	if _, err := lock.Exec(t.Context(), `SELECT FROM accounts FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	go func() {
		response, err := call(t.Context(), http.DefaultClient, "POST", s.url+w.charges("Research Lab"), w.tokens[db.UserRoleAdmin], charge(newID()))
		if err == nil {
			response.Body.Close()
		}
	}()
	w.awaitLockWait(t)
	began := time.Now()
	s.signal(syscall.SIGTERM)
	if code := s.wait(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	has(t, s.errors.String(), "requests were still running at the end")
}

func (w *town) awaitLockWait(t testing.TB) {
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
	w := newTown(t)
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
		t.Error("exit code 0, though it did not drain")
	}
}
