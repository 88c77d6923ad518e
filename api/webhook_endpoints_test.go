package api_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"waybill/api"
	"waybill/db"
)

var _ = has(noun{
	rights: map[string]rights{
		"create-webhook-endpoint": {"A----", ""}, "list-webhook-endpoints": {"A----", ""},
		"get-webhook-endpoint": {"A----", "endpoint"}, "edit-webhook-endpoint": {"A----", "endpoint"},
		"delete-webhook-endpoint": {"A----", "endpoint"}, "ping-webhook-endpoint": {"A----", "endpoint"},
		"list-webhook-deliveries": {"A----", "endpoint"}, "redeliver-webhook": {"A----", "delivery"},
	},
	replicas: []string{"list-webhook-endpoints", "get-webhook-endpoint"},
})

const endpoints = "/v1/webhook-endpoints"

// isSecret reports whether the text is a secret of 32 bytes, as Standard Webhooks writes it.
func isSecret(v any) bool {
	text, _ := v.(string)
	encoded, found := strings.CutPrefix(text, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	return found && err == nil && len(key) == 32
}

// newEndpoint makes an endpoint, and returns its path.
func (s *server) newEndpoint() string {
	s.t.Helper()
	return endpoints + "/" + s.do(s.admin, "POST", endpoints, object{"url": "https://a.example"}).
		want(201).object()["id"].(string)
}

// The secret is in the answer that makes it, and in no other one.
func TestASecretIsShownOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := object{"id": newID(), "url": "https://a.example/hook", "events": []string{"submit"}}
	created := s.do(s.admin, "POST", endpoints, body).want(201)
	secret := created.object()["secret"]
	path := created.header.Get("Location")
	if !isSecret(secret) || created.object()["version"] != 1.0 {
		t.Fatalf("created: %s", created)
	}
	replay := s.do(s.admin, "POST", endpoints, body).want(200)
	if replay.header.Get("Idempotency-Replayed") != "true" {
		t.Error("the replay is not marked")
	}
	tag := created.header.Get("ETag")
	edited := s.do(s.admin, "PATCH", path, object{"events": []string{}}, "If-Match", tag).want(200)
	for _, a := range []*answer{replay, edited, s.do(s.admin, "GET", path, nil).want(200),
		s.do(s.admin, "GET", endpoints, nil).want(200)} {
		if strings.Contains(string(a.body), "whsec_") || strings.Contains(string(a.body), `"secret"`) {
			t.Errorf("a secret is shown again: %s", a)
		}
	}
	rotated := s.do(s.admin, "PATCH", path, object{"rotate_secret": true},
		"If-Match", edited.header.Get("ETag")).want(200)
	if next := rotated.object()["secret"]; !isSecret(next) || next == secret ||
		rotated.object()["former_secret_ends_at"] == nil {
		t.Errorf("rotated: %s", rotated)
	}
	s.do(s.admin, "POST", endpoints, object{"id": body["id"], "url": "https://b.example"}).
		refused(409, "id_reused", "id")
}

func TestAnEndpointIsEditedAndDeletedByItsVersion(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.newEndpoint()
	s.do(s.admin, "PATCH", path, object{"url": "https://b.example"}).refused(428, "precondition_required", "If-Match")
	s.do(s.admin, "PATCH", path, object{"url": "https://b.example"}, "If-Match", `"1"`).want(200)
	s.do(s.admin, "PATCH", path, object{"url": "https://c.example"}, "If-Match", `"1"`).refused(412, "stale_version")
	s.do(s.admin, "PATCH", path, object{}, "If-Match", `"2"`).want(200)
	s.do(s.admin, "GET", path, nil, "If-None-Match", `"2"`).want(304)
	s.do(s.admin, "DELETE", path, nil, "If-Match", `"1"`).refused(412, "stale_version")
	s.do(s.admin, "DELETE", path, nil, "If-Match", `"2"`).want(204)
	s.do(s.admin, "DELETE", path, nil).refused(404, "not_found")
	s.do(s.admin, "GET", path, nil).refused(404, "not_found")
	s.do(s.admin, "PATCH", path, object{"url": "https://b.example"}, "If-Match", `"3"`).refused(404, "not_found")
	s.do(s.admin, "POST", path+"/ping", nil).refused(404, "not_found")
	s.do(s.admin, "GET", path+"/deliveries", nil).refused(404, "not_found")
	if items := s.do(s.admin, "GET", endpoints, nil).want(200).object()["items"].([]any); len(items) != 0 {
		t.Errorf("%d endpoints are listed", len(items))
	}
}

func TestATenantHasTwentyEndpoints(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	answers := atOnce(24, func(n int) *answer {
		return s.do(s.admin, "POST", endpoints, object{"id": newID(), "url": fmt.Sprintf("https://%d.example", n)})
	})
	if got := tally(answers); got["201"] != 20 || got["409"] != 4 {
		t.Errorf("%v", got)
	}
	s.do(s.admin, "POST", endpoints, object{"url": "https://a.example"}).refused(409, "webhook_endpoint_limit", "")
	items := s.do(s.admin, "GET", endpoints+"?limit=200", nil).want(200).object()["items"].([]any)
	s.do(s.admin, "DELETE", endpoints+"/"+items[0].(object)["id"].(string), nil).want(204)
	s.do(s.admin, "POST", endpoints, object{"url": "https://a.example"}).want(201)
}

func TestWebhookURLsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.newEndpoint()
	for _, url := range []string{"http://a.example", "ftp://a.example", "https://",
		"https:///a", "a.example", "//a.example",
		"https://user@a.example", "https://user:pw@a.example", "https://a.example/#b", "https://a.example/ b",
		"https://a.example/\t", "javascript:alert(1)"} {
		s.do(s.admin, "POST", endpoints, object{"url": url}).refused(422, "validation_failed", "url")
		s.do(s.admin, "PATCH", path, object{"url": url}, "If-Match", `"1"`).refused(422, "validation_failed", "url")
	}
	s.do(s.admin, "POST", endpoints, object{"url": "https://a.example", "events": []string{"vanish"}}).
		refused(422, "validation_failed", "events[0]")
	plain := start(t, func(_ *db.Config, o *api.Options) { o.WebhookAllowPrivate = true })
	plain.do(plain.admin, "POST", endpoints, object{"url": "http://127.0.0.1:8080"}).want(201)
}

func TestAPingIsADeliveryThatCanBeSentAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.newEndpoint()
	ping := s.do(s.admin, "POST", path+"/ping", nil, "Idempotency-Key", "one").want(200)
	if o := ping.object(); o["type"] != "webhook.ping" || o["status"] != "PENDING" || o["pickup_id"] != nil {
		t.Errorf("%s", ping)
	}
	again := s.do(s.admin, "POST", path+"/ping", nil, "Idempotency-Key", "one").want(200)
	if again.object()["id"] != ping.object()["id"] || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the replay is %s", again)
	}
	s.do(s.admin, "POST", path+"/ping", nil).want(200)
	list := func(query string, want int) []any {
		t.Helper()
		items := s.do(s.admin, "GET", path+"/deliveries"+query, nil).want(200).object()["items"].([]any)
		if len(items) != want {
			t.Errorf("%s: %d deliveries, want %d", query, len(items), want)
		}
		return items
	}
	list("", 2)
	list("?status=FAILED&status=DELIVERED", 0)
	list("?status=PENDING&status=PENDING", 2)
	id := ping.object()["id"].(string)
	s.exec("UPDATE webhook_deliveries SET status = 'FAILED', attempts = 15, next_attempt_at = NULL WHERE id = $1", id)
	s.exec("UPDATE webhook_queues SET pending = 0 WHERE id = $1", id)
	list("?status=FAILED", 1)
	for range 2 { // the second one leaves it as it is
		if o := s.do(s.admin, "POST", path+"/deliveries/"+id+"/redeliver", nil).want(200).
			object(); o["status"] != "PENDING" ||
			o["attempts"] != 0.0 {
			t.Errorf("%v", o)
		}
	}
	list("?status=FAILED", 0)
	s.do(s.admin, "POST", path+"/deliveries/"+newID().String()+"/redeliver", nil).refused(404, "not_found", "")
	s.do(s.admin, "POST", s.newEndpoint()+"/deliveries/"+id+"/redeliver", nil).refused(404, "not_found", "")
}
