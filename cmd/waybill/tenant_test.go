package main

import (
	"encoding/json"
	"strings"
	"testing"

	"waybill/cmd/waybill/texts/fakegateway"
	"waybill/db/dbtest"
)

// wrongTenants are refused, with what the message contains.
var wrongTenants = map[string]struct{ slug, email, password, says string }{
	"the slug is taken": {"acme", "bob@acme.example", "correct horse",
		"the slug is taken by another tenant"},
	"no password":             {"other", "bob@acme.example", "", "must not be blank"},
	"a password too short":    {"other", "bob@acme.example", "short\n", "at least 8 characters"},
	"a password too long":     {"other", "bob@acme.example", strings.Repeat("long", 19), "at most 72 bytes"},
	"one of the commonest":    {"other", "bob@acme.example", "Password1\n", "too common"},
	"an address that is none": {"other", "bob", "correct horse", "the email address is invalid"},
	"a slug that is none": {"Not A Slug", "bob@acme.example", "correct horse",
		"--slug may contain only lower-case letters"},
	"no slug": {"", "bob@acme.example", "correct horse", "tenant needs --slug"},
}

// tenantRefuses runs tenant with wrong settings and with databases that it cannot use.
func tenantRefuses(t *testing.T, d *dbtest.DB) {
	t.Helper()
	if code, _, errors := ended(t, "correct horse", nil, "tenant", "--bcrypt-cost", "31"); code != 1 ||
		!strings.Contains(errors, "--bcrypt-cost (WAYBILL_BCRYPT_COST) must be between 4 and 16") {
		t.Errorf("a cost too high: exit code %d, %s", code, errors)
	}
	if code, _, errors := ended(t, "correct horse", []string{"DATABASE_URL=" + d.AppURL}, "tenant", "--slug", "b",
		"--name", "B", "--admin-email", "b@b.example", "--bcrypt-cost",
		"4"); code != 1 || !strings.Contains(errors, "use the URL of the schema's owner") ||
		strings.Contains(errors, "SQLSTATE") {
		t.Errorf("as the app role: exit code %d, %s", code, errors)
	}
	empty := emptyDatabase(t, d)
	if code, _, errors := ended(t, "correct horse", []string{"DATABASE_URL=" + empty}, "tenant", "--slug", "b",
		"--name", "B", "--admin-email", "b@b.example", "--bcrypt-cost", "4"); code != 1 ||
		!strings.Contains(errors, "run as its owner: waybill migrate up") {
		t.Errorf("without a schema: exit code %d, %s", code, errors)
	}
	code, _, errors := ended(t, "correct horse", nil, "tenant", "--slug", "a", "--name", "A",
		"--admin-email", "a@b.example", "--bcrypt-cost", "4",
		"--database-url", "postgres://u:pa%zz:hunter2@h:bad/db")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	has(t, errors, "is not a PostgreSQL connection string")
	hasNot(t, errors, "hunter2", "pa%zz")
}

func TestTenantsAdminLogsIn(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a command that does one thing after the other")
	d := dbtest.New(t)
	make := func(slug, email, password string) (int, string, string) {
		return ended(t, password, []string{"DATABASE_URL=" + d.OwnerURL, "WAYBILL_BCRYPT_COST=4"},
			"tenant", "--slug", slug, "--name", "Acme Couriers", "--admin-email", email)
	}
	code, out, errors := make("acme", "Ada@acme.example", "correct horse\n")
	if code != 0 {
		t.Fatal(errors)
	}
	has(t, out, "tenant acme", "Ada@acme.example")
	hasNot(t, out, "horse")
	s := serve(t, d.AppURL)
	status, body := text(t, "POST", s.url+"/v1/sessions", "",
		`{"tenant":"acme","email":"ada@ACME.example","password":"correct horse"}`)
	var opened struct {
		Token string
		User  struct{ Role, Email string }
	}
	if json.Unmarshal([]byte(body), &opened); status != 201 || opened.User.Role != "admin" ||
		opened.User.Email != "Ada@acme.example" {
		t.Fatalf("login: %d %s", status, body)
	}
	if status, body := text(t, "GET", s.url+"/v1/flags", opened.Token, ""); status != 200 ||
		!strings.Contains(body, "pickup_texts") {
		t.Errorf("the new tenant's flags: %d %s", status, body)
	}
	if status, body := text(t, "POST", s.url+"/v1/accounts", opened.Token,
		`{"name":"First","currency":"USD"}`); status != 201 {
		t.Errorf("the admin creates an account: %d %s", status, body)
	}

	for name, c := range wrongTenants {
		code, _, errors := make(c.slug, c.email, c.password)
		if code != 1 {
			t.Errorf("%s: exit code %d", name, code)
		}
		has(t, errors, c.says)
		hasNot(t, errors, "horse", "longlong", "SQLSTATE", "constraint", "_check", "_bt_")
	}
	tenantRefuses(t, d)
	// The tenant and its admin, or neither.
	var n int
	if err := d.Owner().QueryRow(t.Context(), `SELECT count(*) FROM tenants`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d tenants: %v", n, err)
	}
}

// A tenant without an admin gets one again from the operator.
func TestTenantAdminIsTheWayBackIn(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a command that does one thing after the other")
	d := dbtest.New(t)
	env := []string{"DATABASE_URL=" + d.OwnerURL, "WAYBILL_BCRYPT_COST=4"}
	if code, _, errors := ended(t, "correct horse\n", env, "tenant", "--slug", "acme", "--name",
		"Acme", "--admin-email", "Ada@acme.example"); code != 0 {
		t.Fatal(errors)
	}
	if _, err := d.Owner().Exec(t.Context(), "UPDATE users SET active = false, role = 'staff'"); err != nil {
		t.Fatal(err)
	}
	s := serve(t, d.AppURL)
	login := func(email, password string) (int, string) {
		return text(t, "POST", s.url+"/v1/sessions", "",
			`{"tenant":"acme","email":"`+email+`","password":"`+password+`"}`)
	}
	if status, body := login("ada@acme.example", "correct horse"); status != 401 {
		t.Fatalf("deactivated: %d %s", status, body)
	}
	for _, email := range []string{"ADA@acme.example", "bob@acme.example"} { // an existing user, and a new one
		code, out, errors := ended(t, "another horse\n", env, "tenant",
			"reset-admin", "--slug", "acme", "--email", email)
		if code != 0 {
			t.Fatal(errors)
		}
		has(t, out, "tenant acme, admin "+email)
		if status, body := login(email, "another horse"); status != 201 || !strings.Contains(body, `"role":"admin"`) {
			t.Errorf("%s: %d %s", email, status, body)
		}
	}
	var n int
	if err := d.Owner().QueryRow(t.Context(), "SELECT count(*) FROM users").Scan(&n); err != nil || n != 2 {
		t.Errorf("%d users, %v", n, err)
	}
	for name, c := range map[string]struct{ slug, email, password, says string }{
		"no such tenant":       {"other", "ada@acme.example", "another horse", "no tenant has the slug"},
		"a password too short": {"acme", "ada@acme.example", "short", "at least 8 characters"},
		"no email":             {"acme", "", "another horse", "tenant reset-admin needs --slug, --email"},
	} {
		code, _, errors := ended(t, c.password, env, "tenant", "admin", "--slug", c.slug, "--email", c.email)
		if code != 1 {
			t.Errorf("%s: exit code %d", name, code)
		}
		has(t, errors, c.says)
	}
}

// Every command explains what to do about a database with another encoding.
func TestADatabaseThatIsNotUTF8IsRefusedAtStart(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "commands that do one thing after the other")
	d := dbtest.Bare(t, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
	for _, command := range [][]string{
		{"migrate", "up"}, {"serve", "--addr", "127.0.0.1:0"}, {"work"}, {"jobs", "list"},
		{"tenant", "--slug", "acme", "--name", "Acme", "--admin-email", "a@b.example"},
		{"tenant", "reset-admin", "--slug", "acme", "--email", "a@b.example"},
	} {
		code, _, errors := ended(t, "correct horse", []string{
			"DATABASE_URL=" + d.OwnerURL, "WAYBILL_BCRYPT_COST=4", "WAYBILL_GATEWAY_URL=http://127.0.0.1:1",
			"WAYBILL_GATEWAY_SECRET=" + fakegateway.Secret,
		}, command...)
		if code != 1 || !strings.Contains(errors, "the database's encoding is LATIN1 and must be UTF8") ||
			strings.Count(errors, "\n") > 1 {
			t.Errorf("%v: exit code %d, %s", command, code, errors)
		}
	}
}
