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

// road is the happy path of a pickup: its statuses, and the transitions between them.
var (
	road  = []string{"DRAFT", "SUBMITTED", "ASSIGNED", "COLLECTED", "RECEIVED", "PACKED", "SHIPPED", "DELIVERED"}
	steps = []string{"submit", "assign", "collect", "receive", "pack", "ship", "deliver"}
)

// behind reports whether a pickup in the status is past the step's start.
func (s step) behind(status string) bool {
	return !slices.Contains(s.before, status) &&
		(status == "CANCELED" || slices.Index(road, status) > slices.Index(road, s.before[0]))
}

// ahead reports whether a pickup in the status has not reached the step's start.
func (s step) ahead(status string) bool {
	return status != "CANCELED" && slices.Index(road, status) < slices.Index(road, s.before[0])
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

// take makes one transition, as a user who may. assign uses the given driver.
func (w *world) take(ctx context.Context, name, pickup, driver string, headers ...header) answer {
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

// lead advances a draft along the happy path to the status, or cancels it.
func (t *trial) lead(pickup, driver, status string) {
	if status == "CANCELED" {
		t.must("cancel", pickup, driver)
		return
	}
	for _, name := range steps[:slices.Index(road, status)] {
		t.must(name, pickup, driver)
	}
}

func (t *trial) must(name, pickup, driver string) {
	if a := t.take(t.ctx, name, pickup, driver); !a.ok() {
		t.give(fmt.Errorf("%s: %s", name, a.outcome()))
	}
}

// drafts creates pickups.
func (t *trial) drafts(n int) []string {
	ids, err := t.newPickups(t.ctx, n)
	t.give(err)
	return ids
}

func (t *trial) draft() string { return t.drafts(1)[0] }

// submitted creates pickups that wait for a driver.
func (t *trial) submitted(n int) []string {
	ids := t.drafts(n)
	t.each(ids, func(id string) { t.take(t.ctx, "submit", id, "") })
	return ids
}

// driver creates a driver who is off duty: they can be assigned, but are never dispatched.
func (t *trial) driver() string {
	id, err := t.newDriver(t.ctx, false)
	t.give(err)
	return id
}

func (t *trial) onDuty(n int) []string {
	ids, err := t.crewOf(t.ctx, n)
	t.give(err)
	return ids
}

// look reads a pickup.
func (t *trial) look(id string) pickup {
	var p pickup
	t.give(t.dispatcher.get(t.ctx, "/v1/pickups/"+id).into(&p))
	return p
}

// etag returns the ETag of a pickup.
func (t *trial) etag(id string) string {
	a := t.dispatcher.get(t.ctx, "/v1/pickups/"+id)
	t.give(a.into(&pickup{}))
	return a.etag
}

func (t *trial) events(id string) []event {
	events, err := list[event](t.ctx, t.dispatcher, "/v1/pickups/"+id+"/events")
	t.give(err)
	return events
}

// passed returns a pickup's transitions in order, each starting where the last ended.
func (t *trial) passed(id string) []string {
	var names []string
	at := "DRAFT"
	for _, e := range t.events(id) {
		same(t, "the status in which "+e.Transition+" began", e.FromStatus, at)
		names, at = append(names, e.Transition), e.ToStatus
	}
	same(t, "the status after the last event", t.look(id).Status, at)
	return names
}

// texts counts the messages of a pickup; ok is false if the server does not list them.
func (t *trial) texts(id string) (n int, ok bool) {
	messages, err := list[row](t.ctx, t.dispatcher, "/v1/pickups/"+id+"/messages")
	return len(messages), err == nil
}

func newKey() string { return uuid.NewString() }
