package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/api"
	"waybill/db"
)

// feed syncs the tenant's facility as of now, unless headers say otherwise.
func (s *server) feed(as *user, body any, headers ...string) *answer {
	s.t.Helper()
	return s.feedAsOf(as, time.Now().UTC().Format(time.RFC3339Nano), body, headers...)
}

func (s *server) feedAsOf(as *user, asOf string, body any, headers ...string) *answer {
	s.t.Helper()
	return s.do(as, "POST", "/v1/facilities/"+s.facility.String()+"/appointments/sync?as_of="+url.QueryEscape(asOf),
		body, headers...)
}

// counts returns the counts of a feed's answer.
func (a *answer) counts() string {
	a.t.Helper()
	o := a.want(200).object()
	return fmt.Sprint(o["created"], o["updated"], o["unchanged"], o["canceled"], o["superseded"])
}

// asLines is records as NDJSON.
func asLines(records ...object) string {
	var out bytes.Buffer
	for _, r := range records {
		json.NewEncoder(&out).Encode(r)
	}
	return out.String()
}

func TestFeedMakesTheAppointmentsWhatTheListSays(t *testing.T) {
	t.Parallel()
	s := start(t)
	lines := []string{"Content-Type", "application/x-ndjson; charset=UTF-8"}
	for i, step := range []struct {
		hour    int
		body    any
		headers []string
		want    string
	}{
		{2, []object{newRecord(1), newRecord(2), newRecord(3)}, nil, "3 0 0 0 false"},
		{3, asLines(newRecord(1), with(newRecord(2), object{"status": "ARRIVED"})), lines, "0 1 1 1 false"},
		{2, []object{newRecord(9)}, nil, "0 0 0 0 true"}, // an older list, late
		{3, []object{newRecord(9)}, nil, "0 0 0 0 true"}, // the same time again
		{4, " [ " + asLines(newRecord(3)) + " ] \n", nil, "0 1 0 2 false"},
		{5, "\n" + asLines(newRecord(3)) + "\n \n" + strings.TrimSpace(asLines(newRecord(1))), lines, "0 1 1 0 false"},
	} {
		asOf := fmt.Sprintf("2026-01-01T0%d:00:00Z", step.hour)
		if got := s.feedAsOf(s.staff, asOf, step.body, step.headers...).counts(); got != step.want {
			t.Errorf("list %d: %s, want %s", i, got, step.want)
		}
	}
	s.feed(s.staff, "[]").refused(422, "empty_feed", "")
	s.feed(s.staff, "", lines...).refused(422, "empty_feed", "")
	s.do(s.staff, "POST", "/v1/facilities/"+s.facility.String()+
		"/appointments/sync?allow_empty=true&as_of=2026-01-01T06:00:00Z", "[]").want(200)
	s.feedAsOf(s.staff, time.Now().Add(time.Hour).Format(time.RFC3339), []object{newRecord(1)}).
		refused(422, "validation_failed", "as_of")
	s.feedAsOf(s.staff, time.Now().Add(30*time.Second).Format(time.RFC3339), []object{newRecord(1)}).want(200)
	if n := len(s.do(s.staff, "GET", "/v1/patients", nil).want(200).items()); n != 3 {
		t.Errorf("the facility sees %d patients, want 3", n)
	}
}

func TestExternalIDIsItsDigits(t *testing.T) {
	t.Parallel()
	s := start(t)
	feed := func(appointment, patient string) *answer {
		raw, err := marshalRaw(with(newRecord(1),
			object{"external_id": json.RawMessage(appointment), "patient": json.RawMessage(
				`{"external_id":` + patient + `,"given_name":"Quetzal","family_name":"Q","birth_date":"1931-07-13"}`)}))
		s.must(err)
		return s.feed(s.staff, "["+raw+"]")
	}
	if got := feed("12345678901234567890", "98765432109876543210").counts(); got != "1 0 0 0 false" {
		t.Error(got)
	}
	if got := feed(`"12345678901234567890"`, `"98765432109876543210"`).counts(); got != "0 0 1 0 false" {
		t.Errorf("as text: %s", got)
	}
	if got := feed(`"\u0031"`, "0").counts(); got != "1 0 0 1 false" {
		t.Error(got)
	}
	if got := feed("1", `"0"`).counts(); got != "0 0 1 0 false" {
		t.Errorf("as a number: %s", got)
	}
	for _, odd := range []string{"1.0", "1e3", "-1", "-5", "1E3", "-0", "true", "{}", "[1]", `""`, `" "`,
		`"` + strings.Repeat("x", 201) + `"`, strings.Repeat("1", 201)} {
		feed(odd, "1").refused(422, "validation_failed", "[0].external_id")
		feed("1", odd).refused(422, "validation_failed", "[0].patient.external_id")
	}
}

// An id is the same with blanks around it, in whatever script, and so not new.
func TestIDsOfAFeedAreWithoutTheBlanksAroundThem(t *testing.T) {
	t.Parallel()
	s := start(t)
	record := func(appointment, patient any) object {
		return with(newRecord(7), object{"external_id": appointment,
			"patient": with(newRecord(7)["patient"].(object), object{"external_id": patient})})
	}
	for i, id := range []any{7, "7", "7 ", " 7", "\t7\n", "\u00a07\u3000", "\ufeff7", "\v7\u2003"} {
		want := "0 0 1 0 false"
		if i == 0 {
			want = "1 0 0 0 false"
		}
		if got := s.feed(s.staff, []object{record(id, id)}).counts(); got != want {
			t.Errorf("%q: %s, want %s", id, got, want)
		}
	}
	for _, ids := range [][2]any{{"7", "7 "}, {7, " 7"}, {"\u00a07", "\ufeff7"}} {
		s.feed(s.staff, []object{record(ids[0], 1), record(ids[1], 1)}).
			refused(422, "validation_failed", "[1].external_id")
	}
	for _, blank := range []string{"", " ", "\u00a0", "\u3000", "\ufeff", "\v", "\u2028", "\u200b"} {
		s.feed(s.staff, []object{record(blank, 1)}).refused(422, "validation_failed", "[0].external_id")
		s.feed(s.staff, []object{record(1, blank)}).refused(422, "validation_failed", "[0].patient.external_id")
	}
	if got := scan[string](s, "SELECT concat_ws(' ', (SELECT string_agg(external_id, ',') FROM patients), (SELECT "+
		"string_agg(external_id, ',') FROM appointments))"); got != "7 7" {
		t.Errorf("got %q", got)
	}
}

// syncAt feeds the facility a list of n records as of a minute, with more parameters.
func (s *server) syncAt(minute int, query string, n int) *answer {
	s.t.Helper()
	var records []object
	for i := range n {
		records = append(records, newRecord(i))
	}
	return s.do(s.staff, "POST", fmt.Sprintf("/v1/facilities/%s/appointments/sync?as_of=2026-01-01T00:%02d:00Z%s",
		s.facility, minute, query), asLines(records...), "Content-Type", "application/x-ndjson")
}

// A list of another length than stated, and one that cancels more than the facility allows, change
// nothing: the same list is accepted with the parameter that confirms it.
func TestListThatWasCutIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	sync := s.syncAt
	sync(1, "&records=39", 40).refused(422, "records_mismatch", "records")
	sync(1, "&records=-1", 40).refused(422, "validation_failed", "records")
	sync(1, "&records=x", 40).refused(422, "validation_failed", "records")
	sync(1, "&records=1", 0).refused(422, "records_mismatch", "records")
	sync(1, "&records=0", 0).refused(422, "empty_feed", "")
	if n := scan[int](s, "SELECT (SELECT count(*) FROM patients) + (SELECT count(*) FROM appointment_feed_chunks) + "+
		"(SELECT count(*) FROM appointment_feeds)"); n != 0 {
		t.Errorf("%d staged rows remain", n)
	}
	if got := sync(1, "&records=40", 40).counts(); got != "40 0 0 0 false" {
		t.Error(got)
	}
	state := func() string {
		return scan[string](s, `SELECT concat((SELECT string_agg(a::text, '' ORDER BY id) FROM appointments AS a),
			(SELECT string_agg(f::text, '') FROM appointment_feeds AS f),
			    (SELECT count(*) FROM appointment_feed_chunks), (SELECT count(*) FROM phi_reads))`)
	}
	before := state()
	sync(2, "&records=40", 19).refused(422, "records_mismatch", "records")
	a := sync(2, "&records=19", 19).refused(409, "mass_cancellation", "")
	if want := "The list would cancel 21 of 40 current appointments."; a.str("detail") != want {
		t.Errorf("detail is %s, want %s", a.str("detail"), want)
	}
	sync(2, "", 0).refused(422, "empty_feed", "")
	sync(2, "&allow_mass_cancel=true", 0).refused(422, "empty_feed", "") // which is another question
	sync(2, "&allow_empty=true", 1).refused(409, "mass_cancellation", "")
	if state() != before {
		t.Error("a rejected list changed appointments")
	}
	if got := sync(2, "", 20).counts(); got != "0 0 20 20 false" {
		t.Errorf("canceling half: %s", got)
	}
	if got := sync(3, "", 10).counts(); got != "0 0 10 10 false" {
		t.Errorf("canceling ten: %s", got)
	}
	sync(4, "&records=40", 40).want(200)
	if got := sync(5, "&allow_mass_cancel=true", 2).counts(); got != "0 0 2 38 false" {
		t.Errorf("canceling many with confirmation: %s", got)
	}
	sync(6, "&records=40", 40).want(200)
	if got := sync(7, "&allow_empty=true", 0).counts(); got != "0 0 0 40 false" {
		t.Errorf("an empty list with confirmation: %s", got)
	}
	s.limitsTheShareCanceled()
}

// limitsTheShareCanceled edits the share of a facility's appointments that one list may cancel.
func (s *server) limitsTheShareCanceled() {
	s.t.Helper()
	path, sync := "/v1/facilities/"+s.facility.String(), s.syncAt
	sync(8, "", 40).want(200)
	edit := func(share any, tag string) *answer {
		return s.do(s.admin, "PATCH", path, object{"max_cancel_share": share}, "If-Match", tag)
	}
	facility := s.do(s.admin, "GET", path, nil).want(200)
	if facility.str("max_cancel_share") != "0.5" {
		s.t.Errorf("got %s", facility)
	}
	for _, odd := range []any{-0.1, 1.1, "0.5"} {
		edit(odd, facility.etag()).refused(422, "validation_failed", "max_cancel_share")
	}
	s.do(s.staff, "PATCH", path, object{"max_cancel_share": 1}, "If-Match", facility.etag()).refused(403, "forbidden")
	edited := edit(0.1, facility.etag()).want(200)
	sync(9, "", 29).refused(409, "mass_cancellation", "")
	sync(9, "", 30).want(200) // ten are never too many
	edit(1, edited.etag()).want(200)
	sync(10, "", 1).want(200)
}

func TestListHasAMillionRecordsAtMost(t *testing.T) {
	t.Parallel()
	one := strings.TrimSpace(asLines(newRecord(1)))
	for _, c := range []struct {
		body  string
		lines bool
	}{{"[" + one + "," + one + "," + one + "]", false}, {one + "\n" + one + "\n" + one + "\n", true}} {
		if n, err := api.ReadFeed(c.body, c.lines, 999_997); n != 3 || err != nil {
			t.Errorf("the last three records: %d, %v", n, err)
		}
		n, err := api.ReadFeed(c.body, c.lines, 999_998)
		p, ok := errors.AsType[*api.Problem](err)
		if n != 2 || !ok || p.Status != 413 || p.Code != "body_too_large" || p.Field != "[1000000]" {
			t.Errorf("the last two records and one more: %d, %+v", n, p)
		}
	}
}

// A long list with an error at its end changes nothing, takes no more memory than a short one, and may
// be larger than any other body.
func TestLongListIsStreamed(t *testing.T) {
	t.Parallel()
	s := start(t)
	n := 12_000 / raceFactor
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	pipe, w := io.Pipe()
	go func() {
		for i := range n {
			line := asLines(newRecord(i))
			if _, err := io.WriteString(w, line[:len(line)-2]+strings.Repeat(" ", 500)+"}\n"); err != nil {
				return
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&during)
		io.WriteString(w, asLines(with(newRecord(n), object{"status": "LATE"})))
		w.Close()
	}()
	r := request(t, s.staff, "POST",
		"/v1/facilities/"+s.facility.String()+"/appointments/sync?as_of=2026-01-01T00:00:00Z",
		nil, "Content-Type", "application/x-ndjson")
	r.Body, r.ContentLength = pipe, -1
	s.serve(r).refused(422, "validation_failed", fmt.Sprintf("[%d].status", n))
	if rows := scan[int](s, "SELECT (SELECT count(*) FROM patients) + (SELECT count(*) FROM appointment_feed_chunks) "+
		"+ (SELECT count(*) FROM appointment_feeds)"); rows != 0 {
		t.Errorf("%d staged rows remain", rows)
	}
	t.Logf("the heap: %d MB before, %d MB at the end of %d MB", before.HeapAlloc>>20, during.HeapAlloc>>20, n*800>>20)
}

// slowFeed sends the headers of a feed, then its body by send, until the server stops reading. It
// returns the answer, if there is one.
func (s *server) slowFeed(address, headers string, send func(conn net.Conn)) (*answer, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	path := "/v1/facilities/" + s.facility.String() + "/appointments/sync?as_of=2026-01-01T00:00:00Z"
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/x-ndjson\r\n%s\r\n", path, s.staff.token, headers)
	in := bufio.NewReader(conn)
	if strings.Contains(headers, "Expect:") {
		if r, err := http.ReadResponse(in, nil); err != nil || r.StatusCode != http.StatusContinue {
			return nil, fmt.Errorf("before the body: %v, %w", r, err)
		}
	}
	go send(conn)
	r, err := finalResponse(in)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	return &answer{s.t, "a slow feed", r.StatusCode, r.Header, body}, err
}

// slowClient is a client that sends a feed too slowly, or not to its end.
type slowClient struct {
	name, headers string
	send          func(net.Conn)
}

// stall sends one line and nothing more.
func stall(conn net.Conn) { io.WriteString(conn, asLines(newRecord(1))) }

// chunk sends one line as a chunk of a longer body.
func chunk(conn net.Conn) {
	line := asLines(newRecord(1))
	fmt.Fprintf(conn, "%x\r\n%s\r\n", len(line), line)
}

// drip sends a part over and over until the connection ends.
func drip(part string) func(net.Conn) {
	return func(conn net.Conn) {
		for err := error(nil); err == nil; time.Sleep(10 * time.Millisecond) {
			_, err = io.WriteString(conn, part)
		}
	}
}

const (
	leastPause    = 300 * time.Millisecond // the limit of a feed that is rejected for its time
	shortBody     = "Content-Length: 5000\r\n"
	longBody      = "Content-Length: 1000000\r\n"
	chunkedBody   = "Transfer-Encoding: chunked\r\n"
	awaitContinue = "Expect: 100-continue\r\n"
)

// slowFeeds are clients by the limit that ends them.
var slowFeeds = map[string]struct {
	idle, whole time.Duration
	code        string
	feeds       []slowClient
}{
	"idle": {leastPause, time.Hour, "request_timeout", []slowClient{
		{"nothing", shortBody, func(net.Conn) {}},
		{"one line", shortBody, stall},
		{"one line of many", longBody, stall},
		{"a chunk", chunkedBody, chunk},
		{"a byte at a time", longBody, drip("{")},
	}},
	"asked for": {leastPause, time.Hour, "request_timeout",
		[]slowClient{{"a line once asked for", shortBody + awaitContinue, stall}}},
	// On a busy machine a pause of the sender may end it, but no sooner.
	"the whole": {leastPause, leastPause, "request_timeout",
		[]slowClient{{"blank lines", longBody, drip(strings.Repeat("\n", 500))}}},
	"neither": {time.Minute, time.Hour, "unreadable_body",
		[]slowClient{{"a bad line", longBody, func(conn net.Conn) {
			io.WriteString(conn, asLines(newRecord(1))+"x\n")
		}}}},
}

// A client that stops sending, sends too slowly or without end is rejected, and holds no database
// connection meanwhile. Each limit is tested separately with the others out of reach, however busy the
// machine: it takes effect not before its time, and eventually.
func TestSlowFeedIsEnded(t *testing.T) {
	t.Parallel()
	for name, c := range slowFeeds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(_ *db.Config, o *api.Options) {
				o.FeedIdle, o.FeedTimeout, o.Feeds = c.idle, c.whole, api.Limits{Whole: 16, PerTenant: 16, PerUser: 16}
			})
			web := httptest.NewServer(s.api)
			t.Cleanup(web.Close)
			atOnce(len(c.feeds), func(i int) bool {
				f, begun := c.feeds[i], time.Now()
				a, err := s.slowFeed(strings.TrimPrefix(web.URL, "http://"), f.headers, func(conn net.Conn) {
					if n := s.store.Stat().AcquiredConns(); name == "asked for" && n != 0 {
						t.Errorf("%d connections are in use", n)
					}
					f.send(conn)
				})
				if err != nil || a.status < 400 || a.status >= 500 || a.str("code") != c.code {
					t.Errorf("%s: got %v, %v, want %s", f.name, a, err, c.code)
				} else if err := theDocument().checkProblem(a); err != nil {
					t.Errorf("%s: the answer violates the document: %v\n%s", f.name, err, a)
				}
				if took := time.Since(begun); c.code == "request_timeout" && took < leastPause {
					t.Errorf("%s: answered after %v, before the limit", f.name, took)
				}
				return err == nil
			})
			if n := scan[int](s, "SELECT (SELECT count(*) FROM patients) + (SELECT count(*) FROM "+
				"appointment_feed_chunks) + (SELECT count(*) FROM appointment_feeds)"); n != 0 {
				t.Errorf("%d staged rows remain", n)
			}
			if name == "neither" {
				s.feed(s.staff, []object{newRecord(1)}).want(200)
			}
		})
	}
}

// A client that disconnects in the middle leaves nothing.
func TestFeedThatStopsComingEnds(t *testing.T) {
	t.Parallel()
	s := start(t)
	web := httptest.NewServer(s.api)
	t.Cleanup(web.Close)
	path := "/v1/facilities/" + s.facility.String() + "/appointments/sync?as_of=2026-01-01T00:00:00Z"
	conn, err := net.Dial("tcp", strings.TrimPrefix(web.URL, "http://"))
	s.must(err)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n%s",
		path, s.staff.token, asLines(newRecord(1)))
	s.until("it is being read", func() bool {
		return scan[int](s, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE "+
			"'%SweepFeed%'") > 0
	})
	conn.Close()

	ctx, cancel := context.WithCancel(t.Context())
	pipe, w := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, "POST", web.URL+path, pipe)
	s.must(err)
	r.Header.Set("Authorization", "Bearer "+s.staff.token)
	r.Header.Set("Content-Type", "application/x-ndjson")
	done := make(chan error, 1)
	go func() {
		_, err := web.Client().Do(r)
		done <- err
	}()
	for i := range 10_001 { // more than is kept in memory
		if _, err := io.WriteString(w, asLines(newRecord(i))); err != nil {
			t.Fatal(err)
		}
	}
	s.until("the first part waits",
		func() bool { return scan[int](s, "SELECT count(*) FROM appointment_feed_chunks") == 1 })
	cancel()
	w.CloseWithError(context.Canceled)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	s.until("nothing waits", func() bool { return scan[int](s, "SELECT count(*) FROM appointment_feed_chunks") == 0 })
	if n := scan[int](s, "SELECT count(*) FROM appointments"); n != 0 {
		t.Errorf("%d appointments", n)
	}
}

// A user of a role that does not see the facility gets the same answer as for a missing one. Neither
// reaches a patient of another facility with the same external id.
func TestFeedRevealsNothingOfAnotherFacility(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.shows(s.foreign, s.foreign.facility, s.foreign.staff)
	own := with(newRecord(1), nil)
	theirs := with(newRecord(1),
		object{"patient": with(newRecord(1)["patient"].(object), object{"family_name": newCanary()})})
	path := func(facility any) string {
		return fmt.Sprintf("/v1/facilities/%v/appointments/sync?as_of=2026-01-01T00:00:00Z", facility)
	}
	s.do(s.foreign.staff, "POST", path(s.foreign.facility), []object{theirs}).want(200)
	row := scan[string](s, "SELECT p::text FROM patients AS p")
	if got := s.do(s.staff, "POST", path(s.facility), []object{own}).counts(); got != "1 0 0 0 false" {
		t.Errorf("got %s", got)
	}
	if again := scan[string](s, "SELECT p::text FROM patients AS p WHERE tenant_id = $1", s.foreign.id); again != row {
		t.Error("another tenant's patient has changed")
	}
	var answers []string
	for _, facility := range []any{s.hidden, s.foreign.facility, newID()} {
		answers = append(answers, string(withoutID(s.do(s.staff, "POST", path(facility), []object{own}).
			refused(404, "not_found"))))
	}
	if slices.Sort(answers); answers[0] != answers[2] {
		t.Errorf("the answers differ: %q", answers)
	}
}

// endless is a reader of one byte, again and again, that counts the bytes read, and fails after 16 MiB.
type endless struct {
	byte
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read += len(p); e.read > 16<<20 {
		return 0, errors.New("read without a limit")
	}
	for i := range p {
		p[i] = e.byte
	}
	return len(p), nil
}

// A record has 64 KiB at most. A body that goes on without the end of a record, or without a record, is
// refused before much of it is in memory.
func TestFeedReaderLimitsRecordsAndWhiteSpace(t *testing.T) {
	t.Parallel()
	one := strings.TrimSpace(asLines(newRecord(1)))
	for size, want := range map[int]int{64 << 10: 2, 64<<10 + 1: 1} {
		padded := one[:len(one)-1] + strings.Repeat(" ", size-len(one)) + "}"
		for _, space := range []string{"", "\n", strings.Repeat(" ", 60<<10)} {
			n, err := api.ReadFeed("["+one+","+space+padded+space+"]", false, 0)
			if p, _ := errors.AsType[*api.Problem](err); n != want || (err == nil) != (want == 2) ||
				p != nil && (p.Code != "body_too_large" || p.Field != "[1]") {
				t.Errorf("a record of %d bytes behind %d of white space: %d records, %v", size, len(space), n, err)
			}
		}
	}
	for _, begin := range []string{"", "[", "[" + one + ",", "[" + one, `[{"a":"`, `[{"a":[`, "[" + one + "]"} {
		for _, c := range []byte{' ', '['} {
			e := &endless{byte: c}
			_, err := api.ReadFeedFrom(io.MultiReader(strings.NewReader(begin), e), false, 0)
			if _, ok := errors.AsType[*api.Problem](err); !ok || e.read > 1<<20 {
				t.Errorf("%.20q and %q without an end: %v after %d bytes", begin, c, err, e.read)
			}
		}
	}
}
