// Package webhook has the bodies of the requests that Waybill sends, for the sender and for the OpenAPI document.
package webhook

import "time"

// TextRequest asks the gateway to send a text.
type TextRequest struct {
	Type      string    `json:"type" enum:"message.send" doc:"What is asked for"`
	Timestamp time.Time `json:"timestamp" doc:"When the text was owed; a retry has the same" example:"2026-01-05T09:00:00Z"`
	Data      TextData  `json:"data" doc:"The text"`
}

// SendText is the type of a TextRequest.
const SendText = "message.send"

// TextData is the text, and whom it is for.
type TextData struct {
	ID   string `json:"id" format:"uuid" doc:"Id of the message, as in list-pickup-messages: send a text once for each" example:"019b8d5a-7000-7000-8000-000000000001"`
	To   string `json:"to" doc:"The phone number, E.164" example:"+14155550123"`
	Body string `json:"body" doc:"Contains no patient data and no price" example:"Your driver is on the way!"`
}

// The types of the requests to webhook endpoints: a pickup's event has the transition after the prefix.
const (
	PickupPrefix = "pickup."
	Ping         = "webhook.ping"
)

// Event is the body of a request to a webhook endpoint. Data is the event as the API shows it, or a PingData.
type Event[T any] struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      T         `json:"data"`
}

// PingData says which endpoint is tried.
type PingData struct {
	EndpointID string `json:"endpoint_id"`
}
