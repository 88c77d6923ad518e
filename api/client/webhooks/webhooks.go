// Package webhooks verifies the requests that Waybill signs (Standard Webhooks), for those who receive events at a
// webhook endpoint, and those who build the gateway that sends its texts.
package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrUnsigned means that a request is not signed with the secret, or was signed too long ago: answer 401,
// and do not act on it.
var ErrUnsigned = errors.New("unsigned webhook")

// Tolerance is how far the sender's clock may be off.
const Tolerance = 5 * time.Minute

// Verifier verifies requests.
type Verifier struct{ keys [][]byte }

// New returns a verifier for a secret: "whsec_" and base64. Several, separated by blanks or commas, are
// all valid while one replaces the other.
func New(secret string) (*Verifier, error) {
	v := &Verifier{}
	isSeparator := func(r rune) bool { return strings.ContainsRune(" ,\t\r\n", r) }
	for _, part := range strings.FieldsFunc(secret, isSeparator) {
		text, isSecret := strings.CutPrefix(part, "whsec_")
		key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
		if !isSecret || err != nil || len(key) < 24 || len(key) > 64 {
			return nil, errors.New("the secret of a webhook must be whsec_ and the base64 of 24 to 64 bytes")
		}
		v.keys = append(v.keys, key)
	}
	if len(v.keys) == 0 {
		return nil, errors.New("the secret of a webhook is missing")
	}
	return v, nil
}

// Verify returns nil if a request with these headers and this body, byte for byte as it was received, was
// signed at about this time, and otherwise ErrUnsigned.
func (v *Verifier) Verify(header http.Header, body []byte, now time.Time) error {
	id, timestamp := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || now.Sub(time.Unix(seconds, 0)).Abs() > Tolerance {
		return ErrUnsigned
	}
	for _, key := range v.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		want := mac.Sum(nil)
		for _, signature := range strings.Fields(header.Get("Webhook-Signature")) {
			text, isV1 := strings.CutPrefix(signature, "v1,")
			got, err := base64.StdEncoding.DecodeString(text)
			if isV1 && err == nil && hmac.Equal(got, want) {
				return nil
			}
		}
	}
	return ErrUnsigned
}

// Event is the body of a request to a webhook endpoint: an event of a pickup, or a ping.
type Event struct {
	// ID is the Webhook-Id: the same for each retry. Do once for each what is to be done once.
	ID string `json:"-"`
	// Type is "pickup." and the transition, such as "pickup.submit", or "webhook.ping".
	Type string `json:"type"`
	// Timestamp is when it happened.
	Timestamp time.Time `json:"timestamp"`
	Data      Data      `json:"data"`
}

// Data is what an Event tells.
type Data struct {
	ID         string    `json:"id"`
	PickupID   string    `json:"pickup_id"`
	Version    int64     `json:"version"` // of the pickup after it: the order of its events
	Transition string    `json:"transition"`
	FromStatus string    `json:"from_status"`
	ToStatus   string    `json:"to_status"`
	ActorID    string    `json:"actor_id"`
	DriverID   *string   `json:"driver_id"`
	CreatedAt  time.Time `json:"created_at"`

	// EndpointID is that of a ping, which has nothing else.
	EndpointID string `json:"endpoint_id"`
}

// Event verifies a request to a webhook endpoint as Verify does, and returns its body.
func (v *Verifier) Event(header http.Header, body []byte, now time.Time) (Event, error) {
	if err := v.Verify(header, body, now); err != nil {
		return Event{}, err
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, err
	}
	e.ID = header.Get("Webhook-Id")
	return e, nil
}
