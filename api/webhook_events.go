package api

import (
	"github.com/danielgtaylor/huma/v2"
	"strings"

	"waybill/api/webhook"
	"waybill/db"
)

const aboutPickupEvent = "Sent to each webhook endpoint of the tenant that wants events of its name: a " +
	"transition, or " +
	"a change of what the pickup is charged. It has what an admin is " +
	"shown in stream-pickups: ids, the status, times and the version, and neither names, addresses and notes nor a " +
	"price. It is signed as Standard Webhooks says, with the endpoint's secret: verify it before you act on it, by " +
	"`@waybill/client/webhooks` or, in Go, `api/client/webhooks`.\n\nEach event is sent at least once: the same " +
	"`Webhook-Id` may come again, so do once what is to be done once. The events of one pickup come in the order " +
	"of its " +
	"versions, the next one when the one before was accepted or given up; those of different pickups in any order. " +
	"Every answer but a 2xx is a failure, also a redirect, and so is none within 10 seconds. It is tried up to " +
	"15 times " +
	"within about three days, with exponential backoff and jitter, and no sooner than Retry-After asks for; then " +
	"it is a " +
	"dead letter, which redeliver-webhook sends again. The body of the answer is not looked at."

// sampleEventID is the id in the examples of events.
const sampleEventID = "019b8d5a-7000-7000-8000-000000000002"

// receiverAnswers are the answers of a receiver.
func receiverAnswers() map[string]*huma.Response {
	return map[string]*huma.Response{
		"204": {Description: "Accepted, as is every other 2xx"},
		"503": sentLater("Sent again later, as after every other status, after Retry-After if it is there"),
	}
}

// eventBody returns the body of an event: its types, and the schema and an example of its data.
func eventBody(types []any, about string, data *huma.Schema, example any) *huma.RequestBody {
	kind := &huma.Schema{Type: huma.TypeString, Enum: types, Description: "What happened"}
	if len(types) > 1 {
		kind.Extensions = map[string]any{"x-enum-descriptions": describedTypes(types)}
	}
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
		Schema: &huma.Schema{
			Type: huma.TypeObject, Description: about, Required: []string{"type", "timestamp", "data"},
			AdditionalProperties: false,
			Properties: map[string]*huma.Schema{
				"type": kind,
				"timestamp": {Type: huma.TypeString, Format: "date-time", Description: "When it happened; a retry " +
					"has the same"},
				"data": data,
			},
		},
		Example: map[string]any{"type": types[0], "timestamp": "2026-01-05T09:00:00Z", "data": example},
	}}}
}

func pickupEvent() *huma.Operation {
	var types []any
	for _, t := range db.AllTransitionNameValues() {
		types = append(types, webhook.PickupPrefix+string(t))
	}
	return &huma.Operation{
		OperationID: "pickup-event", Summary: "An event of a pickup", Description: aboutPickupEvent,
		Tags: []string{"webhooks"}, Security: []map[string][]string{},
		Parameters: signedHeaders("The event's id, which a retry has too", sampleEventID),
		RequestBody: eventBody(types, "An event of a pickup", &huma.Schema{Ref: "#/components/schemas/PickupEvent"},
			map[string]any{"id": sampleEventID, "pickup_id": "019b8d5a-7000-7000-8000-000000000003", "version": 2,
				"transition": types[0].(string)[len(webhook.PickupPrefix):], "from_status": "DRAFT",
				"to_status": "SUBMITTED", "actor_id": "019b8d5a-7000-7000-8000-000000000004", "driver_id": nil,
				"created_at": "2026-01-05T09:00:00Z"}),
		Responses: receiverAnswers(),
	}
}

// describedTypes returns what the transitions of types of events do.
func describedTypes(types []any) (texts []string) {
	for _, t := range types {
		texts = append(texts, db.Comments["transition_name."+strings.TrimPrefix(t.(string), webhook.PickupPrefix)])
	}
	return texts
}

func webhookPing() *huma.Operation {
	id := func(about string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Format: "uuid", Description: about}
	}
	return &huma.Operation{
		OperationID: "webhook-ping", Summary: "A ping", Tags: []string{"webhooks"},
		Description: "Sent to a webhook endpoint when ping-webhook-endpoint asks for it, signed and repeated like an " +
			"event: answer it like one.",
		Security:   []map[string][]string{},
		Parameters: signedHeaders("The ping's id, which a retry has too", sampleEventID),
		RequestBody: eventBody([]any{webhook.Ping}, "A ping", &huma.Schema{
			Type: huma.TypeObject, Description: "Which endpoint is tried", Required: []string{"endpoint_id"},
			AdditionalProperties: false,
			Properties:           map[string]*huma.Schema{"endpoint_id": id("The webhook endpoint")},
		}, map[string]any{"endpoint_id": "019b8d5a-7000-7000-8000-000000000005"}),
		Responses: receiverAnswers(),
	}
}
