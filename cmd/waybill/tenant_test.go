package main

import (
	"encoding/json"
	"strings"
	"testing"

	"waybill/db/dbtest"
)

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
	status, body := text(t, "POST", s.url+"/v1/sessions", "", `{"tenant":"acme","email":"ada@ACME.example","password":"correct horse"}`)
	var opened struct {
		Token string
		User  struct{ Role, Email string }
	}
	if json.Unmarshal([]byte(body), &opened); status != 201 || opened.User.Role != "admin" || opened.User.Email != "Ada@acme.example" {
		t.Fatalf("login: %d %s", status, body)
	}
	if status, body := text(t, "GET", s.url+"/v1/flags", opened.Token, ""); status != 200 || !strings.Contains(body, "pickup_texts") {
		t.Errorf("the new tenant's flags: %d %s", status, body)
	}
	if status, body := text(t, "POST", s.url+"/v1/accounts", opened.Token, `{"name":"First","currency":"USD"}`); status != 201 {
		t.Errorf("the admin makes an account: %d %s", status, body)
	}

	for name, c := range map[string]struct{ slug, email, password, says string }{
		"the slug is taken":       {"acme", "bob@acme.example", "correct horse", "the slug is taken: another tenant has it"},
		"no password":             {"other", "bob@acme.example", "", "fewer than 8"},
		"a password too short":    {"other", "bob@acme.example", "short\n", "fewer than 8"},
		"a password too long":     {"other", "bob@acme.example", strings.Repeat("long", 19), "more than 72 bytes"},
		"an address that is none": {"other", "bob", "correct horse", "--admin-email is not an email address"},
		"a slug that is none":     {"Not A Slug", "bob@acme.example", "correct horse", "--slug is not one: lower-case letters"},
		"no slug":                 {"", "bob@acme.example", "correct horse", "tenant needs --slug"},
	} {
		code, _, errors := make(c.slug, c.email, c.password)
		if code != 1 {
			t.Errorf("%s: exit code %d", name, code)
		}
		has(t, errors, c.says)
		hasNot(t, errors, "horse", "longlong", "SQLSTATE", "constraint", "_check", "_bt_")
	}
	if code, _, errors := ended(t, "correct horse", nil, "tenant", "--bcrypt-cost", "31"); code != 1 || !strings.Contains(errors, "--bcrypt-cost (WAYBILL_BCRYPT_COST) is not between 4 and 16") {
		t.Errorf("a cost too high: exit code %d, %s", code, errors)
	}
	if code, _, errors := ended(t, "correct horse", []string{"DATABASE_URL=" + d.AppURL}, "tenant", "--slug", "b", "--name", "B", "--admin-email", "b@b.example", "--bcrypt-cost", "4"); code != 1 || !strings.Contains(errors, "give the URL of the schema's owner") || strings.Contains(errors, "SQLSTATE") {
		t.Errorf("as the application: exit code %d, %s", code, errors)
	}
	empty := emptyDatabase(t, d)
	if code, _, errors := ended(t, "correct horse", []string{"DATABASE_URL=" + empty}, "tenant", "--slug", "b", "--name", "B", "--admin-email", "b@b.example", "--bcrypt-cost", "4"); code != 1 || !strings.Contains(errors, "run as its owner: waybill migrate up") {
		t.Errorf("without a schema: exit code %d, %s", code, errors)
	}
	// The tenant and its admin, or neither.
	var n int
	if err := d.Owner().QueryRow(t.Context(), `SELECT count(*) FROM tenants`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d tenants: %v", n, err)
	}
	code, _, errors = ended(t, "correct horse", nil, "tenant", "--slug", "a", "--name", "A", "--admin-email", "a@b.example", "--bcrypt-cost", "4",
		"--database-url", "postgres://u:pa%zz:hunter2@h:bad/db")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	has(t, errors, "is not a PostgreSQL connection string")
	hasNot(t, errors, "hunter2", "pa%zz")
}
