package api

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// The comment on a column describes each member that shows or sets it, in answers and requests, unless a doc tag
// says something else; the comment on a table describes the row.

// describeSchemas adds the database's comments to the schemas of its rows, and of the requests that write them.
func describeSchemas(schemas map[string]*huma.Schema) {
	for name, schema := range schemas {
		table := tableOf(name)
		if schema.Description == "" {
			schema.Description = describedSchemas[name]
		}
		if schema.Description == "" && schema.Type == huma.TypeObject {
			schema.Description = describeRow(name, db.Comments[table])
		}
		for member, property := range schema.Properties {
			property.Description = describeMember(property.Description, db.Comments[table+"."+columnOf(member)])
		}
	}
}

// describeMember returns the description of a member with a doc tag, which may be "", and a comment on its column.
func describeMember(doc, comment string) string {
	switch {
	case doc == "":
		return comment
	case comment != "" && (strings.HasPrefix(doc, "Visible to") || strings.HasPrefix(doc, "Not visible to")):
		return comment + ". " + doc
	}
	return doc
}

// describeRow returns the description of a schema whose table has a comment.
func describeRow(schema, comment string) string {
	switch {
	case comment == "":
		return ""
	case strings.HasPrefix(schema, "Page"):
		return "A page of a list"
	case strings.HasPrefix(schema, "New"):
		return "A request to create: " + lowerFirst(comment)
	case strings.HasSuffix(schema, "Edit"):
		return "A request to change: " + lowerFirst(comment) + ". An omitted member stays as it is"
	}
	return comment
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }

// tableOf returns the table that a schema shows or writes rows of: the plural of its noun, but for a few.
func tableOf(schema string) string {
	if table, ok := tables[schema]; ok {
		return table
	}
	noun := strings.TrimPrefix(strings.TrimPrefix(schema, "Page"), "New")
	for _, suffix := range []string{"Edit", "Record", "Setting"} {
		noun = strings.TrimSuffix(noun, suffix)
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return snake(stem) + "ies"
	}
	return snake(noun) + "s"
}

// tables are those of schemas that are not named after their table.
var tables = map[string]string{
	"Assignment": "pickups", "Credentials": "users", "DriverLocation": "drivers", "NewLedgerEntry": "ledger_entries",
	"PickupPatient": "patients", "TransitionRule": "pickup_transitions", "PageTransitionRule": "pickup_transitions",
	"AdjustmentRule": "pickup_adjustment_rules", "PageAdjustmentRule": "pickup_adjustment_rules",
	"NewPickups": "", "Pickups": "", "PickupCounts": "", "PickupCount": "pickups",
	"Feed": "feed_reports", "PageFeed": "feed_reports", "ListedDriver": "drivers", "PageListedDriver": "drivers",
	"PatientSearch": "patients",
}

// columnOf returns the column that a member shows.
func columnOf(member string) string {
	if column, ok := columns[member]; ok {
		return column
	}
	return member
}

// columns are those of members with another name.
var columns = map[string]string{
	"from_status": "before", "from_statuses": "before", "to_status": "after", "to": "to_number",
}

// describedSchemas are descriptions of schemas that are no row.
var describedSchemas = map[string]string{
	"Write":            "A write of a batch: a request to an operation",
	"Writes":           "Writes that are made together",
	"WriteHeaders":     "The headers of a write of a batch",
	"WriteAnswer":      "The answer to one write of a batch",
	"Written":          "The answers to the writes of a batch",
	"Assignment":       "The driver of an assignment",
	"Cancellation":     "Why a pickup is canceled",
	"Credentials":      "What a user logs in with",
	"FeedResult":       "What a feed changed",
	"FeedError":        "An invalid record of a list, without any value of it",
	"RecordError":      "What is wrong with a record of a list",
	"Health":           "That the server is well",
	"LocatedDriver":    "What became of an observation, and the driver as known now",
	"DriverLocation":   "An observation of a driver",
	"Login":            "A new session, with its token",
	"NewPrice":         "The new price of a pickup",
	"PatientSearch":    "Which patients are searched, and the page: without a filter, all that the caller sees",
	"PartialRefund":    "How much of a charge is returned, and why",
	"PasswordChange":   "The old and the new password",
	"NewPickups":       "A batch of pickups to create: all of them, or none",
	"Pickups":          "The pickups of a batch, in its order",
	"PickupCounts":     "How many pickups the caller sees in each status",
	"PickupCount":      "How many pickups the caller sees in one status",
	"Problem":          "Why a request was rejected (RFC 9457)",
	"Session":          "The session of the token that a request carries: a client has one, so that its path has no id",
	"NotApplied":       "Records of a feed that changed nothing, by the reason",
	"AccountStatement": "The entries of an account in a range of time, with the balance after each",
	"StuckJob":         "A job of the tenant's background work that does not get done",
	"PageStuckJob":     "A page of a list",
	"StatementLine":    "An entry of an account, with the balance after it",
}

// describedValues are descriptions of the values of enums that are no component, by the values.
var describedValues = map[string][]string{
	"reprice,refund": {"Changes the price, and charges or returns the difference", "Returns a part of the charge"},
	"free,busy,off_duty": {"On duty, with no pickup assigned", "A pickup is assigned, on duty or not",
		"Not on duty, with no pickup assigned"},
	"failed,canceled,panic": {"It failed", "It was called off by its worker, and is not tried again",
		"The worker's program failed"},
	"newest,oldest,longest_waiting": {"By created_at, the newest first", "By created_at, the oldest first",
		"By submitted_at, the longest ago first, and only those that wait: SUBMITTED to SHIPPED"},
}

// describeValues adds descriptions to the values of an enum that is no component.
func describeValues(s *huma.Schema) {
	values := make([]string, len(s.Enum))
	for i, value := range s.Enum {
		values[i], _ = value.(string)
	}
	if texts := describedValues[strings.Join(values, ",")]; texts != nil {
		s.Extensions = map[string]any{"x-enum-descriptions": texts}
	}
}

// snake returns a Go name in snake case.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
