package api_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
)

// perOperation is how many random requests each operation of the document gets.
var perOperation = dbtest.Rounds(60)

// generator makes values for the schemas of the document, most of them valid, from
// one seed.
type generator struct {
	*rand.Rand
	ids []string // of rows of every kind, seen and not
}

func (g *generator) one(values ...any) any { return values[g.IntN(len(values))] }

func (g *generator) id() string {
	switch g.IntN(12) {
	case 0:
		return newID().String()
	case 1:
		return uuid.Nil.String()
	}
	return g.ids[g.IntN(len(g.ids))]
}

var oddities = []any{"", " ", "a", "\x00", "\u202e", "\U0001F600", "'; DROP TABLE users; --",
	"%00", "../..", "null", "0", "-1", "1e309", "NaN",
	strings.Repeat("x", 5000), 0.0, -1.0, 1.5, 1e18, 9007199254740991.0, 9007199254740993.0, -1e300, true,
	false, nil, []any{}, object{}, []any{nil}, object{"": nil}}

// value makes one for a schema.
func (g *generator) value(s object) any {
	if g.IntN(12) == 0 {
		return g.one(oddities...)
	}
	s = theDocument().resolve(s)
	if enum, ok := s["enum"].([]any); ok {
		return g.one(enum...)
	}
	types := typesOf(s)
	if len(types) == 0 {
		return nil
	}
	switch g.one(anys(types)...) {
	case "string":
		return g.text(s)
	case "integer":
		return g.one(0.0, 1.0, 2.0, float64(g.IntN(5000)), s["minimum"], s["maximum"])
	case "number":
		return g.one(0.0, g.Float64()*90, -g.Float64()*90, s["minimum"], s["maximum"])
	case "boolean":
		return g.IntN(2) == 0
	case "array":
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.value(s["items"].(object)))
		}
		return list
	case "object":
		return g.object(s)
	}
	return nil
}

func anys(texts []string) []any {
	out := []any{}
	for _, t := range texts {
		out = append(out, t)
	}
	return out
}

func (g *generator) object(s object) object {
	out := object{}
	required, _ := s["required"].([]any)
	properties, _ := s["properties"].(object)
	for _, name := range sortedKeys(properties) {
		if slices.Contains(required, any(name)) && g.IntN(20) > 0 || g.IntN(3) == 0 {
			out[name] = g.value(properties[name].(object))
		}
	}
	if g.IntN(25) == 0 {
		out["unknown"] = 1
	}
	return out
}

func sortedKeys(o object) []string {
	names := []string{}
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (g *generator) text(s object) any {
	switch s["format"] {
	case "uuid":
		return g.id()
	case "date":
		return g.one(canaryBirth, "2024-02-29", "2023-02-29", "1800-01-01", "1799-12-31",
			"9998-12-31", "0001-01-01", "0000-00-00")
	case "date-time":
		return g.one("2024-02-29T12:00:00Z", "1970-01-01T00:00:00+14:00", "9998-12-31T23:59:59.999999999-12:00",
			"2030-06-01T00:00:00Z", "2030-06-02T00:00:00Z", "0001-01-01T00:00:00Z", "2016-12-31T23:59:60Z")
	}
	if p, ok := s["pattern"].(string); ok {
		switch {
		case strings.HasPrefix(p, `^\+`):
			return fmt.Sprintf("+1%d", 1_000_000_000+g.Int64N(9_000_000_000))
		case p == "^[A-Z]{3}$":
			return g.one("USD", "EUR", "usd")
		case strings.Contains(p, "@"):
			return fmt.Sprintf("u%d@example.com", g.IntN(1000))
		}
	}
	return g.one("A name", "1 Main St", password, "demo", "ünïcode", strings.Repeat("y", bound(s, "maxLength", 100)))
}

// call makes a request for the operation.
func (g *generator) call(op *described) (path string, body any, headers []string) {
	path = op.path
	query := url.Values{}
	for _, p := range op.parameters {
		name := p["name"].(string)
		value := fmt.Sprint(g.value(p["schema"].(object)))
		switch p["in"] {
		case "path":
			if name == "name" {
				value = fmt.Sprint(g.one("pickup_texts", "auto_dispatch", value))
			}
			if value == "" || strings.Trim(value, "./") == "" {
				value = "-"
			}
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
		case "query":
			if g.IntN(3) == 0 {
				query.Set(name, value)
			}
		case "header":
			if g.IntN(2) == 0 {
				value = fmt.Sprint(g.one(`"1"`, `"2"`, `"1-0"`, "*", `W/"1"`, "k1", "k2", `"x`))
			}
			if g.IntN(4) > 0 && !strings.ContainsAny(value, "\x00\n\r") {
				headers = append(headers, name, value)
			}
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if op.body != nil && g.IntN(25) > 0 {
		body = g.value(op.body)
		if body == nil {
			body = "null"
		}
	}
	return path, body, headers
}

// Random requests always get a declared answer, and never a 500.
func TestRandomRequestsAreAnsweredAsDeclared(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s := start(t)
			g := &generator{Rand: rand.New(rand.NewPCG(seed, 7))}
			for _, t := range []*tenant{s.tenant, s.foreign} {
				may := map[bool][]db.UserRole{true: roles}[t == s.tenant]
				s.shows(t, t.facility, t.admin, t.dispatcher)
				for range 3 {
					g.ids = append(g.ids, s.plantPatient(s.planted, t, t.facility, may).String())
				}
				for _, id := range []uuid.UUID{t.facility, t.hidden, t.group, t.account,
					t.driverID, t.rivalID, t.phone, t.entry,
					t.admin.id, t.dispatcher.id, t.staff.id, t.driver.id, t.hub.id} {
					g.ids = append(g.ids, id.String())
				}
				for _, status := range db.AllPickupStatusValues() {
					g.ids = append(g.ids, s.pickupIn(t, status, t.facility, uuid.Nil).String())
				}
			}
			statuses := map[int]int{}
			for range perOperation {
				for _, op := range theDocument().operations {
					as := s.as(roles[g.IntN(len(roles))])
					if g.IntN(2) == 0 && !op.public {
						as = s.whoMay(op.id)
					}
					if op.id == "logout" || op.id == "deactivate-user" || op.id == "change-password" {
						as = s.newUser(s.tenant, db.UserRoleStaff) // a user whom no other test needs
					}
					path, body, headers := g.call(op)
					statuses[s.send(op, as, path, body, headers)]++
				}
			}
			t.Logf("answers by status: %v", statuses)
		})
	}
}

// send is do for any operation, the stream included: it is cut off soon.
func (s *server) send(op *described, as *user, path string, body any, headers []string) int {
	s.t.Helper()
	r := request(s.t, as, op.method, path, body, headers...)
	if op.id == "stream-pickups" {
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Millisecond)
		defer cancel()
		r = r.WithContext(ctx)
	}
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	a := &answer{s.t, op.method + " " + path, w.Code, w.Header(), w.Body.Bytes()}
	s.planted.leaks(as.role, a)
	err := theDocument().check(r, a)
	if timely := a.status < 500 || op.id == "stream-pickups" && a.status == 504; err != nil || !timely {
		s.t.Errorf("%s by %s, body %.300v, headers %q: %v\n%s", a.request, as.role, body, headers, err, a)
	}
	return a.status
}
