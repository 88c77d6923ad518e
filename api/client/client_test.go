//go:build !race

// The server is api's to test with the race detector.

package client_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"waybill/api/client"
)

func TestClientTakesAPickupThroughItsLife(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	staff, dispatcher, hub := s.as(s.staff), s.as(s.dispatcher), s.as(s.hub)
	id := value(staff.Pickups.Create(ctx, s.newPickup()))(t).ID
	reached := func(pickup *client.Pickup, err error) func(client.PickupStatus) {
		return func(want client.PickupStatus) {
			t.Helper()
			check(t, err)
			if pickup.Status != want || pickup.ID != id || pickup.ETag == "" {
				t.Fatalf("the pickup is %+v, want %s", pickup, want)
			}
		}
	}
	reached(staff.Pickups.Submit(ctx, id))(client.PickupStatusSubmitted)
	reached(dispatcher.Pickups.Dispatch(ctx, id))(client.PickupStatusAssigned)
	if got := value(staff.Pickups.Get(ctx, id))(t).DriverID; got == nil || *got != s.driverID {
		t.Errorf("dispatched to %v, want %v", got, s.driverID)
	}
	reached(dispatcher.Pickups.Release(ctx, id))(client.PickupStatusSubmitted)
	reached(dispatcher.Pickups.Assign(ctx, id, client.Assignment{DriverID: s.driverID}))(client.PickupStatusAssigned)
	reached(dispatcher.Pickups.Collect(ctx, id))(client.PickupStatusCollected)
	reached(hub.Pickups.Receive(ctx, id))(client.PickupStatusReceived)
	reached(hub.Pickups.Pack(ctx, id))(client.PickupStatusPacked)
	reached(hub.Pickups.Ship(ctx, id))(client.PickupStatusShipped)
	reached(hub.Pickups.Deliver(ctx, id))(client.PickupStatusDelivered)

	at, n := client.PickupStatusDraft, 0
	for e, err := range dispatcher.Pickups.ListEvents(ctx, id, &client.ListPickupEventsQuery{Limit: 2}) {
		check(t, err)
		if e.FromStatus != at {
			t.Errorf("%s starts at %s, want %s", e.Transition, e.FromStatus, at)
		}
		at, n = e.ToStatus, n+1
	}
	if n != 9 || at != client.PickupStatusDelivered {
		t.Errorf("%d events that end at %s, want 9 that end at DELIVERED", n, at)
	}
	statement := value(staff.Accounts.GetStatement(ctx, s.account, nil))(t) // has items, and is no list
	if n := len(statement.Items); n != 2 || statement.ClosingCents != balance-3000 {
		t.Errorf("the statement has %d lines and ends with %d", n, statement.ClosingCents)
	}
	check(t, staff.Sessions.Logout(ctx))
	_, err := staff.Sessions.Get(ctx)
	wantCode(t, err, client.CodeUnauthenticated)
}

func TestClientCreatesAPatientWhomItsFacilitySees(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	staff, admin := s.as(s.staff), s.as(s.admin)
	input := client.NewPatient{
		FacilityID: s.hidden, ExternalID: new("4711"), GivenName: "Ada", FamilyName: "Example",
		BirthDate: client.Date{Year: 1990, Month: 5, Day: 17}, Phone: new("+14155550123"),
	}
	_, err := staff.Patients.Create(ctx, input)
	wantCode(t, err, client.CodeFacilityNotFound)
	check(t, admin.Groups.AddFacility(ctx, s.group, s.hidden))

	made := value(staff.Patients.Create(ctx, input))(t)
	if made.BirthDate != input.BirthDate {
		t.Errorf("born %v, want %v", made.BirthDate, input.BirthDate)
	}
	pickup := s.newPickup()
	pickup.PatientID = &made.ID
	id := value(staff.Pickups.Create(ctx, pickup))(t).ID
	if of := value(staff.Patients.GetPickupPatient(ctx, id))(t); of.ID != made.ID || of.GivenName != "Ada" {
		t.Errorf("the pickup's patient is %+v", of)
	}
	edited := value(staff.Patients.Edit(ctx, made, client.PatientEdit{Phone: client.Null[string]()}))(t)
	if edited.Phone != nil || edited.GivenName != "Ada" {
		t.Errorf("the patient is %+v, and should have no phone", edited)
	}
	reads := 0
	for _, err := range admin.Patients.ListReads(ctx, made.ID, nil) {
		check(t, err)
		reads++
	}
	if reads != 4 {
		t.Errorf("%d reads, want the create's, the new pickup's, its patient's and the edit's", reads)
	}
}

func TestClientKnowsTheProblemAndItsCode(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	input := s.newPickup()
	input.PriceCents = balance + 1
	id := value(s.as(s.staff).Pickups.Create(ctx, input))(t).ID
	_, err := s.as(s.staff).Pickups.Submit(ctx, id)
	var p *client.Problem
	if !errors.As(err, &p) || p.Code != client.CodeInsufficientFunds || p.Status != http.StatusConflict ||
		p.RequestID == "" {
		t.Errorf("submitted without funds: %v", err)
	}
	_, err = s.as(s.hub).Pickups.Receive(ctx, id)
	wantCode(t, err, client.CodeNotFound) // the hub does not see it yet
	_, err = s.as(s.dispatcher).Pickups.Collect(ctx, id)
	if !errors.As(err, &p) || p.CurrentStatus != client.PickupStatusDraft {
		t.Errorf("collected a draft: %v", err)
	}
	_, err = s.as(s.staff).Pickups.Create(ctx, client.NewPickup{FacilityID: s.facility})
	if !errors.As(err, &p) || p.Code != client.CodeValidationFailed || p.Field == "" {
		t.Errorf("created without an account: %v", err)
	}
}

func TestAnIntentOfTheCallersTakesEffectOnce(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	staff, key := s.as(s.staff), client.IdempotencyKey(uuid.NewString())
	made := value(staff.Pickups.Create(ctx, s.newPickup(), key))(t)
	again := value(staff.Pickups.Create(ctx, s.newPickup(), key))(t)
	if made.Replayed || !again.Replayed || again.ID != made.ID {
		t.Errorf("created %v (%v), then %v (%v)", made.ID, made.Replayed, again.ID, again.Replayed)
	}
	if other := value(staff.Pickups.Create(ctx, s.newPickup()))(t); other.ID == made.ID || other.Replayed {
		t.Error("two calls are one intent")
	}
	withID := s.newPickup()
	withID.ID = new(uuid.New())
	for i := range 2 {
		if got := value(staff.Pickups.Create(ctx, withID))(t); got.ID != *withID.ID || got.Replayed != (i == 1) {
			t.Errorf("created %v (%v), want %v", got.ID, got.Replayed, *withID.ID)
		}
	}
	for range 2 {
		value(staff.Pickups.Submit(ctx, made.ID, client.IdempotencyKey("submit-1")))(t)
	}
	entry := client.NewLedgerEntry{ID: uuid.New(), AmountCents: 500}
	for range 2 {
		value(s.as(s.admin).Accounts.Charge(ctx, s.account, entry))(t)
	}
	if got := value(staff.Accounts.Get(ctx, s.account))(t).BalanceCents; got != balance-3500 {
		t.Errorf("the balance is %d: the submit and the charge should have taken effect once", got)
	}
	_, err := staff.Pickups.Cancel(ctx, made.ID, client.Cancellation{}, client.IfMatch(made.ETag))
	wantCode(t, err, client.CodeStaleVersion)
	batch := client.NewPickups{Items: []client.NewPickup{s.newPickup(), s.newPickup()}}
	if many := value(staff.Pickups.CreateMany(ctx, batch, key+"s"))(t); len(many.Items) != 2 {
		t.Errorf("created %d pickups, want 2", len(many.Items))
	}
}

func TestAListIsReadAPageAtATimeAndNoFurtherThanItIsUsed(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	requests := 0
	counting := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		requests++
		return http.DefaultTransport.RoundTrip(r)
	})}
	staff := s.as(s.staff, client.WithHTTPClient(counting))
	for range 5 {
		value(staff.Pickups.Create(ctx, s.newPickup()))(t)
	}
	query := &client.ListPickupsQuery{Status: []client.PickupStatus{client.PickupStatusDraft}, Limit: 2}
	for _, c := range []struct{ use, rows, requests int }{{3, 3, 2}, {1, 1, 1}, {9, 5, 3}} {
		seen := map[uuid.UUID]bool{}
		requests = 0
		for p, err := range staff.Pickups.List(ctx, query) {
			check(t, err)
			if seen[p.ID] = true; len(seen) == c.use {
				break
			}
		}
		if len(seen) != c.rows || requests != c.requests {
			t.Errorf("%d rows of %d pages, want %d of %d", len(seen), requests, c.rows, c.requests)
		}
	}
	first := value(staff.Pickups.ListPage(ctx, query, ""))(t)
	second := value(staff.Pickups.ListPage(ctx, query, first.NextCursor))(t)
	if len(first.Items) != 2 || len(second.Items) != 2 || first.Items[0].ID == second.Items[0].ID {
		t.Errorf("two pages of %d and %d rows", len(first.Items), len(second.Items))
	}
	none := &client.ListPickupsQuery{Status: []client.PickupStatus{client.PickupStatusShipped}}
	for p, err := range staff.Pickups.List(ctx, none) {
		t.Errorf("a filtered list has %v, %v", p, err)
	}
	count := 0
	for p, err := range s.as(s.hub).Accounts.List(ctx, nil) {
		if count++; p != nil {
			t.Errorf("the hub reads account %v", p.ID)
		}
		wantCode(t, err, client.CodeForbidden)
	}
	if count != 1 {
		t.Errorf("a refused list is %d steps, want 1", count)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnEditOfARowThatHasChangedShowsBothVersionsOrMergesThem(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	staff := s.as(s.staff)
	base := value(staff.Pickups.Create(ctx, s.newPickup()))(t)
	current := value(staff.Pickups.Edit(ctx, base, client.PickupEdit{Note: client.Set("Ring twice")}))(t)
	late := client.PickupEdit{Note: client.Set("Do not ring")}
	_, err := staff.Pickups.Edit(ctx, base, late)
	var conflict *client.Conflict[client.Pickup]
	if !errors.As(err, &conflict) || conflict.Base != base || conflict.Current.Version != current.Version ||
		*conflict.Current.Note != "Ring twice" {
		t.Fatalf("a late edit: %v", err)
	}
	wantCode(t, err, client.CodeStaleVersion)

	merged := value(staff.Pickups.Edit(ctx, base, late,
		client.Merge(func(_, current *client.Pickup) (*client.PickupEdit, error) {
			return &client.PickupEdit{Note: client.Set(*current.Note + ". Do not ring")}, nil
		})))(t)
	if *merged.Note != "Ring twice. Do not ring" {
		t.Errorf("merged to %q", *merged.Note)
	}
	mistake := errors.New("no merge")
	_, err = staff.Pickups.Edit(ctx, base, late,
		client.Merge(func(_, _ *client.Pickup) (*client.PickupEdit, error) { return nil, mistake }))
	if !errors.Is(err, mistake) {
		t.Errorf("a merge that fails: %v", err)
	}

	// An edit is not taken for an earlier attempt of this one if there was another between.
	same := client.PickupEdit{Note: client.Set(*merged.Note)}
	if _, err = staff.Pickups.Edit(ctx, base, same); client.CodeOf(err) != client.CodeStaleVersion {
		t.Errorf("the edit of a row that was edited twice: %v", err)
	}
	if _, err = staff.Pickups.Edit(ctx, current, same); err != nil {
		t.Errorf("an edit that was made already: %v", err)
	}

	// The row of a list has no ETag: its version is compared.
	listed := value(staff.Pickups.ListPage(ctx, nil, ""))(t).Items[0]
	if listed.ID != base.ID || listed.ETag != "" {
		t.Fatalf("listed %+v", listed)
	}
	edited := value(staff.Pickups.Edit(ctx, listed, client.PickupEdit{Note: client.Null[string]()}))(t)
	if edited.Note != nil {
		t.Errorf("the note is %q, and should be cleared", *edited.Note)
	}
	_, err = staff.Pickups.Edit(ctx, listed, late)
	if conflict = nil; !errors.As(err, &conflict) || conflict.Current.Note != nil {
		t.Errorf("an edit of a listed row that has changed: %v", err)
	}

	flag := value(s.as(s.admin).Flags.Get(ctx, "auto_dispatch"))(t)
	set := value(s.as(s.admin).Flags.Set(ctx, flag, client.FlagSetting{Enabled: !flag.Enabled}))(t)
	if set.Enabled == flag.Enabled {
		t.Error("the flag is as it was")
	}
}

// What a call sends is kept to by a context that is done at any time.
func TestACallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dead := client.New("http://127.0.0.1:1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := dead.Pickups.Submit(ctx, uuid.New())
	var none *client.NoAnswer
	if !errors.Is(err, context.Canceled) || !errors.As(err, &none) {
		t.Errorf("a canceled call: %v", err)
	}
	for _, err := range dead.Pickups.List(ctx, nil) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a canceled list: %v", err)
		}
	}
	for m, err := range dead.Pickups.Stream(ctx, nil) {
		t.Errorf("a canceled stream goes on: %v, %v", m, err)
	}
}
