package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/api"
	"waybill/db"
)

// served is a server with real connections, and what its metrics and its log received.
type served struct {
	*server
	address string

	mu       sync.Mutex
	observed []string
	log      bytes.Buffer
}

func (s *served) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(line)
}

// observedOf returns what was observed of an operation, and the log lines of a level.
func (s *served) observedOf(operation, level string) (observed []string, lines int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.observed {
		if strings.HasPrefix(o, operation+" ") {
			observed = append(observed, o)
		}
	}
	return observed, strings.Count(s.log.String(), "level="+level)
}

func serve(t *testing.T) *served {
	s := &served{}
	s.server = start(t, func(_ *db.Config, o *api.Options) {
		o.Log = slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Observe = func(operation string, status int, code string, _ time.Duration) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.observed = append(s.observed, fmt.Sprint(operation, " ", status, " ", code))
		}
	})
	web := httptest.NewUnstartedServer(s.api)
	web.Config.ConnContext = api.ConnContext
	web.Start()
	t.Cleanup(web.Close)
	s.address = web.Listener.Addr().String()
	return s
}

// dial sends a raw request with the token of a user.
func (s *served) dial(as *user, method, path, proto, body string, headers ...string) *net.TCPConn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	s.must(err)
	s.t.Cleanup(func() { conn.Close() })
	_, err = fmt.Fprintf(conn, "%s %s %s\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"%sContent-Length: %d\r\n\r\n%s", method, path, proto, as.token, strings.Join(headers, ""), len(body), body)
	s.must(err)
	return conn.(*net.TCPConn)
}

func (s *served) renaming(proto string) *net.TCPConn {
	s.t.Helper()
	return s.dial(s.admin, "PATCH", "/v1/users/"+s.staff.id.String(), proto, `{"name": "New"}`, "If-Match: \"1\"\r\n")
}

// finalResponse skips interim ones: on a slow machine any client may be looked for.
func finalResponse(in *bufio.Reader) (r *http.Response, err error) {
	for r, err = http.ReadResponse(in, nil); err == nil && r.StatusCode == http.StatusProcessing; {
		r, err = http.ReadResponse(in, nil)
	}
	return r, err
}

// A client that shuts down its sending side still gets its answer.
func TestHalfClosedClientGetsItsAnswer(t *testing.T) {
	t.Parallel()
	for _, proto := range []string{"HTTP/1.1", "HTTP/1.0"} {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			for range 20 { // at once
				conn := s.dial(s.admin, "GET", "/v1/users?limit=1", proto, "")
				s.must(conn.CloseWrite())
				in := bufio.NewReader(conn)
				r, err := finalResponse(in)
				if err != nil || r.StatusCode != 200 {
					t.Fatal(r, err)
				}
			}
			release := s.locked()
			conn := s.renaming(proto)
			s.until("the query waits", func() bool { return s.waiting() == 1 })
			s.must(conn.CloseWrite())
			in := bufio.NewReader(conn)
			if proto == "HTTP/1.1" { // it was looked for, and is there
				line, err := in.ReadString('\n')
				if blank, _ := in.ReadString('\n'); err != nil || line+blank != "HTTP/1.1 102 Processing\r\n\r\n" {
					t.Errorf("%q, %v", line, err)
				}
			} else {
				time.Sleep(300 * time.Millisecond) // time for a line that must not come
			}
			release()
			r, err := finalResponse(in)
			if err != nil || r.StatusCode != 200 {
				t.Fatal(r, err)
			}
			if body, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(body), `"name":"New"`) {
				t.Errorf("%s, %v", body, err)
			}
			observed, errors := s.observedOf("edit-user", "ERROR")
			if len(observed) != 1 || observed[0] != "edit-user 200 " || errors != 0 {
				t.Errorf("%v, %d errors", observed, errors)
			}
		})
	}
}

// A disconnecting client cancels its query, and is reported as such and not as an error.
func TestDepartedClientIsNoErrorOfTheServers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	release := s.locked()
	for name, leave := range map[string]func(*net.TCPConn){
		"closes":          func(conn *net.TCPConn) { conn.Close() },
		"resets":          func(conn *net.TCPConn) { conn.SetLinger(0); conn.Close() },
		"half-closes too": func(conn *net.TCPConn) { conn.CloseWrite(); conn.Close() },
	} {
		before, _ := s.observedOf("edit-user", "ERROR")
		conn := s.renaming("HTTP/1.1")
		s.until("the query waits", func() bool { return s.waiting() == 1 })
		leave(conn)
		s.until(name+": the query is gone", func() bool { return s.waiting() == 0 })
		s.until(name+": it is observed", func() bool {
			observed, _ := s.observedOf("edit-user", "ERROR")
			return len(observed) == len(before)+1
		})
	}
	observed, errors := s.observedOf("edit-user", "ERROR")
	_, warnings := s.observedOf("edit-user", "WARN")
	_, debug := s.observedOf("edit-user", "DEBUG")
	if strings.Join(observed, "") != strings.Repeat("edit-user 499 ", 3) || errors+warnings != 0 || debug != 3 {
		t.Errorf("%q, %d errors, %d warnings, %d debug", observed, errors, warnings, debug)
	}
	// A limit of the server's is still one.
	release()
	if a := s.rename(); a.status != 200 {
		t.Error(a)
	}
}

// departed is an answer's way to a client that has left.
type departed struct{ http.ResponseWriter }

func (departed) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// A client that leaves in the middle of its answer is no error either, whatever the answer.
func TestAnAnswerThatDoesNotArriveIsNoErrorOfTheServers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for operation, path := range map[string]string{
		"list-users": "/v1/users", "get-user": "/v1/users/" + uuid.NewString(),
		"get-account-statement": "/v1/accounts/" + s.account.String() + "/statement",
	} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+s.admin.token)
		func() {
			defer func() { recover() }() // as net/http does
			s.api.ServeHTTP(departed{httptest.NewRecorder()}, r)
		}()
		observed, errors := s.observedOf(operation, "ERROR")
		if strings.Join(observed, "") != operation+" 499 " || errors != 0 {
			t.Errorf("%q, %d errors", observed, errors)
		}
	}
}

// A stream is released as soon as its client disconnects, even without events.
func TestDepartedClientLeavesItsStream(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for range 3 {
		conn := s.dial(s.dispatcher, "GET", "/v1/pickups/stream", "HTTP/1.1", "")
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || line != "HTTP/1.1 200 OK\r\n" {
			t.Fatal(line, err)
		}
		if n := s.api.OpenStreams(); n != 1 {
			t.Errorf("%d streams are open", n)
		}
		conn.Close()
		s.until("the stream has ended", func() bool { return s.api.OpenStreams() == 0 })
	}
}
