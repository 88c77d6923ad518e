//go:build !race

// The server is api's to test with the race detector.

package client_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/api/client"
)

func TestABatchGivesEachItemItsValue(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	dispatcher := s.as(s.dispatcher)
	draft := s.newPickup()
	draft.ID = new(uuid.New())
	driver := value(dispatcher.Drivers.Get(ctx, s.driverID))(t)

	var batch client.Batch
	created := batch.CreatePickup(draft)
	submitted := batch.SubmitPickup(*draft.ID, client.IfMatch(`"1"`))
	edited := batch.EditDriver(driver, client.DriverEdit{Name: new("Grace Hopper")})
	assigned := batch.AssignPickup(*draft.ID, client.Assignment{DriverID: s.driverID})
	canceled := batch.CancelPickup(*draft.ID, client.Cancellation{Reason: new("Booked twice")})
	check(t, dispatcher.DryRun().Batches.WriteBatch(ctx, &batch))
	if tried := canceled.Value; !tried.DryRun || tried.ETag != "" || tried.Status != client.PickupStatusCanceled {
		t.Errorf("a dry run canceled %+v", tried)
	}
	_, err := dispatcher.Pickups.Get(ctx, *draft.ID)
	wantCode(t, err, client.CodeNotFound)

	check(t, dispatcher.Batches.WriteBatch(ctx, &batch))
	for i, item := range []*client.Item[client.Pickup]{created, submitted, assigned, canceled} {
		if got := item.Value; got.ID != *draft.ID || got.ETag == "" || got.Replayed || got.Version != int64(i+1) {
			t.Errorf("pickup %d is %+v", i, got)
		}
	}
	if edited.Value.Name != "Grace Hopper" || edited.Value.ETag == driver.ETag {
		t.Errorf("the driver is %+v", edited.Value)
	}
	wantCode(t, dispatcher.Batches.WriteBatch(ctx, &batch), client.CodeStaleVersion) // of the edit
	if created.Value != nil {
		t.Error("a batch that was rejected has values")
	}
}

func TestABatchThatIsSentAgainIsOneIntent(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	admin := s.as(s.admin)
	var others client.Batch
	account := batchID(others.CreateAccount, client.NewAccount{ID: new(uuid.New()), Name: "Lab", Currency: "USD"})
	paid := others.DepositToAccount(account, client.NewLedgerEntry{AmountCents: 700})
	removed := others.RemoveGroupMember(s.group, s.hub.id)
	for i := range 2 {
		check(t, admin.Batches.WriteBatch(ctx, &others))
		if paid.Value.AmountCents != 700 || paid.Value.Replayed != (i == 1) || removed.Value != nil {
			t.Errorf("paid %+v, removed %v", paid.Value, removed.Value)
		}
		check(t, admin.Groups.AddMember(ctx, s.group, s.hub.id))
	}
	if got := value(admin.Accounts.Get(ctx, account))(t).BalanceCents; got != 700 {
		t.Errorf("the balance is %d, want 700", got)
	}
}

// batchID adds a create whose body has an id, and returns that.
func batchID(
	add func(client.NewAccount, ...client.CreateOption) *client.Item[client.Account], body client.NewAccount,
) uuid.UUID {
	add(body)
	return *body.ID
}

func TestABatchTellsTheItemThatWasRejected(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	admin := s.as(s.admin)
	var batch client.Batch
	paid := batch.DepositToAccount(s.account, client.NewLedgerEntry{AmountCents: 700})
	batch.CreateFacility(client.NewFacility{Name: "Lab", Address: "1 Lab Way", Latitude: 37, Longitude: -122})
	batch.CancelPickup(uuid.New(), client.Cancellation{})
	err := admin.Batches.WriteBatch(ctx, &batch)
	var p *client.Problem
	if !errors.As(err, &p) || p.Code != client.CodeNotFound || p.Item == nil || *p.Item != 2 || paid.Value != nil {
		t.Errorf("the batch is rejected by %v, %+v", err, p)
	}
	if got := value(admin.Accounts.Get(ctx, s.account))(t).BalanceCents; got != balance {
		t.Errorf("the balance is %d: the batch should not have taken effect", got)
	}
	// An edit is based on a row with an ETag.
	for listed, err := range admin.Drivers.List(ctx, nil) {
		check(t, err)
		var edits client.Batch
		edits.EditDriver(&client.Driver{ID: listed.ID, Version: listed.Version}, client.DriverEdit{Name: new("Ada")})
		if err := admin.Batches.WriteBatch(ctx, &edits); err == nil || !strings.Contains(err.Error(), "item 0") {
			t.Errorf("an edit of a listed row: %v", err)
		}
	}
}

func TestABatchWhoseAnswerIsLostIsMadeOnce(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	lost := false
	losing := altering(func(r *http.Request) (*http.Response, error) {
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err == nil && !lost && r.URL.Path == "/v1/batch" {
			lost = true
			answer.Body.Close()
			return nil, http.ErrHandlerTimeout
		}
		return answer, err
	})
	admin := s.as(s.admin, client.WithPauses(1, 1), losing)
	var batch client.Batch
	batch.CreateAccount(client.NewAccount{Name: "Lab", Currency: "USD"})
	paid := batch.DepositToAccount(s.account, client.NewLedgerEntry{AmountCents: 700})
	check(t, admin.Batches.WriteBatch(ctx, &batch, client.IdempotencyKey("nightly")))
	if !lost || !paid.Value.Replayed {
		t.Errorf("lost: %v, paid: %+v", lost, paid.Value)
	}
	if got := value(admin.Accounts.Get(ctx, s.account))(t).BalanceCents; got != balance+700 {
		t.Errorf("the balance is %d, want one deposit of 700", got)
	}

	// An edit cannot be repeated: its refusal says nothing about the batch.
	lost = false
	group := value(admin.Groups.Get(ctx, s.group))(t)
	var edits client.Batch
	edits.EditGroup(group, client.GroupEdit{Name: new("Mission Bay")})
	wantCode(t, admin.Batches.WriteBatch(ctx, &edits), client.CodeNoAnswer)
	if got := value(admin.Groups.Get(ctx, s.group))(t).Name; got != "Mission Bay" {
		t.Errorf("the group is called %s", got)
	}
	wantCode(t, admin.Batches.WriteBatch(ctx, &edits), client.CodeStaleVersion)
}
