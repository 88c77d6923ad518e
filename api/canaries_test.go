package api_test

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/api"
	"waybill/db"
)

// A canary is a value that must not leak. All patient data in tests are canaries for every log; rows
// that some user may not see contain canaries for every answer to them.
const (
	canary      = "Quetzal"
	canaryPhone = "+19998" // and nine digits
	canaryBirth = "1931-07-13"
)

var canaries = regexp.MustCompile(`(?i)` + canary + `|` + regexp.QuoteMeta(canaryPhone) + `\d{9}|` + canaryBirth)

// noCanary looks through a log.
func noCanary(log []byte) error {
	// A plain search first: it takes a hundredth of the time of the expression.
	if !bytes.Contains(log, []byte(canaryPhone)) && !bytes.Contains(log, []byte(canaryBirth)) &&
		!bytes.Contains(bytes.ToLower(log), []byte(strings.ToLower(canary))) {
		return nil
	}
	if at := canaries.FindIndex(log); at != nil {
		begin, end := entryBefore(log, at[0]), len(log)
		if n := bytes.IndexByte(log[at[0]:], '\n'); n >= 0 {
			end = at[0] + n
		}
		return fmt.Errorf("contains patient data: %s", log[begin:end])
	}
	return nil
}

// entryBefore returns where the log's entry begins that has a place in it: the further lines of one begin
// with a tab, and without the name of the test.
func entryBefore(log []byte, at int) int {
	for {
		begin := bytes.LastIndexByte(log[:at], '\n') + 1
		if begin == 0 || log[begin] != '\t' {
			return begin
		}
		at = begin - 1
	}
}

// logged searches the debug logs of the servers of all tests.
var logged = &canaryLog{}

type canaryLog struct {
	mu    sync.Mutex
	lines int
	err   error
}

// of returns a writer for the log of a test's server, which names the test.
func (l *canaryLog) of(test string) io.Writer { return testLog{l, test} }

type testLog struct {
	*canaryLog
	test string
}

func (l testLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines++
	if err := noCanary(line); l.err == nil && err != nil {
		l.err = fmt.Errorf("%s: %w", l.test, err)
	}
	return len(line), nil
}

func (l *canaryLog) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func newCanary() string { return canary + strings.ReplaceAll(uuid.NewString(), "-", "") }

// newCanaryPhone returns an unused phone number.
func newCanaryPhone() string {
	id := uuid.New()
	return fmt.Sprintf("%s%09d", canaryPhone, (uint64(id[0])<<24|uint64(id[1])<<16|uint64(id[2])<<8|uint64(id[3]))%1e9)
}

// planted are canaries, and the roles of the server's own tenant that may see each.
type planted map[string][]db.UserRole

// plant puts canaries into every row of the foreign tenant, and into those of the own tenant that not
// every role sees.
func (s *server) plant() planted {
	s.t.Helper()
	p := planted{}
	put := func(set string, may []db.UserRole, tenant uuid.UUID, where ...any) {
		s.t.Helper()
		value := newCanary()
		p[value] = may
		args := append([]any{tenant, value}, where...)
		s.exec(set, args...)
	}
	f := s.foreign
	for _, set := range []string{
		"UPDATE tenants SET name = $2 WHERE id = $1", "UPDATE users SET name = $2 WHERE tenant_id = $1",
		"UPDATE facilities SET name = $2 WHERE tenant_id = $1",
		"UPDATE facilities SET address = $2 WHERE tenant_id = $1",
		"UPDATE groups SET name = $2 WHERE tenant_id = $1", "UPDATE accounts SET name = $2 WHERE tenant_id = $1",
		"UPDATE drivers SET name = $2 WHERE tenant_id = $1", "UPDATE ledger_entries SET note = $2 WHERE tenant_id = $1",
	} {
		put(set, nil, f.id)
	}
	some := adminAndDispatcher
	put("UPDATE facilities SET name = $2 WHERE tenant_id = $1 AND id = $3", some, s.tenant.id, s.hidden)
	put("UPDATE facilities SET address = $2 WHERE tenant_id = $1 AND id = $3", some, s.tenant.id, s.hidden)
	put("UPDATE users SET name = $2 WHERE tenant_id = $1 AND id = $3", some, s.tenant.id, s.stranger.id)
	put("UPDATE users SET name = $2 WHERE tenant_id = $1 AND id = $3", some, s.tenant.id, s.rival.id)
	put("UPDATE drivers SET name = $2 WHERE tenant_id = $1 AND id = $3",
		[]db.UserRole{db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleStaff, db.UserRoleHub},
		s.tenant.id, s.rivalID)
	for t, facility := range map[*tenant]uuid.UUID{f: f.facility, s.tenant: s.hidden} {
		patient := s.plantPatient(p, t, facility, nil)
		pickup := s.pickupIn(t, db.PickupStatusSUBMITTED, facility, uuid.Nil)
		s.plantPickup(p, pickup, map[bool][]db.UserRole{true: some}[t == s.tenant])
		s.exec("UPDATE pickups SET patient_id = $2 WHERE id = $1", pickup, patient)
	}
	return p
}

// plantPatient creates a patient of the facility whose values are canaries that only these roles may
// see.
func (s *server) plantPatient(p planted, t *tenant, facility uuid.UUID, may []db.UserRole) uuid.UUID {
	s.t.Helper()
	id := newID()
	given, family, external, phone := newCanary(), newCanary(), newCanary(), newCanaryPhone()
	for _, value := range []string{given, family, external, phone} {
		p[value] = may
	}
	s.exec(`WITH p AS (
			INSERT INTO patients (tenant_id, id, facility_id, external_id, given_name, family_name, birth_date, phone)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8))
		INSERT INTO patient_facilities (tenant_id, patient_id, facility_id) VALUES ($1, $2, $3)`,
		t.id, id, facility, external, given, family, canaryBirth, phone)
	return id
}

// plantPickup puts canaries into a pickup and its texts that only these roles may see.
func (s *server) plantPickup(p planted, id uuid.UUID, may []db.UserRole) {
	s.t.Helper()
	note, from, to, text := newCanary(), newCanary(), newCanary(), newCanary()
	for _, value := range []string{note, from, to, text} {
		p[value] = may
	}
	s.exec("UPDATE pickups SET note = $2, pickup_address = $3, dropoff_address = $4 WHERE id = $1", id, note, from, to)
	s.exec("UPDATE messages SET body = $2 WHERE pickup_id = $1", id, text)
}

// leaked is the first canary in the texts that the role may not see.
func (p planted) leaked(role db.UserRole, texts ...string) string {
	for _, text := range texts {
		for _, found := range canaryWords.FindAllString(text, -1) {
			if may, known := p[found]; known && !slices.Contains(may, role) {
				return found
			}
		}
	}
	return ""
}

var canaryWords = regexp.MustCompile(canary + `[0-9a-f]{32}|` + regexp.QuoteMeta(canaryPhone) + `\d{9}`)

// leaks fails the test if an answer contains a value that the role may not see.
func (p planted) leaks(role db.UserRole, a *answer) {
	a.t.Helper()
	if found := p.leaked(role, string(a.body), fmt.Sprint(a.header)); found != "" {
		a.t.Errorf("%s by %s: the answer contains %s, which the role may not see: %s", a.request, role, found, a)
	}
}

// metered records the calls of the observer.
type metered struct {
	mu   sync.Mutex
	text strings.Builder
}

func (m *metered) set(_ *db.Config, o *api.Options) {
	o.Observe = func(operation string, status int, code string, took time.Duration) {
		m.mu.Lock()
		defer m.mu.Unlock()
		fmt.Fprintln(&m.text, operation, status, code)
	}
}

func (m *metered) check(t testing.TB) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if found := canaryWords.FindString(m.text.String()); found != "" || m.text.Len() == 0 {
		t.Errorf("the metrics contain %q in %d bytes", found, m.text.Len())
	}
}

// What looks for canaries finds one.
func TestCanariesAreFound(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"name=" + newCanary(), "to " + newCanaryPhone(),
		"(1, " + canaryBirth + ")", strings.ToLower(newCanary())} {
		if noCanary([]byte("first\n"+line+"\nlast")) == nil {
			t.Errorf("not found in %s", line)
		}
	}
	p := planted{"x": nil}
	word := newCanary()
	p[word] = []db.UserRole{db.UserRoleAdmin}
	if p.leaked(db.UserRoleStaff, "a "+word+"b") != word || p.leaked(db.UserRoleAdmin, word) != "" {
		t.Error("a canary's viewers are wrong")
	}
}

// What a log should not have is told with the name of the test, also where the entry has several lines.
func TestACanaryInALogNamesItsTest(t *testing.T) {
	t.Parallel()
	l := &canaryLog{}
	fmt.Fprintln(l.of("TestQuiet"), "nothing")
	fmt.Fprintln(l.of("TestLeaks"), "name="+canary)
	fmt.Fprintln(l.of("TestLater"), "name="+canary)
	if err := l.check(); err == nil || !strings.HasPrefix(err.Error(), "TestLeaks: ") {
		t.Errorf("the server's log: %v", err)
	}
	err := noCanary([]byte("1 TestQuiet LOG: a\n" +
		"2 TestLeaks ERROR: b\n\tVALUES (1,\n\t'" + canary + "')\n3 TestLater LOG: c\n"))
	if err == nil || !strings.Contains(err.Error(), "2 TestLeaks ERROR: b\n\tVALUES") ||
		strings.Contains(err.Error(), "TestQuiet") || strings.Contains(err.Error(), "TestLater") {
		t.Errorf("PostgreSQL's log: %v", err)
	}
}
