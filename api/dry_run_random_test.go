package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
)

// rehearsals is how many random writes are tried and then made.
var rehearsals = dbtest.Rounds(10_000)

// Any write is answered by its dry run as it then is, whatever the state: 10,000 random writes with
// WAYBILL_TEST=thorough. What a dry run leaves behind is compared every now and then.
func TestADryRunAnswersLikeTheWriteInAnyState(t *testing.T) {
	t.Parallel()
	s := start(t)
	g := s.likelyRequests()
	var writes []*described
	for _, op := range theDocument().operations {
		if op.canRehearse() && op.id != "logout" && op.id != "change-password" && op.id != "deactivate-user" {
			writes = append(writes, op)
		}
	}
	statuses := map[int]int{}
	for i := range rehearsals {
		if i%40 == 0 {
			statuses := db.AllPickupStatusValues()
			id := s.pickupIn(s.tenant, statuses[g.IntN(len(statuses))], s.facility, uuid.Nil)
			g.rows["pickup_id"] = append(g.rows["pickup_id"], id.String())
		}
		op := writes[g.IntN(len(writes))]
		as := s.as(roles[g.IntN(len(roles))])
		if g.IntN(4) > 0 {
			as = s.whoMay(op.id)
		}
		path, body, headers := g.likely(s, op)
		if strings.Contains(path, "dry_run") {
			continue
		}
		before := ""
		if i%100 == 0 {
			before = s.content()
		}
		tried := s.plainly(op, as, withQuery(path, "dry_run=true"), body, headers)
		if before != "" && s.content() != before {
			t.Fatalf("the dry run of %s %s wrote something", op.id, path)
		}
		text, isText := body.(string)
		// Others are no JSON, or refused as such: an item is part of a body.
		written, err := json.Marshal([]any{path, body})
		isItem := err == nil && (!isText || text == "null") && !slices.Contains(headers, "") &&
			!bytes.Contains(written, []byte(`\u0000`)) && !strings.Contains(path, "%00")
		item := s.plainly(theDocument().operation("write-batch"), as, "/v1/batch?dry_run=true",
			batch(op.item(t, path, body, headers)), nil)
		made := s.plainly(op, as, path, body, headers)
		statuses[made.status]++
		if want, got := made.verdict(), tried.verdict(); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d, %s by %s, body %.300v, headers %q:\nthe dry run: %v\nthe write:   %v",
				i, made.request, as.role, body, headers, got, want)
		}
		if want, got := made.verdict(), item.verdictOfItem(); op.canBeIn() && isItem && !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d, %s by %s, body %.300v, headers %q:\nin a batch: %v\nalone:      %v",
				i, made.request, as.role, body, headers, got, want)
		}
	}
	if statuses[200] < rehearsals/20 || statuses[201] < rehearsals/100 || statuses[409] < rehearsals/100 {
		t.Errorf("answers by status: %v", statuses)
	}
	t.Logf("answers by status: %v", statuses)
}

// likelyRequests makes requests of which many succeed: most name rows of their kind, and the version that
// these have now.
type likelyRequests struct {
	*generator
	rows map[string][]string // ids by the name of the parameter or member
}

func (s *server) likelyRequests() *likelyRequests {
	g := &likelyRequests{&generator{Rand: rand.New(rand.NewPCG(1, 21))}, map[string][]string{}}
	for range 3 {
		id := s.plantPatient(s.planted, s.tenant, s.facility, roles)
		g.rows["patient_id"] = append(g.rows["patient_id"], id.String())
	}
	for name, ids := range map[string][]uuid.UUID{
		"facility_id": {s.facility, s.hidden}, "group_id": {s.group}, "account_id": {s.account},
		"driver_id": {s.driverID, s.rivalID}, "phone_number_id": {s.phone}, "user_id": {s.staff.id, s.stranger.id},
		"pickup_id": {s.pickupIn(s.tenant, db.PickupStatusDRAFT, s.facility, uuid.Nil)},
	} {
		for _, id := range ids {
			g.rows[name] = append(g.rows[name], id.String())
		}
	}
	for _, ids := range g.rows {
		g.ids = append(g.ids, ids...)
	}
	slices.Sort(g.ids) // of one seed
	return g
}

// likely makes a request for the operation: one of four is like those of generator.
func (g *likelyRequests) likely(s *server, op *described) (path string, body any, headers []string) {
	path, body, headers = g.call(op)
	if g.IntN(4) == 0 {
		return path, body, headers
	}
	path = op.path
	for _, name := range slices.Sorted(maps.Keys(g.rows)) {
		ids := g.rows[name]
		path = strings.ReplaceAll(path, "{"+name+"}", ids[g.IntN(len(ids))])
	}
	path = strings.ReplaceAll(path, "{name}", "pickup_texts")
	if op.body != nil {
		body = g.named(s.bodyFor(op, s.tenant))
	}
	headers = nil
	for _, p := range op.parameters {
		switch {
		case p["name"] == "If-Match" && (p["required"] == true || g.IntN(3) == 0):
			headers = append(headers, "If-Match", s.currentTag(op, path, s.tenant))
		case p["name"] == "Idempotency-Key" && g.IntN(3) == 0:
			headers = append(headers, "Idempotency-Key", fmt.Sprint("k", g.IntN(9)))
		}
	}
	return path, body, headers
}

// named returns the value with other ids of the same kinds.
func (g *likelyRequests) named(value any) any {
	o, ok := value.(object)
	if !ok {
		return value
	}
	out := maps.Clone(o)
	for _, name := range sortedKeys(out) {
		if ids := g.rows[name]; ids != nil {
			out[name] = ids[g.IntN(len(ids))]
		}
	}
	if g.IntN(2) == 0 {
		delete(out, "id")
	}
	return out
}

// canRehearse reports whether the operation has the parameter.
func (op *described) canRehearse() bool {
	for _, p := range op.parameters {
		if p["name"] == "dry_run" {
			return true
		}
	}
	return false
}

// canBeIn reports whether a batch may contain the operation.
func (op *described) canBeIn() bool {
	return !slices.Contains([]string{"create-pickups", "write-batch", "sync-appointments"}, op.id)
}

// item returns the request as an item of a batch.
func (op *described) item(t *testing.T, path string, body any, headers []string) object {
	t.Helper()
	path, query, _ := strings.Cut(path, "?")
	item := object{"operation": op.id}
	texts := object{}
	given := strings.Split(path, "/")
	for i, part := range strings.Split(op.path, "/") {
		if strings.HasPrefix(part, "{") {
			value, err := url.PathUnescape(given[i])
			if err != nil {
				t.Fatal(err)
			}
			texts[strings.Trim(part, "{}")] = value
		}
	}
	if len(texts) > 0 {
		item["path"] = texts
	}
	if parsed, _ := url.ParseQuery(query); len(parsed) > 0 {
		asked := object{}
		for name := range parsed {
			asked[name] = parsed.Get(name)
		}
		item["query"] = asked
	}
	if len(headers) > 0 {
		named := object{}
		for i := 0; i < len(headers); i += 2 {
			named[headers[i]] = headers[i+1]
		}
		item["headers"] = named
	}
	if body == "null" {
		body = json.RawMessage("null")
	}
	if body != nil {
		item["body"] = body
	}
	return item
}

// verdictOfItem returns the verdict on the only item of a batch.
func (a *answer) verdictOfItem() object {
	v := a.verdict()
	body, _ := v["body"].(object)
	if a.status != 200 {
		delete(body, "item")
		if field, ok := body["field"].(string); ok {
			body["field"] = strings.TrimPrefix(field, "items[0].")
		}
		return v
	}
	item := body["items"].([]any)[0].(object)
	headers := item["headers"].(object)
	text := func(name string) string { s, _ := headers[name].(string); return s }
	return object{"status": int(item["status"].(float64)), "etag": text("ETag"),
		"replayed": text("Idempotency-Replayed"), "body": item["body"]}
}

// plainly sends a request without looking at its answer.
func (s *server) plainly(op *described, as *user, path string, body any, headers []string) *answer {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, request(s.t, as, op.method, path, body, headers...))
	return &answer{s.t, op.method + " " + path, w.Code, w.Header(), w.Body.Bytes()}
}

// verdict is what two answers to the same request have in common: not the time, nor an id that the server
// chose.
func (a *answer) verdict() object {
	v := object{"status": a.status, "etag": a.header.Get("ETag"), "replayed": a.header.Get("Idempotency-Replayed")}
	var body any
	if len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &body); err != nil {
			body = string(a.body)
		}
	}
	v["body"] = timeless(body)
	return v
}

func timeless(value any) any {
	switch v := value.(type) {
	case object:
		out := maps.Clone(v)
		for name, inner := range v {
			out[name] = timeless(inner)
		}
		for _, name := range []string{"id", "request_id", "created_at", "updated_at", "located_at", "submitted_at",
			"moved_at", "secret"} {
			delete(out, name)
		}
		return out
	case []any:
		for i := range v {
			v[i] = timeless(v[i])
		}
	}
	return value
}

// content is a digest of all rows but those that reads write: of patients who were shown, and of sessions
// that were used.
func (s *server) content() string {
	s.t.Helper()
	return scan[string](s, `
		SELECT md5(string_agg(md5(query_to_xml(format('SELECT * FROM %I AS r ORDER BY r::text', tablename),
			false, false, '')::text), '' ORDER BY tablename))
		FROM pg_tables
		WHERE schemaname = 'public' AND tablename NOT IN ('phi_reads', 'patient_reads', 'sessions')`)
}
