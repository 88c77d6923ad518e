//go:build unix

package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/api"
	"waybill/db"
)

// BenchmarkRequest is what a request costs the server's process, from its router to its
// log line, by 32 callers at once; and what it would with net/http and encoding/json
// alone, over the same store, which reports no errors:
//
//	go test ./api -run - -bench Request -benchmem
//
// The time includes the wait for the database; cpu-us is the process's own. Before and
// after this path was made lean, medians of five runs of each in turn (-benchtime 8000x,
// livez 100000x; 2 cores, busy with other work too, Debian 12, PostgreSQL 15, Go 1.26):
//
//	                          ns/op            cpu-us/op      allocs/op
//	livez/waybill             4240 -> 3363     7.9 -> 6.3      35 -> 26
//	livez/net-http                    1094           1.9             14
//	get-pickup/waybill       79697 -> 67385   66.8 -> 55.0    128 -> 84
//	get-pickup/net-http      60205 -> 55926   41.9 -> 36.2     88 -> 62
//	charge-account/waybill  124587 -> 102814  91.1 -> 69.2    216 -> 129
//	charge-account/net-http 105204 -> 101190  60.0 -> 53.3     97 -> 74
//	submit-pickup/waybill   244925 -> 245093  96.7 -> 90.6    149 -> 102
//	submit-pickup/net-http  245290 -> 218570  67.5 -> 66.3    101 -> 72
//
// By hand it got cheaper too: ids are read as bytes. What serve saves by collecting
// garbage less often is not in it. Of what livez costs us more than by hand, half is the
// log line, a third of that its write: it is not held back, as the lines before a crash
// are those that are looked for.
func BenchmarkRequest(b *testing.B) {
	for _, work := range []struct {
		name string
		// prepare returns the requests, of which n will be sent.
		prepare func(s *server, n int) func(i int) *http.Request
	}{
		{"livez", living},
		{"get-pickup", getting},
		{"charge-account", charging},
		{"submit-pickup", submitting},
	} {
		for _, by := range []struct {
			name    string
			handler func(*server) http.Handler
		}{
			{"waybill", func(s *server) http.Handler { return s.api }},
			{"net-http", byHand},
		} {
			b.Run(work.name+"/"+by.name, func(b *testing.B) {
				s := start(b, roomy, loggingToFile)
				next, handler := work.prepare(s, b.N), by.handler(s)
				b.SetParallelism(16) // of each of two cores
				b.ReportAllocs()
				b.ResetTimer()
				before := cpu(b)
				var i atomic.Int64
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						w := &quiet{header: http.Header{}}
						if handler.ServeHTTP(w, next(int(i.Add(1)-1))); w.status >= 400 {
							b.Errorf("%d %s", w.status, w.body.String())
						}
					}
				})
				b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1000/float64(b.N), "cpu-us/op")
			})
		}
	}
}

// loggingToFile makes each request write its log line as serve does, to a discarded file.
func loggingToFile(_ *db.Config, o *api.Options) {
	file, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	o.Log = slog.New(slog.NewTextHandler(file, nil)) // the file is closed with the process
}

// cpu returns the CPU time of the process.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// quiet is a cheap response writer.
type quiet struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (q *quiet) Header() http.Header         { return q.header }
func (q *quiet) WriteHeader(status int)      { q.status = status }
func (q *quiet) Write(b []byte) (int, error) { return q.body.Write(b) }

// newRequest returns a request as package http would have read it.
func newRequest(as *user, method, path, body string) *http.Request {
	r, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header["Authorization"] = []string{"Bearer " + as.token}
	if body != "" {
		r.Header["Content-Type"] = []string{"application/json"}
	}
	return r
}

// living is a request without a database query.
func living(*server, int) func(int) *http.Request {
	return func(int) *http.Request { return newRequest(&user{}, "GET", "/livez", "") }
}

func getting(s *server, _ int) func(int) *http.Request {
	drafts := s.drafts(1000)
	return func(i int) *http.Request {
		return newRequest(s.dispatcher, "GET", "/v1/pickups/"+drafts[i%len(drafts)].String(), "")
	}
}

func charging(s *server, _ int) func(int) *http.Request {
	s.deposit()
	path := "/v1/accounts/" + s.account.String() + "/charges"
	return func(int) *http.Request {
		return newRequest(s.admin, "POST", path, fmt.Sprintf(`{"id":"%s","amount_cents":1,"note":"a charge"}`, newID()))
	}
}

func submitting(s *server, n int) func(int) *http.Request {
	s.deposit()
	drafts := s.drafts(n)
	return func(i int) *http.Request {
		return newRequest(s.dispatcher, "POST", "/v1/pickups/"+drafts[i].String()+"/submit", "")
	}
}

// drafts makes n pickups or more.
func (s *server) drafts(n int) (ids []uuid.UUID) {
	for len(ids) < n {
		drafts := make([]db.Draft, 1000)
		for i := range drafts {
			drafts[i] = db.Draft{ID: newID(), FacilityID: s.facility, AccountID: s.account, PriceCents: 1,
				PickupAddress: "1 Main St", DropoffAddress: "2 Lab Way", Digest: []byte("x")}
			ids = append(ids, drafts[i].ID)
		}
		_, _, err := s.store.CreateDrafts(s.t.Context(), s.viewer(s.dispatcher), drafts)
		s.must(err)
	}
	return ids
}

// deposit adds more money to the account than a benchmark can spend.
func (s *server) deposit() {
	_, _, err := s.store.Enter(s.t.Context(), s.viewer(s.admin), db.Entry{
		ID: newID(), AccountID: s.account, Kind: db.EntryKindDeposit, AmountCents: 1 << 40, Digest: []byte("x")})
	s.must(err)
}

func (s *server) viewer(u *user) db.Viewer {
	return db.SystemViewer(s.id, u.id, u.role)
}

// byHand has the same operations without a document, validation, log, metrics, time
// limits or problems.
func byHand(s *server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(&api.Health{Status: "ok"})
	})
	handle := func(pattern string, status int, answer leanAnswer) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.lean(w, r, status, answer) })
	}
	handle("GET /v1/pickups/{pickup_id}", http.StatusOK, s.leanGet)
	handle("POST /v1/pickups/{pickup_id}/submit", http.StatusOK, s.leanSubmit)
	handle("POST /v1/accounts/{account_id}/charges", http.StatusCreated, s.leanCharge)
	return mux
}

// leanAnswer returns the row that answers a viewer's request.
type leanAnswer func(context.Context, db.Viewer, *http.Request) (any, error)

// lean authenticates a request and writes its answer as JSON.
func (s *server) lean(w http.ResponseWriter, r *http.Request, status int, answer leanAnswer) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	v, err := s.store.Authenticate(r.Context(), db.Token(token), time.Hour)
	if err != nil {
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	row, err := answer(r.Context(), v, r)
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(row)
}

func (s *server) leanGet(ctx context.Context, v db.Viewer, r *http.Request) (any, error) {
	id, err := uuid.Parse(r.PathValue("pickup_id"))
	if err != nil {
		return nil, err
	}
	return s.store.GetOne(ctx, v, id)
}

func (s *server) leanSubmit(ctx context.Context, v db.Viewer, r *http.Request) (any, error) {
	id, err := uuid.Parse(r.PathValue("pickup_id"))
	if err != nil {
		return nil, err
	}
	row, _, err := s.store.MoveOne(ctx, v,
		db.Transition{Name: db.TransitionNameSubmit, PickupID: id, Digest: []byte("x")})
	return row, err
}

func (s *server) leanCharge(ctx context.Context, v db.Viewer, r *http.Request) (any, error) {
	id, err := uuid.Parse(r.PathValue("account_id"))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in api.NewLedgerEntry
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	row, _, err := s.store.Enter(ctx, v, db.Entry{ID: in.ID, AccountID: id, Kind: db.EntryKindCharge,
		AmountCents: in.AmountCents, Note: in.Note, Digest: []byte("x")})
	return row, err
}
