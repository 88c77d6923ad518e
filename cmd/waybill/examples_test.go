package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"waybill/api"
	"waybill/db"
	"waybill/db/dbtest"
)

var update = flag.Bool("update", false, "write api/examples.json")

const examplesFile = "../../api/examples.json"

// example is an entry of the file: see package api.
type example struct {
	Parameters map[string]any `json:"parameters,omitempty"`
	Request    any            `json:"request,omitempty"`
	Response   any            `json:"response,omitempty"`
}

// exampleTime stands for every time that the server sets.
var exampleTime = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// The examples of the document are requests that the demo tenant accepts, in an order in which each works, and what
// the server answers. What it makes up (ids, times, tokens) is replaced by constants.
func TestExamplesAreWhatTheServerAnswers(t *testing.T) {
	t.Parallel()
	w := newExampleWalk(t)
	for _, s := range exampleSteps() {
		w.walk(s)
	}
	w.login(db.UserRoleStaff, w.emails[db.UserRoleStaff]) // who has logged out
	for _, s := range w.derivedSteps() {
		w.walk(s)
	}
	for id := range w.operations {
		if _, ok := w.made[id]; !ok {
			t.Errorf("%s has no example", id)
		}
	}
	got, err := json.MarshalIndent(w.made, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(examplesFile, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(examplesFile)
	if err != nil {
		t.Fatal(err)
	}
	var recorded, made map[string]any
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &made); err != nil {
		t.Fatal(err)
	}
	for id := range made {
		if !reflect.DeepEqual(made[id], recorded[id]) {
			t.Errorf("%s: the document's example is\n%v\nand the server answers\n%v\n"+
				"(go test ./cmd/waybill -run TestExamples -update)", id, recorded[id], made[id])
		}
	}
	for id := range recorded {
		if made[id] == nil {
			t.Errorf("the example of %s is one of no operation", id)
		}
	}
}

// exampleWalk sends the examples.
type exampleWalk struct {
	t          *testing.T
	api        *api.API
	store      *db.System
	operations map[string]*documented // by id
	schemas    map[string]property
	tokens     map[db.UserRole]string
	emails     map[db.UserRole]string
	made       map[string]example
	known      []string // ids that are not replaced
	ids        map[string]string
}

func newExampleWalk(t *testing.T) *exampleWalk {
	t.Helper()
	d := dbtest.New(t, invariants)
	made, err := loadDemo(t.Context(), d.OwnerURL, bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	store, err := db.Open(t.Context(), db.Config{URL: d.AppURL, MaxConns: 4, AcquireTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	a, err := api.New(t.Context(), store.Store, api.Options{PasswordCost: bcrypt.MinCost, StreamPoll: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	w := &exampleWalk{t: t, api: a, store: store, operations: map[string]*documented{},
		tokens: map[db.UserRole]string{}, emails: map[db.UserRole]string{},
		made: map[string]example{}, ids: map[string]string{}}
	w.readDocument()
	for _, u := range made.users {
		w.login(u.Role, u.Email)
		w.known = append(w.known, u.ID.String())
	}
	return w
}

// login gives a role a session.
func (w *exampleWalk) login(role db.UserRole, email string) {
	w.t.Helper()
	var login struct{ Token string }
	w.unmarshal(w.send("POST", "/v1/sessions", "",
		map[string]any{"tenant": demoSlug, "email": email, "password": demoPassword}, ""), &login)
	w.tokens[role], w.emails[role] = login.Token, email
}

func (w *exampleWalk) readDocument() {
	text, err := w.api.Document("3.1")
	if err != nil {
		w.t.Fatal(err)
	}
	var document struct {
		Paths      map[string]map[string]*documented
		Components struct{ Schemas map[string]property }
	}
	if err := json.Unmarshal(text, &document); err != nil {
		w.t.Fatal(err)
	}
	for path, item := range document.Paths {
		for method, op := range item {
			op.method, op.path = strings.ToUpper(method), path
			w.operations[op.OperationID] = op
		}
	}
	w.schemas = document.Components.Schemas
}

func (w *exampleWalk) unmarshal(r *httptest.ResponseRecorder, v any) {
	w.t.Helper()
	if err := json.Unmarshal(r.Body.Bytes(), v); err != nil {
		w.t.Fatalf("%v: %s", err, r.Body)
	}
}

func (w *exampleWalk) send(method, path, token string, body any, etag string) *httptest.ResponseRecorder {
	w.t.Helper()
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			w.t.Fatal(err)
		}
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, &content)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if etag != "" {
		r.Header.Set("If-Match", etag)
	}
	answer := httptest.NewRecorder()
	w.api.ServeHTTP(answer, r)
	if answer.Code >= 300 {
		w.t.Fatalf("%s %s: %d %s", method, path, answer.Code, answer.Body)
	}
	return answer
}

// walk sends the request of a step, and records it.
func (w *exampleWalk) walk(s exampleStep) {
	w.t.Helper()
	op, ok := w.operations[s.operation]
	if !ok {
		w.t.Fatalf("there is no operation %s", s.operation)
	}
	path, query := op.path, []string{}
	e := example{Request: s.body}
	for i := 0; i+1 < len(s.parameters); i += 2 {
		name, value := s.parameters[i].(string), s.parameters[i+1]
		if e.Parameters == nil {
			e.Parameters = map[string]any{}
		}
		e.Parameters[name] = value
		if in := strings.ReplaceAll(path, "{"+name+"}", fmt.Sprint(value)); in != path {
			path = in
		} else {
			query = append(query, fmt.Sprintf("%s=%v", name, value))
		}
	}
	w.keep(e.Parameters)
	w.keep(s.body)
	if s.refused != "" {
		id := w.refuseText(s.refused)
		path = strings.ReplaceAll(path, "{message_id}", id)
		e.Parameters = map[string]any{"message_id": w.replaced(id)}
	}
	if strings.Contains(path, "{delivery_id}") {
		id := w.newestDelivery(exampleEndpoint)
		path = strings.ReplaceAll(path, "{delivery_id}", id)
		e.Parameters["delivery_id"] = w.replaced(id)
	}
	token, etag := w.tokens[s.as], ""
	if op.method == "PATCH" || s.operation == "set-flag" {
		etag = w.send("GET", path, token, nil, "").Header().Get("ETag")
	}
	if s.operation == "stream-pickups" {
		e.Response = w.replaced(w.stream(path, token, s.meanwhile))
		w.made[s.operation] = e
		return
	}
	slices.Sort(query)
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	answer := w.send(op.method, path, token, s.body, etag)
	if kind := answer.Header().Get("Content-Type"); strings.HasPrefix(kind, "application/json") {
		var body any
		w.unmarshal(answer, &body)
		e.Response = w.replaced(body)
	} else if answer.Body.Len() > 0 {
		e.Response = answer.Body.String()
	}
	w.made[s.operation] = e
}

// newestDelivery returns the id of the newest delivery of a webhook endpoint.
func (w *exampleWalk) newestDelivery(endpoint string) string {
	w.t.Helper()
	var page struct{ Items []struct{ ID string } }
	w.unmarshal(w.send("GET", "/v1/webhook-endpoints/"+endpoint+"/deliveries", w.tokens[db.UserRoleAdmin], nil, ""),
		&page)
	return page.Items[0].ID
}

// refuseText has the gateway refuse the newest text of a pickup, and returns its id.
func (w *exampleWalk) refuseText(pickup string) string {
	w.t.Helper()
	var page struct{ Items []struct{ ID uuid.UUID } }
	w.unmarshal(w.send("GET", "/v1/pickups/"+pickup+"/messages", w.tokens[db.UserRoleAdmin], nil, ""), &page)
	tenant, err := w.store.GetTenantBySlug(w.t.Context(), demoSlug)
	if err != nil {
		w.t.Fatal(err)
	}
	id := page.Items[0].ID
	if n, err := w.store.SettleMessage(w.t.Context(),
		db.SettleMessageParams{TenantID: tenant.ID, ID: id, Reason: "refused_410"}); n != 1 {
		w.t.Fatalf("the text is not refused: %v", err)
	}
	return id.String()
}

// stream returns the first events of a stream: a checkpoint, and what comes of the step meanwhile.
func (w *exampleWalk) stream(path, token string, meanwhile *exampleStep) any {
	w.t.Helper()
	server := httptest.NewServer(w.api)
	defer server.Close()
	r, err := http.NewRequestWithContext(w.t.Context(), "GET", server.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	events := []any{}
	event, text := map[string]any{}, make([]byte, 1)
	var line []byte
	for len(events) < 2 {
		if _, err := response.Body.Read(text); err != nil {
			w.t.Fatal(err)
		}
		if line = append(line, text[0]); text[0] != '\n' {
			continue
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), ": ")
		line = line[:0]
		switch {
		case name == "" && value == "" && len(event) > 0:
			if events = append(events, event); len(events) == 1 {
				w.walk(*meanwhile)
			}
			event = map[string]any{}
		case name == "data" || name == "retry":
			var v any
			if err := json.Unmarshal([]byte(value), &v); err != nil {
				w.t.Fatal(err)
			}
			event[name] = v
		case name == "id":
			event[name] = cmp.Or(map[int]string{0: "745-0"}[len(events)], "746-12")
		case name != "":
			event[name] = value
		}
	}
	return events
}

// keep remembers the ids that a request sends: they are not made up by the server.
func (w *exampleWalk) keep(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	var any any
	if err := json.Unmarshal(text, &any); err != nil {
		w.t.Fatal(err)
	}
	eachText(any, func(text string) string {
		if _, err := uuid.Parse(text); err == nil {
			w.known = append(w.known, text)
		}
		return text
	})
}

// replaced returns an answer with constants in place of what the server made up.
func (w *exampleWalk) replaced(v any) any {
	began := time.Now()
	return eachText(v, func(text string) string {
		if strings.HasPrefix(text, "whsec_") {
			return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		}
		if _, err := uuid.Parse(text); err == nil && !slices.Contains(w.known, text) && !isDemoID(text) {
			if w.ids[text] == "" {
				w.ids[text] = fmt.Sprintf("019b8d5a-7000-7000-8000-%012d", len(w.ids)+1)
			}
			return w.ids[text]
		}
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil && at.Year() < 2030 && at.Sub(exampleTime) != 0 {
			return exampleTime.Add(at.Sub(began).Round(time.Hour)).Format(time.RFC3339)
		}
		return text
	})
}

// isDemoID reports whether an id is a stable one of the demo tenant: these have version 5.
func isDemoID(text string) bool { return uuid.MustParse(text).Version() == 5 }

// eachText changes each text of a JSON value.
func eachText(v any, change func(string) string) any {
	switch v := v.(type) {
	case string:
		return change(v)
	case []any:
		for i := range v {
			v[i] = eachText(v[i], change)
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			switch v[k] = eachText(v[k], change); k {
			case "token":
				v[k] = "s6Bnl9VYxTDNbHf0Q5r3aZkqJ2mPwE8uC1oIgL7yXtM"
			case "next_cursor":
				v[k] = "WyIyMDI2LTAxLTA1VDA5OjAwOjAwWiIsIjAxOWI4ZDVhIl0"
			}
		}
	}
	return v
}
