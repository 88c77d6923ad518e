package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"waybill/api/client"
)

// network answers each request by the next of its steps, and the last one again and again. It keeps what was sent.
type network struct {
	steps []step
	sent  []sent
}

type step func(*http.Request) (*http.Response, error)

type sent struct {
	at                               time.Time
	key, position, body, method, url string
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	s := sent{at: time.Now(), key: r.Header.Get("Idempotency-Key"),
		position: r.Header.Get("Waybill-Consistency"), method: r.Method, url: r.URL.String()}
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.body = string(text)
	}
	n.sent = append(n.sent, s)
	return n.steps[min(len(n.sent), len(n.steps))-1](r)
}

func (n *network) client(options ...client.Option) *client.Client {
	return client.New("http://waybill.example/", append(options, client.WithHTTPClient(&http.Client{Transport: n}))...)
}

// answers returns a step that answers with a status and a body. Headers are pairs.
func answers(status int, body string, headers ...string) step {
	return func(*http.Request) (*http.Response, error) {
		r := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return r, nil
	}
}

func refuses(status int, code client.Code, headers ...string) step {
	return answers(status, fmt.Sprintf(`{"code":%q,"status":%d,"detail":"no"}`, code, status), headers...)
}

func loses(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset") }

// losesLate loses the connection after some time, whatever the context.
func losesLate(r *http.Request) (*http.Response, error) {
	time.Sleep(2 * time.Second)
	return loses(r)
}

// hangs is a server that never answers.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// cut is the beginning of an answer.
func cut(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: io.NopCloser(io.MultiReader(
		strings.NewReader(`{"id":"`), failingReader{io.ErrUnexpectedEOF}))}, nil
}

type failingReader struct{ error }

func (e failingReader) Read([]byte) (int, error) { return 0, e.error }

var (
	pickup     = answers(200, `{"id":"019b8d5a-0001-7000-8000-00000000000a","status":"SUBMITTED"}`, "ETag", `"7"`)
	page       = answers(404, "<html>")
	overloaded = refuses(503, client.CodeOverloaded)
	busy       = refuses(409, client.CodeDriverBusy)
	loggedOut  = refuses(401, client.CodeUnauthenticated)
)

// What has not been answered is sent again as it was; what has been is not.
func TestACallIsSentUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps    []step
		attempts int
		code     client.Code
	}{
		"at once":                {[]step{pickup}, 1, ""},
		"lost connection":        {[]step{loses, loses, pickup}, 3, ""},
		"no answer in time":      {[]step{hangs, pickup}, 2, ""},
		"cut answer":             {[]step{cut, pickup}, 2, ""},
		"cut JSON":               {[]step{answers(200, `{"id":"01`), pickup}, 2, ""},
		"cut problem":            {[]step{answers(409, `{"code":"driver_b`), pickup}, 2, ""},
		"page of a proxy":        {[]step{page, answers(200, "<html>"), answers(500, "x"), pickup}, 4, ""},
		"bad gateway":            {[]step{answers(502, ""), pickup}, 2, ""},
		"too early":              {[]step{answers(425, ""), pickup}, 2, ""},
		"unavailable":            {[]step{refuses(503, client.CodeUnavailable), pickup}, 2, ""},
		"overloaded":             {[]step{overloaded, refuses(504, client.CodeTimeout), pickup}, 3, ""},
		"rate limited":           {[]step{refuses(429, client.CodeRateLimited), pickup}, 2, ""},
		"slow request":           {[]step{refuses(408, client.CodeRequestTimeout), pickup}, 2, ""},
		"refused":                {[]step{busy, pickup}, 1, client.CodeDriverBusy},
		"refused after a loss":   {[]step{loses, busy, pickup}, 2, client.CodeDriverBusy},
		"failed":                 {[]step{refuses(500, client.CodeInternal), pickup}, 1, client.CodeInternal},
		"logged out":             {[]step{loggedOut, pickup}, 1, client.CodeUnauthenticated},
		"not there":              {[]step{refuses(404, client.CodeNotFound), pickup}, 1, client.CodeNotFound},
		"a code that is unknown": {[]step{refuses(422, "new"), pickup}, 1, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := &network{steps: c.steps}
				got, err := n.client().Pickups.Assign(t.Context(), uuid.New(), client.Assignment{DriverID: uuid.New()})
				wantCode(t, err, c.code)
				if err == nil && (got.Status != client.PickupStatusSubmitted || got.ETag != `"7"`) {
					t.Errorf("answered %+v", got)
				}
				if len(n.sent) != c.attempts {
					t.Fatalf("%d attempts, want %d", len(n.sent), c.attempts)
				}
				for _, s := range n.sent {
					first := n.sent[0]
					if s.key == "" || s.key != first.key || s.body != first.body || s.url != first.url {
						t.Errorf("an attempt is %+v, and the first %+v", s, first)
					}
				}
			})
		})
	}
}

// Each call is an intent of its own, by a header or by an id in the body.
func TestEachCallIsAnIntent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		entry := answers(201, `{"id":"019b8d5a-0001-7000-8000-00000000000a"}`)
		n, id := &network{steps: []step{loses, pickup, pickup, loses, entry, entry}}, uuid.New()
		c, ctx := n.client(), t.Context()
		for range 2 {
			value(c.Pickups.Submit(ctx, id))(t)
		}
		for range 2 {
			value(c.Accounts.Charge(ctx, id, client.NewLedgerEntry{AmountCents: 1}))(t)
		}
		keys, bodies := map[string]int{}, map[string]int{}
		for _, s := range n.sent[:3] {
			keys[s.key]++
		}
		for _, s := range n.sent[3:] {
			bodies[s.body]++
			if s.key != "" || strings.Contains(s.body, uuid.Nil.String()) {
				t.Errorf("a charge is %+v", s)
			}
		}
		if len(keys) != 2 || len(bodies) != 2 {
			t.Errorf("two calls and two charges have the keys %v and the bodies %v", keys, bodies)
		}
	})
}

func TestPausesGrowAndAreNoShorterThanTheServerSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &network{steps: []step{loses}}
		began := time.Now()
		_, err := n.client().Pickups.Submit(t.Context(), uuid.New())
		var none *client.NoAnswer
		if !errors.As(err, &none) || client.CodeOf(err) != client.CodeNoAnswer {
			t.Errorf("without an answer: %v", err)
		}
		if took := time.Since(began); took > 30*time.Second || took < 20*time.Second {
			t.Errorf("it tried for %v, want about 30 s", took)
		}
		if len(n.sent) < 8 || len(n.sent) > 30 {
			t.Errorf("%d attempts in 30 s", len(n.sent))
		}
		pause := func(i int) time.Duration { return n.sent[i+1].at.Sub(n.sent[i].at) }
		for i := range 5 {
			if longest := 100 * time.Millisecond << i; pause(i) > longest {
				t.Errorf("pause %d is %v, want %v at most", i, pause(i), longest)
			}
		}
	})
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, time.Date(2000, 1, 1, 0, 0, 7, 0, time.UTC).Format(http.TimeFormat): 7 * time.Second,
		"x": 0, "-7": 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{steps: []step{refuses(503, client.CodeOverloaded, "Retry-After", header), pickup}}
			value(n.client().Pickups.Submit(t.Context(), uuid.New()))(t)
			if got := n.sent[1].at.Sub(n.sent[0].at).Truncate(time.Second); got != want {
				t.Errorf("after Retry-After: %s it waits %v, want %v", header, got, want)
			}
		})
	}
}

// A call does not wait for what comes after its end.
func TestACallEndsWithItsContextOrItsPatience(t *testing.T) {
	t.Parallel()
	const second = time.Second
	later := refuses(503, client.CodeOverloaded, "Retry-After", "3600")
	for name, c := range map[string]struct {
		step
		option   client.Option
		deadline time.Duration
		code     client.Code
		took     time.Duration
	}{
		"too long a pause": {later, client.WithPatience(time.Minute), time.Hour, client.CodeOverloaded, 0},
		"deadline":         {hangs, client.WithPatience(time.Hour), time.Second, client.CodeNoAnswer, time.Second},
		"patience":         {hangs, client.WithPatience(time.Second), time.Hour, client.CodeNoAnswer, time.Second},
		"too late":         {losesLate, client.WithPatience(time.Hour), second, client.CodeNoAnswer, 2 * second},
		"attempts": {hangs, client.WithAttemptTimeout(time.Hour),
			20 * second, client.CodeNoAnswer, 20 * second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				began := time.Now()
				_, err := (&network{steps: []step{c.step}}).client(c.option).Pickups.Submit(ctx, uuid.New())
				wantCode(t, err, c.code)
				if late := c.code == client.CodeNoAnswer; errors.Is(err, context.DeadlineExceeded) != late {
					t.Errorf("the error is %v", err)
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := &network{steps: []step{func(*http.Request) (*http.Response, error) {
			cancel()
			return nil, errors.New("lost")
		}}}
		_, err := n.client().Pickups.Submit(ctx, uuid.New())
		if !errors.Is(err, context.Canceled) || len(n.sent) != 1 {
			t.Errorf("canceled after %d attempts: %v", len(n.sent), err)
		}
	})
}

// A removal whose first attempt may have taken effect has, if what it removes is not there any more.
func TestARemovalThatIsRepeatedHasTakenEffect(t *testing.T) {
	t.Parallel()
	gone := refuses(404, client.CodeNotFound)
	removal := func(c *client.Client, ctx context.Context) error {
		return c.Groups.RemoveMember(ctx, uuid.New(), uuid.New())
	}
	logout := func(c *client.Client, ctx context.Context) error { return c.Sessions.Logout(ctx) }
	for name, c := range map[string]struct {
		steps []step
		call  func(*client.Client, context.Context) error
		code  client.Code
	}{
		"removed":              {[]step{answers(204, "")}, removal, ""},
		"was not there":        {[]step{gone}, removal, client.CodeNotFound},
		"removed, then lost":   {[]step{loses, gone}, removal, ""},
		"failed, then gone":    {[]step{answers(502, ""), gone}, removal, ""},
		"lost, refused, gone":  {[]step{loses, refuses(429, client.CodeRateLimited), gone}, removal, ""},
		"late, then gone":      {[]step{refuses(504, client.CodeTimeout), gone}, removal, ""},
		"refused, then gone":   {[]step{refuses(429, client.CodeRateLimited), gone}, removal, client.CodeNotFound},
		"lost, then forbidden": {[]step{loses, refuses(403, client.CodeForbidden)}, removal, client.CodeForbidden},
		"lost, then no login":  {[]step{loses, loggedOut}, removal, client.CodeUnauthenticated},
		"logged out, lost":     {[]step{loses, loggedOut}, logout, ""},
		"was not logged in":    {[]step{loggedOut}, logout, client.CodeUnauthenticated},
		"added, then gone": {[]step{loses, gone}, func(c *client.Client, ctx context.Context) error {
			return c.Groups.AddMember(ctx, uuid.New(), uuid.New())
		}, client.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				wantCode(t, c.call((&network{steps: c.steps}).client(), t.Context()), c.code)
			})
		})
	}
}

func TestACallWithoutRetriesIsSentOnce(t *testing.T) {
	t.Parallel()
	for want, s := range map[client.Code]step{"": pickup, client.CodeNoAnswer: loses,
		client.CodeOverloaded: overloaded} {
		n := &network{steps: []step{s}}
		_, err := n.client(client.WithoutRetries()).Pickups.Submit(t.Context(), uuid.New())
		if wantCode(t, err, want); len(n.sent) != 1 {
			t.Errorf("%d attempts, want 1", len(n.sent))
		}
	}
}

func TestWhatCannotBeSentIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	n := &network{steps: []step{loses}}
	c := client.New("http://wrong host", client.WithHTTPClient(&http.Client{Transport: n}))
	if _, err := c.Pickups.Submit(t.Context(), uuid.New()); err == nil || client.CodeOf(err) != "" {
		t.Errorf("a URL that is none: %v", err)
	}
	for _, err := range c.Pickups.Stream(t.Context(), nil) {
		if err == nil {
			t.Error("a stream from a URL that is none")
		}
	}
	if len(n.sent) != 0 {
		t.Errorf("sent %v", n.sent)
	}
}

// Parameters are written as the server reads them, and what is not given is left out.
func TestParametersAreThoseGiven(t *testing.T) {
	t.Parallel()
	n := &network{steps: []step{answers(200, `{"items":[]}`)}}
	c, ctx := n.client(), t.Context()
	at := time.Date(2030, 1, 1, 9, 0, 0, 0, time.FixedZone("", 3600))
	id := uuid.MustParse("019b8d5a-0001-7000-8000-00000000000a")
	status := client.PickupStatusDraft
	query := &client.ListPickupsQuery{Status: []client.PickupStatus{status},
		FacilityID: &id, CreatedFrom: &at, Limit: 9}
	value(c.Pickups.ListPage(ctx, query, "a+b"))(t)
	value(c.Pickups.ListPage(ctx, nil, ""))(t)
	value(c.Flags.Get(ctx, "a/b c?"))(t)
	feed := client.SyncAppointmentsQuery{AsOf: at, Records: new(int64(10_000_000)), AllowEmpty: new(true)}
	value(c.Appointments.Sync(ctx, id, []client.AppointmentRecord{}, feed))(t)
	for i, want := range []string{
		"/v1/pickups?created_from=2030-01-01T09%3A00%3A00%2B01%3A00&cursor=a%2Bb&facility_id=" + id.String() +
			"&limit=9&status=DRAFT",
		"/v1/pickups", "/v1/flags/a%2Fb%20c%3F",
		"/v1/facilities/" + id.String() +
			"/appointments/sync?allow_empty=true&as_of=2030-01-01T09%3A00%3A00%2B01%3A00&records=10000000",
	} {
		if got := n.sent[i].url; got != "http://waybill.example"+want {
			t.Errorf("sent to %s, want %s", got, want)
		}
	}
	if got := n.sent[3].body; got != "[]" {
		t.Errorf("sent %s", got)
	}
}
