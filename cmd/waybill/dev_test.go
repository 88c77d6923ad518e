package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
)

// developing is a "waybill dev" that is ready.
type developing struct {
	*program
	ready
}

// startDev starts dev with its data in the folder.
func startDev(t testing.TB, data string, env []string, args ...string) *developing {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ready.json")
	// The file of an earlier run, which must not be mistaken for this run's.
	if err := os.WriteFile(file, []byte(`{"url": "http://192.0.2.1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return startDevBy(t, nil, data, file, env, args...)
}

// startDevBy has it started by another program.
func startDevBy(t testing.TB, by []string, data, file string, env []string, args ...string) *developing {
	t.Helper()
	args = append([]string{os.Args[0], "dev", "--addr", "127.0.0.1:0", "--data", data, "--ready-file",
		file, "--bcrypt-cost", "4", "--log-level", "warn"}, args...)
	args = append(by, args...)
	d := &developing{program: launch(t, exec.Command(args[0], args[1:]...), nil, env)}
	eventually(t, "dev is ready", func() bool {
		select {
		case <-d.done:
			t.Fatalf("dev ended: %s", d.errors.String())
		default:
		}
		text, err := os.ReadFile(file)
		if err != nil || strings.Contains(string(text), "192.0.2.1") {
			return false
		}
		// Whenever it is there, it is whole.
		if err := json.Unmarshal(text, &d.ready); err != nil {
			t.Fatalf("the ready file is incomplete: %s", text)
		}
		return true
	})
	return d
}

// folder returns a folder that PostgreSQL's user can access, even if the tests run as root.
func folder(t testing.TB) string {
	t.Helper()
	path, err := os.MkdirTemp("", "waybill-dev-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(path, "data")
}

// answers reports whether the database answers.
func (d *developing) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.DatabaseURL)
	if err != nil {
		return false
	}
	defer conn.Close(ctx)
	return conn.Ping(ctx) == nil
}

func (d *developing) token(role db.UserRole) string {
	for _, u := range d.Users {
		if u.Role == role {
			return string(u.Token)
		}
	}
	return ""
}

// Two instances run side by side, each killed or stopped in some way, without leaving a database behind
// or losing data.
func TestDevKeepsDataAndLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "processes and their stored data")
	var both sync.WaitGroup
	one, other := folder(t), folder(t)
	var a, b *developing
	both.Go(func() { a = startDev(t, one, nil) })
	both.Go(func() { b = startDev(t, other, nil) })
	both.Wait()
	if a == nil || b == nil {
		t.FailNow()
	}
	wantOrigins(t, a.URL, map[string]bool{"http://localhost:5173": true, "http://127.0.0.1:8000": true,
		"https://app.example": false, "http://localhost.example:5173": false, "null": false})
	if a.URL == b.URL || a.DatabaseURL == b.DatabaseURL || a.AdminURL == b.AdminURL {
		t.Errorf("two servers share a port: %s %s", a.URL, b.URL)
	}
	code, _, complaint := ended(t, "", nil, "dev", "--addr", "127.0.0.1:0", "--data", one)
	if code != 1 {
		t.Errorf("a second server on the same data: exit code %d", code)
	}
	has(t, complaint, one, "in use")

	body := `{"id":"0190a0a0-0000-7000-8000-000000000001","name":"Kept","currency":"USD"}`
	if status, answer := text(t, "POST", a.URL+"/v1/accounts", a.token(db.UserRoleAdmin), body); status != 201 {
		t.Fatalf("create: %d %s", status, answer)
	}
	for _, way := range []func(*developing){
		func(d *developing) { d.kill() },
		func(d *developing) { d.stop(syscall.SIGINT) },
	} {
		way(a)
		eventually(t, "the database ends too", func() bool { return !a.answers() })
		before := a
		a = startDev(t, one, nil)
		if status, _ := text(t, "POST", a.URL+"/v1/accounts", a.token(db.UserRoleAdmin), body); status != 200 {
			t.Errorf("a repeated create: %d", status)
		}
		// So does an earlier session.
		if status, _ := text(t, "GET", a.URL+"/v1/session", before.token(db.UserRoleHub), ""); status != 200 {
			t.Errorf("a session from before the restart: %d", status)
		}
	}
	if !b.answers() {
		t.Error("the other server's database is gone")
	}
	b.stop(syscall.SIGTERM)
	if b.answers() {
		t.Error("dev ended before its database")
	}

	a.reportsDatabaseStopped(t, filepath.Join(one, "data"))
}

// reportsDatabaseStopped stops the database behind dev's back, which dev reports before it ends.
func (d *developing) reportsDatabaseStopped(t *testing.T, data string) {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var postmaster int
	if err := json.Unmarshal([]byte(strings.SplitN(string(pid), "\n", 2)[0]), &postmaster); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(postmaster, syscall.SIGINT)
	if code := d.wait(); code != 1 {
		t.Errorf("exit code %d after its database ended", code)
	}
	has(t, d.errors.String(), "the database has stopped")
}

// "go run" passes no signal on when it is killed: dev notices that it is gone.
func TestDevEndsWithTheGoRunThatStartedIt(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/comm"); err != nil {
		t.Skip("needs /proc")
	}
	d := dbtest.New(t)
	dir := t.TempDir()
	gorun := filepath.Join(dir, "go")
	if err := os.WriteFile(gorun, []byte("#!/bin/sh\n\"$@\" &\nwait\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	dev := startDevBy(t, []string{gorun}, dir, filepath.Join(dir, "ready.json"), []string{"DATABASE_URL=" + d.OwnerURL})
	dev.cmd.Process.Kill()
	eventually(t, "no server listens", func() bool {
		response, err := http.Get(dev.URL + "/livez")
		if err == nil {
			response.Body.Close()
		}
		return err != nil
	})
}

// "go run" keeps an interrupt to itself, since a terminal sends it to both, and leaves no
// trace of it: a script ends dev by the number that dev prints.
func TestDevPrintsTheNumberToKill(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	dir := t.TempDir()
	gorun := filepath.Join(dir, "go")
	if err := os.WriteFile(gorun, []byte("#!/bin/sh\ntrap : INT\n\"$@\" &\nwait\nwait\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	dev := startDevBy(t, []string{gorun}, dir, filepath.Join(dir, "ready.json"), []string{"DATABASE_URL=" + d.OwnerURL})
	var number string
	eventually(t, "the number is printed", func() (printed bool) { // a pipe may lag behind the ready file
		_, after, _ := strings.Cut(dev.out.String(), "or from another terminal: kill ")
		number, _, printed = strings.Cut(after, ";")
		return printed
	})
	pid, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("no number in: %s", dev.out.String())
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := dev.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestDevUsesTheDatabaseOfTheEnvironment(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	data := filepath.Join(t.TempDir(), "unused")
	dev := startDev(t, data, []string{"DATABASE_URL=" + d.OwnerURL})
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a data folder was created: %v", err)
	}
	if dev.DatabaseURL != d.OwnerURL {
		t.Errorf("database_url: %s", dev.DatabaseURL)
	}
	dev.hasDemo(t)
	dev.announces(t, withoutPassword(d.OwnerURL, false))
	dev.stop(syscall.SIGTERM)
	if err := d.Owner().Ping(t.Context()); err != nil {
		t.Errorf("the database: %v", err)
	}
	// Loading the demo again finds it, and completes it.
	if _, err := d.Owner().Exec(t.Context(), `DELETE FROM phone_numbers`); err != nil {
		t.Fatal(err)
	}
	startDev(t, data, []string{"DATABASE_URL=" + d.OwnerURL}).hasDemo(t)
}

// A second start on the same day finds the pickups as they have become.
func TestDevLoadsADaysPickups(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "processes and their stored data")
	env := []string{"DATABASE_URL=" + dbtest.New(t).OwnerURL}
	const dispatcher = db.UserRoleDispatcher
	today := func() string { return time.Now().UTC().Format(time.DateOnly) }
	day := today()
	for start := range 2 {
		dev := startDev(t, t.TempDir(), env, "--pickups")
		byStatus := func(status db.PickupStatus) int {
			return dev.count(t, dispatcher, "/v1/pickups?status="+string(status))
		}
		for _, status := range db.AllPickupStatusValues() {
			switch n := byStatus(status); {
			case status == db.PickupStatusDRAFT, start == 0 && status == db.PickupStatusCANCELED:
				if n != 0 {
					t.Errorf("start %d: %d pickups are %s", start, n, status)
				}
			case n == 0:
				t.Errorf("start %d: no pickup is %s", start, status)
			}
		}
		if all := dev.count(t, dispatcher, "/v1/pickups"); all != len(demoPlaces) && day == today() {
			t.Errorf("start %d: %d pickups instead of %d", start, all, len(demoPlaces))
		}
		// The next start meets a step that somebody has made impossible.
		var waiting struct{ Items []struct{ ID string } }
		dev.read(t, dispatcher, "/v1/pickups?status=SUBMITTED", &waiting)
		path := dev.URL + "/v1/pickups/" + waiting.Items[0].ID + "/cancel"
		if status, answer := text(t, "POST", path, dev.token(dispatcher), `{}`); status != 200 {
			t.Fatalf("cancel: %d %s", status, answer)
		}
		dev.stop(syscall.SIGTERM)
	}
}

// The tenant may change the demo users: whatever happened to them, the next start offers one of each
// role who can log in.
func TestDevStartsAgainAfterItsUsersWereChanged(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "processes and their stored data")
	d := dbtest.New(t)
	env := []string{"DATABASE_URL=" + d.OwnerURL}
	dev := startDev(t, t.TempDir(), env)
	do := func(want int, role db.UserRole, method, path, body string, headers ...string) {
		t.Helper()
		if status, answer := text(t, method, dev.URL+path, dev.token(role), body, headers...); status != want {
			t.Fatalf("%s %s: %d %s", method, path, status, answer)
		}
	}
	user := func(name string) string { return "/v1/users/" + demoID("user "+name).String() }
	const admin = db.UserRoleAdmin
	// Somebody has the address of the hub user's successor, and the dispatcher's number.
	do(201, admin, "POST", "/v1/users",
		`{"id":"0190a0a0-0000-7000-8000-000000000001","email":"HUB2@demo.example",`+
			`"name":"H","password":"something else","role":"hub"}`)
	do(204, admin, "DELETE", user("dispatcher")+"/phone-numbers/"+demoID("phone dispatcher").String(), "")
	do(201, admin, "POST", "/v1/users/0190a0a0-0000-7000-8000-000000000001/phone-numbers", `{"number":"+14155550101"}`)
	do(200, admin, "POST", user("hub")+"/deactivate", "")
	do(200, admin, "PATCH", user("dispatcher"), `{"role":"staff"}`, "If-Match", `"1"`)
	do(200, admin, "PATCH", user("staff"), `{"email":"other@demo.example"}`, "If-Match", `"1"`)
	do(200, db.UserRoleDriver, "PUT", user("driver")+"/password",
		`{"current_password":"waybill-demo","new_password":"something else"}`)
	do(201, admin, "POST", "/v1/users",
		`{"email":"second@demo.example","name":"S","password":"something else","role":"admin"}`)
	do(200, admin, "PATCH", user("admin"), `{"role":"hub"}`, "If-Match", `"1"`)
	dev.stop(syscall.SIGTERM)

	want := map[db.UserRole]string{"admin": "admin2@", "dispatcher": "dispatcher2@",
		"staff": "other@", "driver": "driver2@", "hub": "hub3@"}
	for range 2 { // the second start finds the rows of the first
		dev = startDev(t, t.TempDir(), env)
		dev.hasDemo(t)
		for _, u := range dev.Users {
			if u.Email != want[u.Role]+"demo.example" {
				t.Errorf("%s: %s", u.Role, u.Email)
			}
		}
		dev.stop(syscall.SIGTERM)
	}

	// A taken number does not prevent the start.
	if _, err := d.Owner().Exec(t.Context(), `UPDATE phone_numbers SET id = gen_random_uuid(), user_id = $1`,
		demoID("user hub")); err != nil {
		t.Fatal(err)
	}
	startDev(t, t.TempDir(), env).stop(syscall.SIGTERM)
}

// announces checks the output of dev.
func (d *developing) announces(t *testing.T, database string) {
	t.Helper()
	eventually(t, "dev has said all", func() bool { return strings.Contains(d.out.String(), "Ctrl-C") })
	has(t, d.out.String(), d.URL+"/docs", d.URL+"/openapi.json", d.AdminURL+"/metrics",
		database, demoPassword, "admin@demo.example")
	for _, path := range []string{d.URL + "/docs", d.URL + "/openapi.json",
		d.AdminURL + "/metrics", d.URL + "/readyz"} {
		if status, _ := text(t, "GET", path, "", ""); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// hasDemo checks the demo tenant as its users see it.
func (d *developing) hasDemo(t *testing.T) {
	t.Helper()
	if d.URL == "" || d.AdminURL == "" || d.DatabaseURL == "" || d.Tenant != demoSlug ||
		len(d.Users) != len(db.AllUserRoleValues()) {
		t.Errorf("the ready file is not complete: %+v", d.ready)
	}
	ids := map[db.UserRole]string{}
	for _, u := range d.Users {
		var session struct {
			User     struct{ ID, Email, Role string }
			TenantID string `json:"tenant_id"`
			DriverID string `json:"driver_id"`
		}
		d.read(t, u.Role, "/v1/session", &session)
		if session.User.Role != string(u.Role) || session.User.Email != u.Email ||
			session.TenantID != d.TenantID.String() {
			t.Errorf("the session of %s: %+v", u.Role, session)
		}
		if (session.DriverID != "") != (u.Role == db.UserRoleDriver) {
			t.Errorf("the driver of %s: %q", u.Role, session.DriverID)
		}
		ids[u.Role] = session.User.ID
		d.login(t, u.Role)
	}
	for _, role := range []db.UserRole{db.UserRoleStaff, db.UserRoleDispatcher, db.UserRoleHub} {
		if n := d.count(t, db.UserRoleAdmin, "/v1/users/"+ids[role]+"/phone-numbers"); n == 0 {
			t.Errorf("%s has no phone number", role)
		}
		if n := d.count(t, role, "/v1/facilities"); n == 0 {
			t.Errorf("%s sees no facility", role)
		}
	}
	if one, two := d.count(t, db.UserRoleStaff, "/v1/facilities"), d.count(t,
		db.UserRoleAdmin, "/v1/facilities"); one != 1 || two != 2 {
		t.Errorf("staff see %d clinics, the admin %d", one, two)
	}
	d.hasTwoClinics(t)
	var accounts struct {
		Items []struct {
			BalanceCents int64 `json:"balance_cents"`
		}
	}
	d.read(t, db.UserRoleStaff, "/v1/accounts", &accounts)
	if len(accounts.Items) == 0 || accounts.Items[0].BalanceCents <= 0 {
		t.Errorf("accounts: %+v", accounts)
	}
	d.hasDrivers(t)
}

// hasDrivers checks that the demo's drivers are on duty somewhere, and that a driver sees only themselves.
func (d *developing) hasDrivers(t *testing.T) {
	t.Helper()
	var drivers struct {
		Items []struct {
			Latitude, Longitude *float64
			OnDuty              bool `json:"on_duty"`
		}
	}
	d.read(t, db.UserRoleDispatcher, "/v1/drivers", &drivers)
	for _, driver := range drivers.Items {
		if driver.Latitude == nil || driver.Longitude == nil || !driver.OnDuty {
			t.Errorf("a driver without a location, or off duty: %+v", driver)
		}
	}
	if len(drivers.Items) < 2 || d.count(t, db.UserRoleDriver, "/v1/drivers") != 1 {
		t.Errorf("drivers: %+v", drivers)
	}
}

// hasTwoClinics checks both clinics as a staff user, who sees all of one, and nothing of the other.
func (d *developing) hasTwoClinics(t *testing.T) {
	t.Helper()
	staff, dispatcher := d.login(t, db.UserRoleStaff), d.login(t, db.UserRoleDispatcher)
	get := func(token, path string) (status int, ids []string) {
		status, body := text(t, "GET", d.URL+path, token, "")
		var page struct{ Items []struct{ ID string } }
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Errorf("%s: %s", path, body)
		}
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		slices.Sort(ids)
		return status, ids
	}
	own, other := demoID("facility").String(), demoID("facility Castro").String()
	const day = "2006-01-02T00:00:00Z"
	today := time.Now().UTC()
	patients := "/v1/patients?limit=200&facility_id="
	appointments := "/v1/appointments?limit=200&from=" + today.Format(day) + "&to=" +
		today.AddDate(0, 0, 31).Format(day) + "&facility_id="
	for _, path := range []string{patients, appointments} {
		_, here := get(dispatcher, path+own)
		_, there := get(dispatcher, path+other)
		if len(here) == 0 || len(there) == 0 || slices.Equal(here, there) {
			t.Errorf("%s: one clinic has %v, the other %v", path, here, there)
		}
		if _, ids := get(staff, path+own); !slices.Equal(ids, here) {
			t.Errorf("%s: staff see %v of their clinic's %v", path, ids, here)
		}
		if _, ids := get(staff, path+other); len(ids) > 0 {
			t.Errorf("%s: staff see %v of the other clinic", path, ids)
		}
	}
	_, theirs := get(staff, patients+own)
	if _, all := get(staff, "/v1/patients?limit=200"); !slices.Equal(all, theirs) {
		t.Errorf("staff see the patients %v, their clinic has %v", all, theirs)
	}
	_, there := get(dispatcher, patients+other)
	for _, path := range []string{appointments + other, "/v1/facilities/" + other, "/v1/patients/" + there[0]} {
		if status, _ := get(staff, path); status != 404 {
			t.Errorf("%s by staff: %d", path, status)
		}
		if status, _ := get(dispatcher, path); status != 200 {
			t.Errorf("%s by the dispatcher: %d", path, status)
		}
	}
}

// login opens a session of the demo user of the role.
func (d *developing) login(t *testing.T, role db.UserRole) (token string) {
	t.Helper()
	for _, u := range d.Users {
		if u.Role != role {
			continue
		}
		login, _ := json.Marshal(map[string]string{"tenant": d.Tenant, "email": u.Email, "password": u.Password})
		status, body := text(t, "POST", d.URL+"/v1/sessions", "", string(login))
		var session struct{ Token string }
		if err := json.Unmarshal([]byte(body), &session); status != 201 || err != nil {
			t.Errorf("login as %s: %d %s", role, status, body)
		}
		return session.Token
	}
	return ""
}

func (d *developing) read(t *testing.T, role db.UserRole, path string, into any) {
	t.Helper()
	status, body := text(t, "GET", d.URL+path, d.token(role), "")
	if err := json.Unmarshal([]byte(body), into); status != 200 || err != nil {
		t.Errorf("%s as %s: %d %s", path, role, status, body)
	}
}

func (d *developing) count(t *testing.T, role db.UserRole, path string) int {
	t.Helper()
	var page struct{ Items []json.RawMessage }
	d.read(t, role, path, &page)
	return len(page.Items)
}
