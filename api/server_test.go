package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
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
)

// TestMain runs the tests in a time zone that is not UTC: no answer may show it. See validate.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("odd", 5*3600+1800)
	code := dbtest.Run(m, dbtest.LogCheck(noCanary), dbtest.Seed(plantTenants))
	if err := logged.check(); err != nil {
		fmt.Fprintln(os.Stderr, "the servers' log:", err)
		code = max(code, 1)
	}
	dbtest.Exit(code)
}

// server is the API in process, over a database of the test's own. Every answer is
// held against the OpenAPI document.
type server struct {
	t     testing.TB
	base  *dbtest.DB
	store *db.Store
	api   *api.API
	*tenant
	foreign *tenant // another one, of which nothing may be seen
	planted planted // canaries
	shown   int     // answers that held one, of those who may see it
}

// tenant has a user of each role. Staff and hub see the facility, nobody but admin
// and dispatcher the hidden one; the driver user is the login of the driver.
type tenant struct {
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

// start gives the test its server; settings change how the store and the API are opened.
func start(t testing.TB, settings ...func(*db.Config, *api.Options)) *server {
	t.Helper()
	base := dbtest.New(t, checkBooks)
	// A busy machine may take its time to connect: that is tried in failures_test.go.
	c := db.Config{URL: base.SettledURL(), MaxConns: 12, AcquireTimeout: 5 * time.Second}
	log := slog.New(slog.NewMultiHandler(
		slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}),
		slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	o := api.Options{Log: log, PasswordCost: bcrypt.MinCost, LoginPause: 1, StreamPoll: 5 * time.Millisecond,
		Undeclared: func(operation string, code db.Code) {
			t.Errorf("%s answered %s, which the document does not declare", operation, code)
		}}
	for _, set := range settings {
		set(&c, &o)
	}
	store, err := db.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	a, err := api.New(t.Context(), store, o)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, base: base, store: store, api: a, planted: planted{}}
	s.tenant, s.foreign = seeded[0].copy(), seeded[1].copy()
	return s
}

// seeded are the tenants that each test's database has from its start.
var seeded = [2]*tenant{newTenant(), newTenant()}

func plantTenants(ctx context.Context, owner *pgxpool.Pool) error {
	var b pgx.Batch
	for _, t := range seeded {
		t.plant(&b)
	}
	return owner.SendBatch(ctx, &b).Close()
}

// checkBooks looks, after every test, for what must never be.
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

func newTenant() *tenant {
	t := &tenant{id: newID(), facility: newID(), hidden: newID(), group: newID(), account: newID(),
		driverID: newID(), rivalID: newID(), phone: newID(), entry: newID()}
	t.slug = "t" + strings.ReplaceAll(t.id.String(), "-", "")
	t.admin, t.dispatcher, t.hub = t.newUser(db.UserRoleAdmin), t.newUser(
		db.UserRoleDispatcher), t.newUser(db.UserRoleHub)
	t.staff, t.stranger = t.newUser(db.UserRoleStaff), t.newUser(db.UserRoleStaff)
	t.driver, t.rival = t.newUser(db.UserRoleDriver), t.newUser(db.UserRoleDriver)
	return t
}

func (t *tenant) newUser(role db.UserRole) *user {
	id := newID()
	return &user{id, role, id.String() + "@example.com", string(db.NewToken(t.id))}
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

// plant makes the tenant, with a session for each user.
func (t *tenant) plant(b *pgx.Batch) {
	b.Queue("INSERT INTO tenants (id, slug, name) VALUES ($1, $2, 'Tenant')", t.id, t.slug)
	b.Queue("INSERT INTO flags (tenant_id, name, enabled) VALUES ($1, 'pickup_texts', true), ($1, "+
		"'auto_dispatch', false)", t.id)
	for _, u := range t.users() {
		t.plantUser(b, *u)
	}
	for _, id := range []uuid.UUID{t.facility, t.hidden} {
		b.Queue(`INSERT INTO facilities (tenant_id, id, name, address, latitude, longitude, request_digest)
			VALUES ($1, $2, 'Clinic', '1 Main St', 37.77, -122.42, '\x00')`, t.id, id)
	}
	b.Queue(`INSERT INTO groups (tenant_id, id, name, request_digest) VALUES ($1, $2, 'Group', '\x00')`, t.id, t.group)
	b.Queue("INSERT INTO group_members (tenant_id, group_id, user_id) VALUES ($1, $2, $3), ($1, $2, $4)",
		t.id, t.group, t.staff.id, t.hub.id)
	b.Queue("INSERT INTO group_facilities (tenant_id, group_id, facility_id) VALUES ($1, $2, $3)",
		t.id, t.group, t.facility)
	b.Queue(`INSERT INTO accounts (tenant_id, id, name, currency, balance_cents, request_digest)
    VALUES ($1, $2, 'Account', 'USD', 1000000, '\x00')`, t.id, t.account)
	b.Queue(`INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, actor_id, request_digest)
		VALUES ($1, $2, $3, 'deposit', 1000000, $4, '\x00')`, t.id, t.entry, t.account, t.admin.id)
	for _, d := range []struct{ id, user uuid.UUID }{{t.driverID, t.driver.id}, {t.rivalID, t.rival.id}} {
		b.Queue(`INSERT INTO drivers (tenant_id, id, user_id, name, on_duty, latitude, longitude, located_at,
    request_digest)
			VALUES ($1, $2, $3, 'Driver', true, 37.76, -122.41, now() - interval '1 hour', '\x00')`, t.id, d.id, d.user)
	}
	b.Queue(`INSERT INTO phone_numbers (tenant_id, id, user_id, number, request_digest)
		VALUES ($1, $2, $3, '+14155550100', '\x00')`, t.id, t.phone, t.staff.id)
}

func (t *tenant) plantUser(b *pgx.Batch, u *user) {
	b.Queue(`INSERT INTO users (tenant_id, id, email, name, role, password_hash, request_digest)
		VALUES ($1, $2, $3, 'User', $4, $5, '\x00')`, t.id, u.id, u.email, u.role, passwordHash())
	raw, err := base64.RawURLEncoding.DecodeString(u.token)
	if err != nil {
		panic(err)
	}
	hash := sha256.Sum256(raw)
	b.Queue(`INSERT INTO sessions (tenant_id, token_hash, user_id, password_epoch, expires_at)
		VALUES ($1, $2, $3, 1, now() + interval '1 day')`, t.id, hash[:], u.id)
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

// with is o with some members changed; nil takes one away.
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

// do sends a request: a body that is a string or bytes goes as it is, nil is none,
// anything else is JSON. headers are names and values in turn.
func (s *server) do(as *user, method, path string, body any, headers ...string) *answer {
	s.t.Helper()
	return s.serve(request(s.t, as, method, path, body, headers...))
}

// serve answers a request, and holds the answer against the document.
func (s *server) serve(r *http.Request) *answer {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	a := &answer{s.t, r.Method + " " + r.URL.String(), w.Code, w.Header(), w.Body.Bytes()}
	if err := theDocument().check(r, a); err != nil {
		s.t.Errorf("%s: not as the document says: %v\n%s", a.request, err, a)
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

// want ends the test unless the status is this one.
func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: got %s, want status %d", a.request, a, status)
	}
	return a
}

// refused ends the test unless the answer is this one problem.
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

// replayed ends the test unless the answer is 200 and says that it is a repeat's.
func (a *answer) replayed() *answer {
	a.t.Helper()
	a.want(200)
	if a.header.Get("Idempotency-Replayed") != "true" {
		a.t.Fatalf("%s: no Idempotency-Replayed: %s", a.request, a)
	}
	return a
}

// fresh ends the test unless the answer says nothing of a repeat.
func (a *answer) fresh(status int) *answer {
	a.t.Helper()
	a.want(status)
	if a.header.Get("Idempotency-Replayed") != "" {
		a.t.Fatalf("%s: said to be a repeat: %s", a.request, a)
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

// pickup makes a draft by staff and gives its path.
func (s *server) pickup() string {
	s.t.Helper()
	return s.do(s.staff, "POST", "/v1/pickups", s.newPickup()).want(201).header.Get("Location")
}

// road is how a pickup gets to each status.
var road = []struct {
	reached    db.PickupStatus
	transition db.TransitionName
}{
	{db.PickupStatusDRAFT, db.TransitionNameSubmit},
	{db.PickupStatusSUBMITTED, db.TransitionNameAssign},
	{db.PickupStatusASSIGNED, db.TransitionNameCollect},
	{db.PickupStatusCOLLECTED, db.TransitionNameReceive},
	{db.PickupStatusRECEIVED, db.TransitionNamePack},
	{db.PickupStatusPACKED, db.TransitionNameShip},
	{db.PickupStatusSHIPPED, db.TransitionNameDeliver},
	{db.PickupStatusDELIVERED, ""},
}

// pickupIn makes a pickup of the facility in a status, with a new driver of its own
// unless one is named. It does not go through HTTP.
func (s *server) pickupIn(t *tenant, status db.PickupStatus, facility, driver uuid.UUID) uuid.UUID {
	s.t.Helper()
	ctx := s.t.Context()
	as := func(u *user) db.Viewer { return db.SystemViewer(t.id, u.id, u.role) }
	id := newID()
	_, _, err := s.store.CreateDrafts(ctx, as(t.dispatcher), []db.Draft{{
		ID: id, FacilityID: facility, AccountID: t.account, PriceCents: 100, PickupAddress: "1 Main St",
		DropoffAddress: "2 Lab Way", Digest: []byte("x"),
	}})
	s.must(err)
	move := func(u *user, name db.TransitionName) {
		_, _, err := s.store.MoveOne(ctx, as(u),
			db.Transition{Name: name, PickupID: id, DriverID: driver, Digest: []byte("x")})
		s.must(err)
	}
	if status == db.PickupStatusCANCELED {
		move(t.dispatcher, db.TransitionNameCancel)
		return id
	}
	for _, step := range road {
		if step.reached == status {
			break
		}
		switch step.transition {
		case db.TransitionNameAssign:
			if driver == uuid.Nil {
				driver = s.newDriver(t)
			} else { // free the driver of what an earlier call left with them
				for _, busy := range s.assignedTo(t, driver) {
					_, _, err := s.store.MoveOne(ctx, as(t.dispatcher),
						db.Transition{Name: db.TransitionNameRelease, PickupID: busy, Digest: []byte("x")})
					s.must(err)
				}
			}
			move(t.dispatcher, step.transition)
		case db.TransitionNameSubmit, db.TransitionNameCollect:
			move(t.dispatcher, step.transition)
		default:
			move(t.hub, step.transition)
		}
	}
	return id
}

func (s *server) assignedTo(t *tenant, driver uuid.UUID) []uuid.UUID {
	rows, err := s.base.Owner().Query(s.t.Context(),
		"SELECT id FROM pickups WHERE tenant_id = $1 AND driver_id = $2 AND status = 'ASSIGNED'", t.id, driver)
	s.must(err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	s.must(err)
	return ids
}

func (s *server) newDriver(t *tenant) uuid.UUID {
	s.t.Helper()
	id := newID()
	_, err := s.store.CreateDriver(s.t.Context(),
		db.CreateDriverParams{TenantID: t.id, ID: id, Name: "Driver", RequestDigest: []byte("x")})
	s.must(err)
	return id
}

// newUser makes a user with a session.
func (s *server) newUser(t *tenant, role db.UserRole) *user {
	s.t.Helper()
	var b pgx.Batch
	u := t.newUser(role)
	t.plantUser(&b, u)
	s.must(s.base.Owner().SendBatch(s.t.Context(), &b).Close())
	return u
}

// atOnce calls f n times at the same time, and gives what each returned.
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
