package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/bcrypt"

	"waybill/api"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// TestMain runs the tests in a time zone that is not UTC: no answer may show it. See validate.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("odd", 5*3600+1800)
	code := dbtest.Run(m, dbtest.LogCheck(noCanary), dbtest.Seed(plantTenants))
	if err := logged.check(); err != nil {
		fmt.Fprintln(os.Stderr, "the servers' log:", err)
		code = max(code, 1)
	}
	if err := checkAnsweredCodes(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	dbtest.Exit(code)
}

// server is the API in process, on a database of the test's own. Every answer is validated against the
// OpenAPI document.
type server struct {
	t     testing.TB
	base  *dbtest.DB
	store *db.System
	api   *api.API
	*tenant
	foreign *tenant // another one, of which nothing may be seen
	planted planted // canaries
	shown   int     // answers with a canary to permitted users
}

// tenant has a user of each role. Staff and hub see the facility, only admin and dispatcher the hidden
// one; the driver user is the login of the driver.
type tenant struct {
	*seed.Standard
	id                                    uuid.UUID
	slug                                  string
	admin, dispatcher, staff, driver, hub *user
	stranger, rival                       *user // staff in no group; another driver
	facility, hidden, group, account      uuid.UUID
	driverID, rivalID                     uuid.UUID
	phone                                 uuid.UUID // of staff
	entry                                 uuid.UUID // of the account
}

type user struct {
	id    uuid.UUID
	role  db.UserRole
	email string
	token string
}

const password = "correct horse"

// raceFactor is how many times fewer requests do where each is like the ones before: the
// race detector makes them ten times as slow, and learns nothing from more.
var raceFactor = map[bool]int{false: 1, true: 4}[dbtest.UnderRace]

var passwordHash = sync.OnceValue(func() string {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(hash)
})

// start starts the test's server; settings change the configuration of the store and the API.
func start(t testing.TB, settings ...func(*db.Config, *api.Options)) *server {
	t.Helper()
	s := startOver(t, dbtest.New(t, checkBooks), settings...)
	s.tenant, s.foreign = seeded[0].copy(), seeded[1].copy()
	return s
}

// startOver starts a server over a database, without a tenant.
func startOver(t testing.TB, base *dbtest.DB, settings ...func(*db.Config, *api.Options)) *server {
	t.Helper()
	// A busy machine may take its time, also for what a test does while it holds a row. The limits are tried in
	// failures_test.go.
	c := db.Config{URL: base.SettledURL(), MaxConns: 12, AcquireTimeout: 5 * time.Second,
		LockTimeout: 30 * time.Second, StatementTimeout: 40 * time.Second}
	log := slog.New(slog.NewMultiHandler(
		slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}),
		slog.NewTextHandler(logged.of(t.Name()), &slog.HandlerOptions{Level: slog.LevelDebug})))
	o := api.Options{Log: log, PasswordCost: bcrypt.MinCost, LoginPause: 1, StreamPoll: 5 * time.Millisecond,
		HandlerTimeout: time.Minute,
		Undeclared: func(operation string, code db.Code) {
			t.Errorf("%s returned %s, which the document does not declare", operation, code)
		}}
	for _, set := range settings {
		set(&c, &o)
	}
	store, err := db.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	if err := store.BeginEventHistory(t.Context()); err != nil { // as serve does
		t.Fatal(err)
	}
	a, err := api.New(t.Context(), store.Store, o)
	if err != nil {
		t.Fatal(err)
	}
	return &server{t: t, base: base, store: store, api: a, planted: planted{}}
}

// seeded are the tenants that each test's database has from its start.
var seeded [2]*tenant

func plantTenants(ctx context.Context, owner *pgxpool.Pool) (err error) {
	for i := range seeded {
		err = errors.Join(err, seed.Make(ctx, owner, uuid.New(), func(r *seed.Rows) { seeded[i] = newTenant(r) }))
	}
	return err
}

// checkBooks verifies the invariants after every test.
func checkBooks(ctx context.Context, owner *pgxpool.Pool) error {
	var broken int
	err := owner.QueryRow(ctx, `
		SELECT
			(SELECT count(*) FROM accounts AS c WHERE balance_cents <> (
				SELECT coalesce(sum(delta_cents), 0) FROM ledger_entries AS e
				WHERE e.tenant_id = c.tenant_id AND e.account_id = c.id))
			+ (SELECT count(*) FROM driver_slots AS s
				FULL JOIN (SELECT * FROM pickups WHERE status = 'ASSIGNED') AS p
					ON p.tenant_id = s.tenant_id AND p.driver_id = s.driver_id
				WHERE s.pickup_id IS DISTINCT FROM p.id)`).Scan(&broken)
	if err == nil && broken > 0 {
		return fmt.Errorf("%d rows of accounts or slots do not add up", broken)
	}
	return err
}

func newTenant(r *seed.Rows) *tenant {
	s := r.Standard(withPassword)
	t := &tenant{Standard: s, id: s.TenantID, slug: s.Slug, facility: s.Facility, hidden: s.Hidden, group: s.Group,
		account: s.Account, phone: s.Phone, entry: s.Deposit}
	t.admin, t.dispatcher, t.hub = loggedIn(r, s.Admin), loggedIn(r, s.Dispatcher), loggedIn(r, s.Hub)
	t.staff, t.stranger = loggedIn(r, s.Staff), loggedIn(r, s.Stranger)
	for u, d := range map[**user]*uuid.UUID{&t.driver: &t.driverID, &t.rival: &t.rivalID} {
		*u = newUser(r, db.UserRoleDriver)
		*d = r.Driver(seed.Login((*u).id), func(p *db.CreateDriverParams) { p.OnDuty = true })
		r.Locate(*d, 37.76, -122.41, time.Now().Add(-time.Hour)) // before what tests tell of them
	}
	return t
}

func withPassword(u *db.CreateUserParams) { u.PasswordHash = passwordHash() }

func newUser(r *seed.Rows, role db.UserRole) *user { return loggedIn(r, r.User(role, withPassword)) }

func loggedIn(r *seed.Rows, u seed.User) *user {
	return &user{u.UserID, u.Role, u.Email, string(r.Session(u))}
}

func (t *tenant) users() []**user {
	return []**user{&t.admin, &t.dispatcher, &t.hub, &t.staff, &t.stranger, &t.driver, &t.rival}
}

// copy is the test's own: it may log its users in and out.
func (t *tenant) copy() *tenant {
	c := *t
	for _, u := range c.users() {
		own := **u
		*u = &own
	}
	return &c
}

func (s *server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// exec runs a statement as the owner of the schema.
func (s *server) exec(sql string, args ...any) {
	s.t.Helper()
	_, err := s.base.Owner().Exec(s.t.Context(), sql, args...)
	s.must(err)
}

func scan[T any](s *server, sql string, args ...any) (v T) {
	s.t.Helper()
	s.must(s.base.Owner().QueryRow(s.t.Context(), sql, args...).Scan(&v))
	return v
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// object is a JSON object.
type object = map[string]any

// with returns o with some members changed; nil removes one.
func with(o object, changes object) object {
	out := object{}
	for _, m := range []object{o, changes} {
		for k, v := range m {
			out[k] = v
			if v == nil {
				delete(out, k)
			}
		}
	}
	return out
}

// answer is one response.
type answer struct {
	t       testing.TB
	request string
	status  int
	header  http.Header
	body    []byte
}

// do sends a request: a string or bytes is sent as it is, nil is no body, anything else is encoded as
// JSON. headers are alternating names and values.
func (s *server) do(as *user, method, path string, body any, headers ...string) *answer {
	s.t.Helper()
	return s.serve(request(s.t, as, method, path, body, headers...))
}

// serve serves a request, and validates the answer against the document.
func (s *server) serve(r *http.Request) *answer {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	a := &answer{s.t, r.Method + " " + r.URL.String(), w.Code, w.Header(), w.Body.Bytes()}
	if err := theDocument().check(r, a); err != nil {
		s.t.Errorf("%s: the answer violates the document: %v\n%s", a.request, err, a)
	}
	return a
}

func request(t testing.TB, as *user, method, path string, body any, headers ...string) *http.Request {
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	case []byte:
		raw = b
	default:
		var err error
		if raw, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(raw))
	if raw != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if as != nil {
		r.Header.Set("Authorization", "Bearer "+as.token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (a *answer) String() string {
	return fmt.Sprintf("%d %s %.600s", a.status, a.header.Get("Content-Type"), a.body)
}

// want ends the test unless the answer has the status.
func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: got %s, want status %d", a.request, a, status)
	}
	return a
}

// refused ends the test unless the answer is the problem.
func (a *answer) refused(status int, code string, field ...string) *answer {
	a.t.Helper()
	a.want(status)
	o := a.object()
	if o["code"] != code || len(field) > 0 && a.str("field") != field[0] {
		a.t.Fatalf("%s: got %s, want code %s %v", a.request, a, code, field)
	}
	return a
}

func (a *answer) object() object {
	a.t.Helper()
	var o object
	if err := json.Unmarshal(a.body, &o); err != nil {
		a.t.Fatalf("%s: %v: %s", a.request, err, a)
	}
	return o
}

// str is a member of the body, as text.
func (a *answer) str(name string) string {
	a.t.Helper()
	switch v := a.object()[name].(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

func (a *answer) items() []object {
	a.t.Helper()
	var page struct{ Items []object }
	if err := json.Unmarshal(a.body, &page); err != nil {
		a.t.Fatalf("%s: %v", a.request, err)
	}
	return page.Items
}

func (a *answer) ids() []string {
	a.t.Helper()
	out := []string{}
	for _, i := range a.items() {
		out = append(out, fmt.Sprint(i["id"]))
	}
	return out
}

func (a *answer) etag() string { return a.header.Get("ETag") }

// replayed fails the test unless the answer is 200 and marked as a replay.
func (a *answer) replayed() *answer {
	a.t.Helper()
	a.want(200)
	if a.header.Get("Idempotency-Replayed") != "true" {
		a.t.Fatalf("%s: no Idempotency-Replayed: %s", a.request, a)
	}
	return a
}

// fresh fails the test if the answer is marked as a replay.
func (a *answer) fresh(status int) *answer {
	a.t.Helper()
	a.want(status)
	if a.header.Get("Idempotency-Replayed") != "" {
		a.t.Fatalf("%s: marked as a replay: %s", a.request, a)
	}
	return a
}

// newPickup is the body of a create.
func (t *tenant) newPickup() object {
	return object{
		"facility_id": t.facility, "account_id": t.account, "price_cents": 3000,
		"pickup_address": "1 Main St", "dropoff_address": "2 Lab Way",
	}
}

// pickup creates a draft as staff and returns its path.
func (s *server) pickup() string {
	s.t.Helper()
	return s.do(s.staff, "POST", "/v1/pickups", s.newPickup()).want(201).header.Get("Location")
}

// make makes rows of a tenant. It does not go through HTTP.
func (s *server) make(t *tenant, fill func(*seed.Rows)) {
	s.t.Helper()
	s.must(seed.Make(s.t.Context(), s.base.Owner(), t.id, fill))
}

// pickupIn makes a pickup of the facility in a status, with a new driver of its own
// unless one is named.
func (s *server) pickupIn(t *tenant, status db.PickupStatus, facility, driver uuid.UUID) (id uuid.UUID) {
	s.t.Helper()
	p := t.Pickup(seed.In(status))
	p.By, p.FacilityID, p.Driver = p.Dispatcher, facility, driver // sees the facility in any case
	s.free(t, driver)
	s.make(t, func(r *seed.Rows) { id = r.Pickup(p) })
	return id
}

// free releases the driver from a pickup of an earlier pickupIn.
func (s *server) free(t *tenant, driver uuid.UUID) {
	for _, id := range s.assignedTo(t, driver) {
		_, _, err := s.store.MoveOne(s.t.Context(), t.Dispatcher.Viewer,
			db.Transition{Name: db.TransitionNameRelease, PickupID: id, Digest: []byte("x")})
		s.must(err)
	}
}

func (s *server) assignedTo(t *tenant, driver uuid.UUID) []uuid.UUID {
	rows, err := s.base.Owner().Query(s.t.Context(),
		"SELECT id FROM pickups WHERE tenant_id = $1 AND driver_id = $2 AND status = 'ASSIGNED'", t.id, driver)
	s.must(err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	s.must(err)
	return ids
}

func (s *server) newDriver(t *tenant) (id uuid.UUID) {
	s.t.Helper()
	s.make(t, func(r *seed.Rows) { id = r.Driver() })
	return id
}

// newUser makes a user with a session.
func (s *server) newUser(t *tenant, role db.UserRole) (u *user) {
	s.t.Helper()
	s.make(t, func(r *seed.Rows) { u = newUser(r, role) })
	return u
}

// atOnce calls f n times concurrently, and returns the results.
func atOnce[T any](n int, f func(i int) T) []T {
	out := make([]T, n)
	begin := make(chan struct{})
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			<-begin
			out[i] = f(i)
		})
	}
	close(begin)
	done.Wait()
	return out
}

// tally counts the answers by status and replay.
func tally(answers []*answer) map[string]int {
	out := map[string]int{}
	for _, a := range answers {
		key := fmt.Sprint(a.status)
		if a.header.Get("Idempotency-Replayed") == "true" {
			key += " replayed"
		}
		out[key]++
	}
	return out
}
