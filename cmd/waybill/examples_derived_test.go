package main

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"waybill/db"
)

// documented is what the document says of an operation.
type documented struct {
	method, path string
	OperationID  string
	Description  string
	Parameters   []struct {
		Name     string
		Required bool
		Example  any
	}
	RequestBody *struct {
		Required bool
		Content  map[string]struct{ Schema property }
	}
}

// property is a schema.
type property struct {
	Ref        string `json:"$ref"`
	Format     string
	Examples   []any
	Required   []string
	Properties map[string]property
}

// derivedSteps returns requests for the operations that exampleSteps lacks: for a noun, whose members have examples
// (tags of the body's type), its create, list, get and edit; for a transition, in a pickup that may make it. What
// needs more is a step of exampleSteps.
func (w *exampleWalk) derivedSteps() (steps []exampleStep) {
	w.t.Helper()
	var left []*documented
	for id, op := range w.operations {
		if _, ok := w.made[id]; !ok {
			left = append(left, op)
		}
	}
	// The outer before the inner, and each create before what needs its row.
	slices.SortFunc(left, func(a, b *documented) int {
		return cmp.Or(strings.Count(a.path, "/")-strings.Count(b.path, "/"), strings.Compare(b.method, a.method),
			strings.Compare(a.OperationID, b.OperationID))
	})
	for _, op := range left {
		if step, err := w.derived(op); err != nil {
			w.t.Errorf("%s has no example, and %v: its step goes into exampleSteps", op.OperationID, err)
		} else {
			steps = append(steps, step)
		}
	}
	return steps
}

var rolesOf = regexp.MustCompile(`Roles: (\w+)`)

func (w *exampleWalk) derived(op *documented) (s exampleStep, err error) {
	s.operation = op.OperationID
	if name, ok := strings.CutPrefix(op.path, "/v1/pickups/{pickup_id}/"); ok && op.method == "POST" {
		if rule := w.ruleOf(name); rule != nil {
			s.as, s.parameters = rule.Roles[0], []any{"pickup_id", w.pickupIn(rule.FromStatuses[0])}
			return s, nil
		}
	}
	if role := rolesOf.FindStringSubmatch(op.Description); role != nil {
		s.as = db.UserRole(role[1])
	}
	for _, p := range op.Parameters {
		switch {
		case strings.Contains(op.path, "{"+p.Name+"}"):
			create := "create-" + strings.ReplaceAll(strings.TrimSuffix(p.Name, "_id"), "_", "-")
			if w.operations[create] == nil {
				return s, fmt.Errorf("there is no %s", create)
			}
			s.parameters = append(s.parameters, p.Name, exampleID(create))
		case p.Name == "limit":
			s.parameters = append(s.parameters, p.Name, 2)
		case p.Required && p.Name != "If-Match":
			return s, fmt.Errorf("%s is required", p.Name)
		}
	}
	if op.RequestBody != nil {
		s.body, err = w.bodyOf(op)
	}
	return s, err
}

// exampleID returns the id of what the create of a derived step makes.
func exampleID(create string) string { return demoID("example of " + create).String() }

// bodyOf returns a body of the members' examples.
func (w *exampleWalk) bodyOf(op *documented) (any, error) {
	schema := op.RequestBody.Content["application/json"].Schema
	if schema.Ref != "" {
		schema = w.schemas[path.Base(schema.Ref)]
	}
	body := in{}
	for name, member := range schema.Properties {
		switch {
		case name == "id" && member.Format == "uuid":
			body[name] = exampleID(op.OperationID)
		case len(member.Examples) > 0:
			body[name] = member.Examples[0]
		case slices.Contains(schema.Required, name):
			return nil, fmt.Errorf("%s has none", name)
		}
	}
	if len(body) == 0 {
		return nil, fmt.Errorf("no member has one")
	}
	return body, nil
}

// rule is a row of the dictionary.
type rule struct {
	Transition   string
	FromStatuses []string `json:"from_statuses"`
	ToStatus     string   `json:"to_status"`
	Roles        []db.UserRole
}

func (w *exampleWalk) ruleOf(transition string) *rule {
	for _, r := range w.rules() {
		if r.Transition == transition {
			return &r
		}
	}
	return nil
}

func (w *exampleWalk) rules() []rule {
	var page struct{ Items []rule }
	w.unmarshal(w.send("GET", "/v1/pickup-transitions", w.tokens[db.UserRoleAdmin], nil, ""), &page)
	return page.Items
}

// pickupIn makes a pickup of a demo clinic, leads it to a status, and returns its id.
func (w *exampleWalk) pickupIn(status string) string {
	w.t.Helper()
	body := exampleDraft(demoID("example in " + status).String())
	w.send("POST", "/v1/pickups", w.tokens[db.UserRoleStaff], body, "")
	id := body["id"].(string)
	for _, r := range w.way(status) {
		w.send("POST", "/v1/pickups/"+id+"/"+r.Transition, w.tokens[r.Roles[0]], nil, "")
	}
	w.known = append(w.known, id)
	return id
}

// way returns the shortest way from a draft to a status, by transitions that need no body.
func (w *exampleWalk) way(status string) []rule {
	w.t.Helper()
	rules := slices.DeleteFunc(w.rules(), func(r rule) bool {
		body := w.operations[r.Transition+"-pickup"].RequestBody
		return body != nil && body.Required
	})
	ways, next := map[string][]rule{"DRAFT": {}}, []string{"DRAFT"}
	for len(next) > 0 {
		at := next[0]
		next = next[1:]
		for _, r := range rules {
			if _, known := ways[r.ToStatus]; !known && slices.Contains(r.FromStatuses, at) {
				ways[r.ToStatus] = append(slices.Clone(ways[at]), r)
				next = append(next, r.ToStatus)
			}
		}
	}
	way, ok := ways[status]
	if !ok {
		w.t.Fatalf("no way leads to %s", status)
	}
	return way
}
