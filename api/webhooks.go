package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"waybill/api/webhook"
)

const aboutSendText = "Sent to the gateway of the operator (WAYBILL_GATEWAY_URL), for each text. It is signed as " +
	"Standard Webhooks says: verify it before you act on it, by `@waybill/client/webhooks` or, in Go, " +
	"`api/client/webhooks`. A request is repeated until it is answered, with backoff for some days, so that the same " +
	"`Webhook-Id` may come more than once: send the text once."

// describeWebhooks adds the requests that Waybill itself sends to the document.
func (a *server) describeWebhooks() {
	o := a.huma.OpenAPI()
	o.Webhooks = map[string]*huma.PathItem{
		"sendText":    {Post: sendText(o.Components.Schemas)},
		"pickupEvent": {Post: pickupEvent()},
		"webhookPing": {Post: webhookPing()},
	}
}

// signedHeaders returns the headers of a request that is signed after Standard Webhooks.
func signedHeaders(id, example string) []*huma.Param {
	header := func(name, about, example string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Description: about, Example: example,
			Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return []*huma.Param{
		header("Webhook-Id", id, example),
		header("Webhook-Timestamp", "When the request was sent, in seconds since 1970: refuse one more than five "+
			"minutes off", "1767603600"),
		header("Webhook-Signature", "\"v1,\" and the base64 of the HMAC-SHA256 of the id, the timestamp and the "+
			"body, joined by full stops; one for each secret in use, separated by spaces",
			"v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
	}
}

// sentLater describes an answer that has a request sent again.
func sentLater(about string) *huma.Response {
	return &huma.Response{Description: about,
		Headers: map[string]*huma.Header{"Retry-After": {Description: "Seconds to wait, at most an hour",
			Schema: &huma.Schema{Type: huma.TypeString}}}}
}

func sendText(schemas huma.Registry) *huma.Operation {
	text := webhook.TextRequest{Type: webhook.SendText}
	text.Data = webhook.TextData{ID: "019b8d5a-7000-7000-8000-000000000001", To: "+14155550123",
		Body: "Your driver is on the way!"}
	return &huma.Operation{
		OperationID: "send-text", Summary: "Send a text", Description: aboutSendText, Tags: []string{"webhooks"},
		Security:   []map[string][]string{},
		Parameters: signedHeaders("The message's id: the idempotency key", text.Data.ID),
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
			Schema:  textRequest(schemas),
			Example: map[string]any{"type": text.Type, "timestamp": "2026-01-05T09:00:00Z", "data": text.Data},
		}}},
		Responses: map[string]*huma.Response{
			"204": {Description: "Accepted, as is every other 2xx whose body is no web page"},
			"422": {Description: "The text itself is refused, and not sent again, as by 400 and 410. A `code` in the " +
				"body becomes part of the message's reason", Content: map[string]*huma.MediaType{"application/json": {
				Schema: &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"code": {
					Type: huma.TypeString, Description: "Why", Pattern: "^[a-z][a-z0-9_]{0,34}$",
					Examples: []any{"opted_out"},
				}}},
				Example: map[string]any{"code": "opted_out"},
			}}},
			"503": sentLater("Sent again later, as after every other status, after Retry-After if it is there"),
		},
	}
}

// textRequest returns the schema of the body. It is no component: some generators omit what only webhooks refer to.
func textRequest(schemas huma.Registry) *huma.Schema {
	body := schemas.Schema(reflect.TypeFor[webhook.TextRequest](), false, "TextRequest")
	data := schemas.Map()["TextData"]
	data.Description = body.Properties["data"].Description
	body.Properties["data"] = data
	delete(schemas.Map(), "TextData")
	delete(schemas.Map(), "TextRequest")
	body.Title, body.Description = "TextRequest", "Asks the gateway to send a text"
	return body
}
