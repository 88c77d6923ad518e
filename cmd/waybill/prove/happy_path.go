package prove

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// step is one transition, as the stories define it independently of the server.
type step struct {
	name   string
	before []string
	after  string
}

// rules are the whole state machine.
var rules = []step{
	{"submit", []string{"DRAFT"}, "SUBMITTED"},
	{"assign", []string{"SUBMITTED"}, "ASSIGNED"},
	{"dispatch", []string{"SUBMITTED"}, "ASSIGNED"},
	{"release", []string{"ASSIGNED"}, "SUBMITTED"},
	{"cancel", []string{"DRAFT", "SUBMITTED", "ASSIGNED"}, "CANCELED"},
	{"collect", []string{"ASSIGNED"}, "COLLECTED"},
	{"receive", []string{"COLLECTED"}, "RECEIVED"},
	{"pack", []string{"RECEIVED"}, "PACKED"},
	{"ship", []string{"PACKED"}, "SHIPPED"},
	{"deliver", []string{"SHIPPED"}, "DELIVERED"},
}

// happyPath is the happy path of a pickup: its statuses, and the transitions between them.
var (
	happyPath = []string{"DRAFT", "SUBMITTED", "ASSIGNED", "COLLECTED", "RECEIVED", "PACKED", "SHIPPED", "DELIVERED"}
	steps     = []string{"submit", "assign", "collect", "receive", "pack", "ship", "deliver"}
)

// isPast reports whether a pickup in the status is past the step's start.
func (s step) isPast(status string) bool {
	return !slices.Contains(s.before, status) &&
		(status == "CANCELED" || slices.Index(happyPath, status) > slices.Index(happyPath, s.before[0]))
}

// isBefore reports whether a pickup in the status has not reached the step's start.
func (s step) isBefore(status string) bool {
	return status != "CANCELED" && slices.Index(happyPath, status) < slices.Index(happyPath, s.before[0])
}

// pickup is the part of a pickup that the stories read.
type pickup struct {
	ID           string  `json:"id"`
	Status       string  `json:"status"`
	Version      int64   `json:"version"`
	DriverID     *string `json:"driver_id"`
	ChargedCents int64   `json:"charged_cents"`
}

type event struct {
	Transition string `json:"transition"`
	FromStatus string `json:"from_status"`
	ToStatus   string `json:"to_status"`
}

// transition makes one transition, as a user who may. assign uses the given driver.
func (w *fixture) transition(ctx context.Context, name, pickup, driver string, headers ...header) answer {
	who := w.dispatcher
	if slices.Contains([]string{"receive", "pack", "ship", "deliver"}, name) {
		who = w.hub
	}
	var body any
	if name == "assign" {
		body = map[string]string{"driver_id": driver}
	}
	return who.post(ctx, "/v1/pickups/"+pickup+"/"+name, body, headers...)
}

// advanceTo advances a draft along the happy path to the status, or cancels it.
func (t *trial) advanceTo(pickup, driver, status string) {
	if status == "CANCELED" {
		t.must("cancel", pickup, driver)
		return
	}
	for _, name := range steps[:slices.Index(happyPath, status)] {
		t.must(name, pickup, driver)
	}
}

func (t *trial) must(name, pickup, driver string) {
	if a := t.transition(t.ctx, name, pickup, driver, key(newKey())); !a.ok() {
		t.require(fmt.Errorf("%s: %s", name, a.outcome()))
	}
}

// drafts creates pickups.
func (t *trial) drafts(n int) []string {
	ids, err := t.newPickups(t.ctx, n)
	t.require(err)
	return ids
}

func (t *trial) draft() string { return t.drafts(1)[0] }

// submitted creates pickups that wait for a driver.
func (t *trial) submitted(n int) []string {
	ids := t.drafts(n)
	t.forEachConcurrently(ids, func(id string) { t.transition(t.ctx, "submit", id, "", key(newKey())) })
	return ids
}

// driver creates a driver who is off duty: they can be assigned, but are never dispatched.
func (t *trial) driver() string {
	id, err := t.newDriver(t.ctx, false)
	t.require(err)
	return id
}

func (t *trial) onDuty(n int) []string {
	ids, err := t.needDrivers(t.ctx, n)
	t.require(err)
	return ids
}

// getPickup reads a pickup.
func (t *trial) getPickup(id string) pickup {
	var p pickup
	t.require(t.dispatcher.get(t.ctx, "/v1/pickups/"+id).into(&p))
	return p
}

// etag returns the ETag of a pickup.
func (t *trial) etag(id string) string {
	a := t.dispatcher.get(t.ctx, "/v1/pickups/"+id)
	t.require(a.into(&pickup{}))
	return a.etag
}

func (t *trial) events(id string) []event {
	events, err := list[event](t.ctx, t.dispatcher, "/v1/pickups/"+id+"/events")
	t.require(err)
	return events
}

// transitions returns a pickup's transitions in order, each starting where the last ended.
func (t *trial) transitions(id string) []string {
	var names []string
	at := "DRAFT"
	for _, e := range t.events(id) {
		expectEqual(t, "the status in which "+e.Transition+" began", e.FromStatus, at)
		names, at = append(names, e.Transition), e.ToStatus
	}
	expectEqual(t, "the status after the last event", t.getPickup(id).Status, at)
	return names
}

// texts counts the messages of a pickup; ok is false if the server does not list them.
func (t *trial) texts(id string) (n int, ok bool) {
	messages, err := list[row](t.ctx, t.dispatcher, "/v1/pickups/"+id+"/messages")
	return len(messages), err == nil
}

func newKey() string { return uuid.NewString() }
