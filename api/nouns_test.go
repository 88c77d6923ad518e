package api_test

import (
	"maps"
	"regexp"
	"strings"

	"waybill/db"
)

// noun is what a noun's own file adds to the tables from which nothing may be missing, so that a new noun changes
// none of them. What it does not say is missing there, by name.
type noun struct {
	rights   map[string]rights // of its operations
	replicas []string          // its operations that replicas serve
}

// has adds a noun. Its result is for a variable, so that a file can do so.
func has(n noun) bool {
	for id, r := range n.rights {
		if _, ok := table[id]; ok {
			panic(id + " is in the role table twice")
		}
		table[id] = r
	}
	for _, id := range n.replicas {
		servedBy[id] = byReplica
	}
	return true
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// created adds to ids those of the parameters in an operation's path that it lacks: of rows that the document's
// create makes, in the parameter's place. All in the tenant see them, or nobody does.
func (s *server) created(op *described, role db.UserRole, which string, t *tenant, ids map[string]string) {
	s.t.Helper()
	for _, m := range pathParameter.FindAllStringSubmatch(op.path, -1) {
		name := m[1]
		if _, ok := ids[name]; ok {
			continue
		}
		create := theDocument().operation("create-" + strings.ReplaceAll(strings.TrimSuffix(name, "_id"), "_", "-"))
		switch {
		case create == nil || !strings.HasPrefix(op.path, create.path+"/"):
			s.t.Fatalf("%s: no row is known for {%s}", op.id, name)
		case which == "absent":
			ids[name] = newID().String()
			continue
		case which == "other" && s.rightsOf(op.id).may(role) == 'O':
			s.t.Fatalf("%s: no row is known that %s does not see", op.id, role)
		}
		s.created(create, role, which, t, ids)
		path := create.path
		for name, id := range ids {
			path = strings.ReplaceAll(path, "{"+name+"}", id)
		}
		body := s.bodyFor(create, t)
		if b, ok := body.(object); ok && b["name"] != nil && which == "foreign" {
			b["name"] = newCanary()
			s.planted[b["name"].(string)] = nil
		}
		ids[name] = s.do(t.whoMay(create.id), create.method, path, body).want(201).str("id")
	}
}

// whoMay returns a user of the tenant who may call the operation.
func (t *tenant) whoMay(operation string) *user {
	for _, role := range roles {
		if right, ok := table[operation]; ok && right.may(role) != '-' {
			return t.as(role)
		}
	}
	return nil
}

// recordedBody returns the body of the operation's example, of a new row and with what the tenant has. ok is false
// if it has none.
func (t *tenant) recordedBody(op *described) (body object, ok bool) {
	recorded, ok := op.example.(object)
	if !ok {
		return nil, false
	}
	body, own := maps.Clone(recorded), t.ownIDs(db.UserRoleStaff, "own")
	for name := range body {
		if id, known := own[name]; known && strings.HasSuffix(name, "_id") {
			body[name] = id
		} else if name == "id" {
			body[name] = newID()
		}
	}
	return body, true
}

// byReplica, and others that begin with "primary", say who serves the reads of an operation.
const byReplica = "replica"

// servedBy says who serves the reads of each operation that is not served by the primary, or says why it is.
var servedBy = map[string]string{
	"list-accounts": byReplica, "get-account": byReplica, "list-account-entries": byReplica,
	"get-account-entry": byReplica,
	"list-drivers":      byReplica, "get-driver": byReplica,
	"list-facilities": byReplica, "get-facility": byReplica,
	"list-flags": byReplica, "get-flag": byReplica,
	"list-groups": byReplica, "get-group": byReplica, "list-group-members": byReplica,
	"list-group-facilities": byReplica, "list-account-facilities": byReplica,
	"list-users": byReplica, "get-user": byReplica, "list-phone-numbers": byReplica,
	"get-pickup-counts": byReplica,

	"list-webhook-deliveries": "primary: with its endpoint",

	"list-pickups": "primary: audited", "get-pickup": "primary: audited", "list-pickup-events": "primary: audited",
	"get-pickup-patient": "primary: audited", "list-patients": "primary: audited", "get-patient": "primary: audited",
	"list-appointments": "primary: audited", "list-patient-appointments": "primary: audited",
	"list-patient-reads":    "primary: the audit itself",
	"list-user-reads":       "primary: the audit itself",
	"list-stuck-jobs":       "primary: as it is now",
	"list-patient-consents": "primary: who may see a patient", "list-pickup-messages": "primary: with its pickup",
	"get-session": "primary: the session itself", "list-pickup-transitions": "primary: kept by the process",
	"list-pickup-adjustments": "primary: kept by the process",
	"stream-pickups":          "primary: a stream", "get-account-statement": "primary: a stream", "livez": "no session",
	"readyz": "no session", "get-error": "no session",
}
