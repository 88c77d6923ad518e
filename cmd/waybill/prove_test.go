package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"waybill/cmd/waybill/prove"
	"waybill/db"
	"waybill/db/dbtest"
)

func (w *fixture) options(url string) prove.Options {
	return prove.Options{URL: url, Token: w.tokens[db.UserRoleAdmin], Tenant: demoSlug,
		Callers: 8, Rounds: 2, Attempts: 200}
}

func TestEveryStoryHolds(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	s := w.inProcess(t)
	reported := 0
	err := prove.Run(t.Context(), w.options(s.URL), func(r prove.Result) {
		reported++
		if !r.Held {
			t.Errorf("%s did not hold: %s", r.Story, r.Figure)
		}
		if r.Figure == "" {
			t.Errorf("%s has no figure", r.Story)
		}
	})
	if err != nil || reported != len(prove.Names()) {
		t.Errorf("%d of %d stories were reported: %v", reported, len(prove.Names()), err)
	}
	// Created rows are cleaned up: no driver of prove's on duty, no waiting pickup, no active user.
	for what, query := range map[string]string{
		"drivers on duty": `SELECT count(*) FROM drivers WHERE on_duty AND name LIKE 'prove %'`,
		"pickups":         `SELECT count(*) FROM pickups WHERE status IN ('DRAFT', 'SUBMITTED', 'ASSIGNED')`,
		"users":           `SELECT count(*) FROM users WHERE active AND email ILIKE 'prove-%'`,
		"phone numbers":   `SELECT count(*) FROM phone_numbers WHERE number LIKE '+1555%'`,
		"accounts":        `SELECT CASE WHEN count(*) = 0 THEN 1 ELSE 0 END FROM accounts WHERE name LIKE 'prove %'`,
	} {
		var n int
		if err := w.db.Owner().QueryRow(t.Context(), query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s remaining after the run: %d %v", what, n, err)
		}
	}
}

// fault is a proxy between prove and a correct server that changes a request or its answer.
type fault struct {
	name     string
	request  func(*http.Request)
	response func(*http.Response)
	caught   []string // by these stories at least
}

var balance = regexp.MustCompile(`"balance_cents":5500\b`)

var transitionPath = regexp.MustCompile(
	`^/v1/pickups/[^/]+/(submit|assign|dispatch|receive|pack|ship|deliver|cancel|release|collect)$`)

// changeBody replaces the body of an answer.
func changeBody(r *http.Response, change func([]byte) []byte) {
	text, _ := io.ReadAll(r.Body)
	r.Body.Close()
	text = change(text)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	r.Header.Del("Content-Length")
}

// answerOK turns answers of the status into 200.
func answerOK(status int) func(*http.Response) {
	return func(r *http.Response) {
		if r.StatusCode == status {
			r.StatusCode, r.Status = http.StatusOK, "200 OK"
		}
	}
}

func serverFaults() []fault {
	return []fault{
		{"accepts what the state forbids", nil, answerOK(http.StatusConflict), []string{
			"resubmission", "skipped-steps", "duplicates-without-key", "submit-against-cancel", "attempts",
			"one-driver", "nearest-driver", "overdraw", "duplicate-email",
		}},
		{"accepts a stale version", nil, answerOK(http.StatusPreconditionFailed),
			[]string{"late-duplicate", "clobbered-edit"}},
		{"accepts an unknown user", nil, answerOK(http.StatusNotFound), []string{"unknown-user"}},
		{"drops every Idempotency-Key", func(r *http.Request) { r.Header.Del("Idempotency-Key") }, nil,
			[]string{"duplicates-with-key", "late-duplicate"}},
		{"drops the If-Match of a transition", func(r *http.Request) {
			if transitionPath.MatchString(r.URL.Path) {
				r.Header.Del("If-Match")
			}
		}, nil, []string{"late-duplicate"}},
		{"loses an update of a balance", nil, func(r *http.Response) {
			changeBody(r, func(text []byte) []byte { return balance.ReplaceAll(text, []byte(`"balance_cents":7000`)) })
		}, []string{"charges-at-once"}},
		{"takes a repeated charge for a new one", nil, func(r *http.Response) {
			if strings.HasSuffix(r.Request.URL.Path, "/charges") {
				r.Header.Del("Idempotency-Replayed")
			}
		}, []string{"repeated-charge"}},
		{"forgets events", nil, func(r *http.Response) {
			if strings.HasSuffix(r.Request.URL.Path, "/events") {
				changeBody(r, func([]byte) []byte { return []byte(`{"items":[]}`) })
			}
		}, []string{"duplicates-with-key", "submit-against-cancel", "skipped-steps", "resubmission"}},
		{"gives every pickup one driver", nil, func(r *http.Response) {
			if strings.HasPrefix(r.Request.URL.Path, "/v1/pickups/") {
				driver := regexp.MustCompile(`"driver_id":"[^"]+"`)
				changeBody(r, func(text []byte) []byte {
					return driver.ReplaceAll(text, []byte(`"driver_id":"01900000-0000-7000-8000-000000000000"`))
				})
			}
		}, []string{"nearest-driver", "duplicates-with-key", "duplicates-without-key"}},
		{"forgets an address", func(r *http.Request) {
			if r.Method == http.MethodPatch {
				text, _ := io.ReadAll(r.Body)
				text = bytes.ReplaceAll(text, []byte(`-moved-`), []byte(`-stayed-`))
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
			}
		}, nil, []string{"email-and-phone"}},
	}
}

// serve starts the proxy in front of the server.
func (f fault) serve(t *testing.T, to string) string {
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if f.request != nil {
				f.request(r.Out)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if f.response != nil {
				f.response(r)
			}
			return nil
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

// A proof that finds nothing wrong with anything proves nothing.
func TestProveDetectsFaultyServers(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "a test of the stories themselves")
	w := newFixture(t)
	s := w.inProcess(t)
	var caught []string
	for _, f := range serverFaults() {
		caught = append(caught, f.caught...)
		t.Run(f.name, func(t *testing.T) {
			o := w.options(f.serve(t, s.URL))
			o.Stories, o.Rounds = f.caught, 1
			err := prove.Run(t.Context(), o, func(r prove.Result) {
				if r.Held {
					t.Errorf("the story %s held against a faulty server: %s", r.Story, r.Figure)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for _, name := range prove.Names() {
		if !slices.Contains(caught, name) {
			t.Errorf("the story %s detects no faulty server", name)
		}
	}
}

// A slow server answers 504 to what it has done: a request with a key may be sent again.
func TestStoriesHoldWhereAnswersToKeyedRequestsAreLost(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	var keyed, lost atomic.Int64
	slow := fault{response: func(r *http.Response) {
		if r.Request.Header.Get("Idempotency-Key") == "" || keyed.Add(1)%3 != 0 {
			return
		}
		lost.Add(1)
		r.StatusCode, r.Status = http.StatusGatewayTimeout, "504 Gateway Timeout"
		changeBody(r, func([]byte) []byte { return []byte(`{"code":"timeout"}`) })
	}}
	o := w.options(slow.serve(t, w.inProcess(t).URL))
	o.Stories = []string{"duplicates-with-key", "late-duplicate"}
	err := prove.Run(t.Context(), o, func(r prove.Result) {
		if !r.Held {
			t.Errorf("%s did not hold: %s", r.Story, r.Figure)
		}
	})
	if err != nil || lost.Load() == 0 {
		t.Errorf("%d answers were lost: %v", lost.Load(), err)
	}
}

// readyFile writes one as dev does.
func (w *fixture) readyFile(t testing.TB, url string) string {
	t.Helper()
	r := ready{URL: url, Tenant: demoSlug, TenantID: w.tenantID}
	for _, u := range w.users {
		r.Users = append(r.Users, readyUser{u.Email, demoPassword, u.Role, db.Token(w.tokens[u.Role])})
	}
	name := filepath.Join(t.TempDir(), "ready.json")
	if err := writeAtomically(name, r); err != nil {
		t.Fatal(err)
	}
	return name
}

// proveExitsBeforeAnyStory runs prove without a server, and with arguments that it refuses.
func proveExitsBeforeAnyStory(t *testing.T) {
	t.Run("1 without a server", func(t *testing.T) {
		code, _, errors := ended(t, "", nil, "prove", "--url", "http://"+freeAddress(t))
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		has(t, errors, "connection refused")
	})
	t.Run("1 with an unknown story", func(t *testing.T) {
		code, _, errors := ended(t, "", nil, "prove", "--story", "once-upon-a-time")
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		has(t, errors, "once-upon-a-time", "resubmission")
	})
	t.Run("1 with half a ready file", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "ready.json")
		os.WriteFile(name, []byte(`{"url": "http`), 0o600)
		if code, _, errors := ended(t, "", nil, "prove", "--ready-file", name); code != 1 ||
			!strings.Contains(errors, "not a ready file of waybill dev") {
			t.Errorf("exit code %d: %s", code, errors)
		}
	})
}

func TestProveExits(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a command that does one thing after the other")
	w := newFixture(t)
	s := w.inProcess(t)
	few := []string{"prove", "--callers", "4", "--rounds", "1", "--attempts", "20",
		"--story", "attempts,one-driver,unknown-user"}
	t.Run("0 when every story held, with a table", func(t *testing.T) {
		code, out, _ := ended(t, "", nil, append(few, "--url", s.URL)...)
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
		has(t, out, "CLAIM", "ATTEMPT", "RESULT", "yes: 1 of 20 won", "3 of 3 stories held", s.URL)
		hasNot(t, out, "NO")
	})
	t.Run("1 when a story failed, in lines of JSON", func(t *testing.T) {
		faulty := serverFaults()[0].serve(t, s.URL)
		code, out, errors := ended(t, "", nil, append(few, "--json", "--ready-file", w.readyFile(t, faulty))...)
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		has(t, errors, "not every story held")
		var held []bool
		decoder := json.NewDecoder(strings.NewReader(out))
		for decoder.More() {
			var r prove.Result
			if err := decoder.Decode(&r); err != nil {
				t.Fatal(err)
			}
			held = append(held, r.Held)
		}
		if !slices.Equal(held, []bool{false, false, true}) {
			t.Errorf("held: %v", held)
		}
	})
	t.Run("1 with a server that accepts everything", func(t *testing.T) {
		yes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "{}")
		}))
		defer yes.Close()
		code, out, errors := ended(t, "", []string{"WAYBILL_URL=" + yes.URL}, "prove")
		if code != 1 || out != "" {
			t.Errorf("exit code %d, %s", code, out)
		}
		has(t, errors, "cannot log in at "+yes.URL)
	})
	t.Run("1 with a wrong password, which is not shown", func(t *testing.T) {
		code, _, errors := ended(t, "", []string{"WAYBILL_PASSWORD=not-this-one"}, "prove", "--url", s.URL)
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		has(t, errors, "unauthenticated")
		hasNot(t, errors, "not-this-one")
	})
	proveExitsBeforeAnyStory(t)
}
