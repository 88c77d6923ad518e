package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/api"
	"waybill/cmd/waybill/texts"
)

// Who builds a gateway has only the document: the request that it describes is the one that is sent.
func TestTheDocumentDescribesTheRequestToTheGateway(t *testing.T) {
	t.Parallel()
	var header http.Header
	var sent map[string]any
	gateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(gateway.Close)
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	sender, err := texts.NewGateway(texts.GatewayOptions{URL: gateway.URL, Timeout: time.Minute, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.New()
	text := texts.Text{ID: id, To: "+14155550123", Body: "Your driver is on the way!",
		CreatedAt: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)}
	if answer := sender.Send(t.Context(), text); answer.Verdict != texts.Accepted {
		t.Fatalf("the gateway answered %v", answer)
	}
	described := describedWebhook(t, "sendText")
	if len(described.Parameters) != 3 {
		t.Errorf("%d headers are described", len(described.Parameters))
	}
	for _, p := range described.Parameters {
		if header.Get(p.Name) == "" {
			t.Errorf("the header %s is not sent", p.Name)
		}
	}
	example := described.RequestBody.Content["application/json"].Example
	data, _ := sent["data"].(map[string]any)
	shown, _ := example["data"].(map[string]any)
	if data["id"] != id.String() || !maps.Equal(without(sent, "data"), without(example, "data")) ||
		!maps.Equal(without(data, "id"), without(shown, "id")) ||
		!slices.Equal(slices.Sorted(maps.Keys(data)), slices.Sorted(maps.Keys(shown))) {
		t.Errorf("sent: %v; described: %v", sent, example)
	}
}

// without returns a copy that lacks a member.
func without(object map[string]any, member string) map[string]any {
	rest := maps.Clone(object)
	delete(rest, member)
	return rest
}

// webhook is a webhook of the document.
type webhook struct {
	Parameters  []struct{ Name string }
	RequestBody struct {
		Content map[string]struct{ Example map[string]any }
	}
}

func describedWebhook(t *testing.T, name string) webhook {
	t.Helper()
	a, err := api.New(t.Context(), nil, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := a.Document("3.1")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Webhooks map[string]struct{ Post webhook }
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	return document.Webhooks[name].Post
}
