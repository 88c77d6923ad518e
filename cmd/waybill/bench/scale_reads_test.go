package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/api"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/scale"
)

func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m)) }

// dbRoles are the roles of the data set's users.
var dbRoles = map[scale.Role]db.UserRole{
	scale.Admin: db.UserRoleAdmin, scale.Dispatcher: db.UserRoleDispatcher, scale.Hub: db.UserRoleHub,
	scale.Driver: db.UserRoleDriver, scale.StaffOfOne: db.UserRoleStaff, scale.StaffOfNew: db.UserRoleStaff,
	scale.StaffOfSome: db.UserRoleStaff, scale.StaffOfAll: db.UserRoleStaff,
}

// scaleServer serves a small loaded database in this process.
func scaleServer(t *testing.T) *scaleDatabase {
	t.Helper()
	d := dbtest.New(t)
	conn, err := pgx.Connect(t.Context(), d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	data, err := scale.Load(t.Context(), conn, scale.Size{Pickups: 20_000, Facilities: 50}, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, err := db.Open(t.Context(), db.Config{URL: d.AppURL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	handler, err := api.New(t.Context(), store.Store, api.Options{PasswordCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() { handler.Drain(); server.Close() })
	target := &scaleDatabase{pickups: 20_000, ownerURL: d.OwnerURL, data: data, url: server.URL}
	env := &Env{out: io.Discard}
	t.Cleanup(func() { env.Close() })
	if err := target.logIn(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	return target
}

// taken is a parameter of an operation in the document.
type taken struct{ Name string }

// documented returns the ids of the operations that may read, with their paths, from the document: a GET, and what is
// sent by another method and has no dry run, as every write of a session has.
func documented(t *testing.T) map[string]string {
	t.Helper()
	handler, err := api.New(t.Context(), nil, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string
			Parameters  []taken
		}
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	reads := map[string]string{}
	for path, methods := range document.Paths {
		for method, o := range methods {
			if method == "get" || !slices.Contains(o.Parameters, taken{"dry_run"}) {
				reads[o.OperationID] = path
			}
		}
	}
	if len(reads) < 30 {
		t.Fatalf("the document has %d operations that read", len(reads))
	}
	return reads
}

func TestScaleMeasuresEveryOperationThatReads(t *testing.T) {
	t.Parallel()
	reads := documented(t)
	measured := map[string]bool{}
	for _, r := range ScaleReads() {
		measured[r.Operation] = true
		if _, ok := reads[r.Operation]; !ok {
			t.Errorf("%s is measured but not in the document", r.Operation)
		}
	}
	for id := range reads {
		if why, exempt := ScaleExempt[id]; exempt == measured[id] || exempt && why == "" {
			t.Errorf("%s must be either measured or exempt with a reason", id)
		}
	}
	for id := range ScaleExempt {
		if _, ok := reads[id]; !ok {
			t.Errorf("%s is exempt but not in the document", id)
		}
	}
}

func TestScaleReads(t *testing.T) {
	t.Parallel()
	d := scaleServer(t)
	t.Run("measure every role that may", d.testRoles)
	t.Run("are answered", d.testAnswers)
}

// testRoles fails if a role that is not in the table may call the operation, and sees something.
func (d *scaleDatabase) testRoles(t *testing.T) {
	byOperation := map[string][]ScaleRead{}
	for _, r := range ScaleReads() {
		byOperation[r.Operation] = append(byOperation[r.Operation], r)
	}
	for operation, reads := range byOperation {
		var measured []db.UserRole
		for _, r := range reads {
			for _, viewer := range r.Viewers {
				measured = append(measured, dbRoles[viewer])
			}
		}
		for viewer, role := range dbRoles {
			if slices.Contains(measured, role) || role == db.UserRoleStaff && viewer != scale.StaffOfAll {
				continue
			}
			if ScaleExemptRoles[operation][viewer] != "" {
				continue
			}
			for _, r := range reads {
				if status := d.status(t, r, viewer); status < 400 || status >= 500 {
					t.Errorf("%s by %s is not measured, but %s returns %d", operation, role, r.Path, status)
				}
			}
		}
	}
}

func (d *scaleDatabase) status(t *testing.T, r ScaleRead, viewer scale.Role) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	method, body := http.MethodGet, io.Reader(nil)
	if r.Body != "" {
		method, body = http.MethodPost, strings.NewReader(r.Body)
	}
	request, err := http.NewRequestWithContext(ctx, method, d.url+d.expand(r.Path), body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.tokens[viewer])
	if r.Body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := d.reader.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// testAnswers fails if a line of the table gets an error, or an answer without its rows.
func (d *scaleDatabase) testAnswers(t *testing.T) {
	for _, r := range ScaleReads() {
		for _, viewer := range r.Viewers {
			m := readMeasure(r, viewer)
			load, items, err := m.start(t.Context(), d)
			if err != nil || load.operate == nil {
				t.Errorf("%s: %v", m.name(), err)
				continue
			}
			nothing := viewer == scale.StaffOfNew || viewer == scale.Driver || r.Operation == "list-pickups" ||
				viewer == scale.Admin && strings.HasSuffix(r.Operation, "-patients") ||
				r.Which == "words of many, and of nobody"
			isList := strings.HasPrefix(r.Operation, "list-") || strings.HasPrefix(r.Operation, "search-")
			if isList && items == 0 && !nothing {
				t.Errorf("%s: no items", m.name())
			}
		}
	}
}

func TestScaleJudgesByTheRatioThePagesAndTheAnswers(t *testing.T) {
	t.Parallel()
	figure := func(pages float64, err string) scaleFigure { return scaleFigure{Pages: &pages, Error: err} }
	ratio := func(r float64) *float64 { return &r }
	for want, l := range map[string]scaleLine{
		"[]":             {MostPages: 500, Ratio: ratio(1.5), Sizes: []scaleFigure{figure(10, ""), figure(500, "")}},
		"[ratio]":        {MostPages: 500, Ratio: ratio(1.51), Sizes: []scaleFigure{figure(10, ""), figure(10, "")}},
		"[] ":            {MostPages: 500, Ratio: ratio(9), Sizes: []scaleFigure{figure(10, ""), {Items: 50}}},
		"[pages]":        {MostPages: 500, Ratio: ratio(1), Sizes: []scaleFigure{figure(501, ""), figure(10, "")}},
		"[answer]":       {MostPages: 500, Sizes: []scaleFigure{figure(10, ""), {Error: "504"}}},
		"[answer pages]": {MostPages: 500, Sizes: []scaleFigure{figure(501, ""), {Error: "504"}}},
	} {
		l.judge()
		if got := fmt.Sprint(l.Missed); got != strings.TrimSpace(want) {
			t.Errorf("got %s, not %s", got, want)
		}
		for _, check := range []bool{false, true} {
			b := scaleBench{check: check}
			if failed := b.verdict(&l) != nil; failed != (check && len(l.Missed) > 0) {
				t.Errorf("with --check=%t, %s fails: %t", check, want, failed)
			}
		}
	}
}

// Load on one database in one round does not change the ratio.
func TestScaleComparesTheQuickestRounds(t *testing.T) {
	t.Parallel()
	least := &scaleRun{p50s: []float64{1, 10, 1}}
	if r := ratioOf(least, &scaleRun{p50s: []float64{50, 12, 1.2}}); r == nil || *r < 1.19 || *r > 1.21 {
		t.Errorf("got %v", times(r))
	}
	if r := ratioOf(least, least); r != nil {
		t.Errorf("one database has the ratio %v", times(r))
	}
	if r := ratioOf(least, &scaleRun{p50s: []float64{1}, err: errStatus}); r != nil {
		t.Errorf("a failure has the ratio %v", times(r))
	}
}

func TestReadEventsCountsThoseThatSaySomething(t *testing.T) {
	t.Parallel()
	const text = "retry: 1000\nevent: checkpoint\nid: 3-0\ndata: {}\n\n" +
		"id: 3-1\nevent: submit\ndata: {\"id\":1}\n\n: still here\n"
	if err := readEvents(strings.NewReader(text), 1); err != nil {
		t.Error(err)
	}
	if err := readEvents(strings.NewReader(text), 2); err == nil {
		t.Error("a second event was read")
	}
}
