//go:build !race

// The client has no goroutine of its own, and the server is api's to test with the race detector.

package client_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"waybill/api/client"
)

func login(t *testing.T, url, email string) *client.ClientWithResponses {
	t.Helper()
	anyone, err := client.NewClientWithResponses(url)
	check(t, err)
	res, err := anyone.LoginWithResponse(t.Context(),
		client.Credentials{Tenant: "clinic", Email: email, Password: password})
	check(t, err)
	refused(t, res.ApplicationProblemJSONDefault)
	c, err := client.NewClientWithResponses(url, client.WithToken(res.JSON201.Token))
	check(t, err)
	return c
}

// fixture holds the rows that an admin has created with the client under test.
type fixture struct {
	admin, dispatcher, hub    *client.ClientWithResponses
	facility, account, driver uuid.UUID
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	ctx, url := t.Context(), serve(t)
	w := fixture{admin: login(t, url, emailOf(client.UserRoleAdmin))}
	for _, role := range []client.UserRole{client.UserRoleDispatcher, client.UserRoleHub} {
		res, err := w.admin.CreateUserWithResponse(ctx, nil, client.NewUser{
			Email: emailOf(role), Password: password, Name: string(role), Role: role,
		})
		check(t, err)
		refused(t, res.ApplicationProblemJSONDefault)
	}
	w.dispatcher, w.hub = login(t, url, emailOf(client.UserRoleDispatcher)), login(t, url, emailOf(client.UserRoleHub))

	facility, err := w.admin.CreateFacilityWithResponse(ctx, nil, client.NewFacility{
		Name: "Mission Clinic", Address: "2401 Mission St", Latitude: 37.7583, Longitude: -122.4186,
	})
	check(t, err)
	refused(t, facility.ApplicationProblemJSONDefault)
	account, err := w.admin.CreateAccountWithResponse(ctx, nil,
		client.NewAccount{Name: "Mission Clinic", Currency: "USD"})
	check(t, err)
	refused(t, account.ApplicationProblemJSONDefault)
	driver, err := w.admin.CreateDriverWithResponse(ctx, nil, client.NewDriver{
		Name: "Grace", OnDuty: new(true), Latitude: new(37.7599), Longitude: new(-122.4148),
	})
	check(t, err)
	refused(t, driver.ApplicationProblemJSONDefault)
	w.facility, w.account, w.driver = facility.JSON201.ID, account.JSON201.ID, driver.JSON201.ID
	return w
}

func emailOf(role client.UserRole) string { return string(role) + "@clinic.example" }

func (w fixture) newPickup() client.NewPickup {
	return client.NewPickup{
		ID: new(uuid.New()), FacilityID: w.facility, AccountID: w.account, PriceCents: 3000,
		PickupAddress: "2401 Mission St", DropoffAddress: "1 Lab Way",
	}
}

func (w fixture) create(t *testing.T, p client.NewPickup) client.Pickup {
	t.Helper()
	res, err := w.dispatcher.CreatePickupWithResponse(t.Context(), nil, p)
	check(t, err)
	refused(t, res.ApplicationProblemJSONDefault)
	return *res.JSON201
}

func (w fixture) deposit(t *testing.T, cents int64) {
	t.Helper()
	res, err := w.admin.DepositToAccountWithResponse(t.Context(), w.account,
		client.NewLedgerEntry{ID: uuid.New(), AmountCents: cents})
	check(t, err)
	refused(t, res.ApplicationProblemJSONDefault)
}

func TestClientTakesAPickupThroughItsLife(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deposit(t, 10_000)
	ctx, id := t.Context(), w.create(t, w.newPickup()).ID

	submitted, err := w.dispatcher.SubmitPickupWithResponse(ctx, id, nil)
	check(t, err)
	reached(t, submitted.JSON200, submitted.ApplicationProblemJSONDefault, client.PickupStatusSUBMITTED)
	dispatched, err := w.dispatcher.DispatchPickupWithResponse(ctx, id, nil)
	check(t, err)
	reached(t, dispatched.JSON200, dispatched.ApplicationProblemJSONDefault, client.PickupStatusASSIGNED)
	if got, err := dispatched.JSON200.DriverID.Get(); err != nil || got != w.driver {
		t.Errorf("dispatched to %v (%v), want %v", got, err, w.driver)
	}
	collected, err := w.dispatcher.CollectPickupWithResponse(ctx, id, nil)
	check(t, err)
	reached(t, collected.JSON200, collected.ApplicationProblemJSONDefault, client.PickupStatusCOLLECTED)
	received, err := w.hub.ReceivePickupWithResponse(ctx, id, nil)
	check(t, err)
	reached(t, received.JSON200, received.ApplicationProblemJSONDefault, client.PickupStatusRECEIVED)
	packed, err := w.hub.PackPickupWithResponse(ctx, id, nil)
	check(t, err)
	reached(t, packed.JSON200, packed.ApplicationProblemJSONDefault, client.PickupStatusPACKED)
	shipped, err := w.hub.ShipPickupWithResponse(ctx, id, nil)
	check(t, err)
	reached(t, shipped.JSON200, shipped.ApplicationProblemJSONDefault, client.PickupStatusSHIPPED)
	delivered, err := w.hub.DeliverPickupWithResponse(ctx, id, nil)
	check(t, err)
	reached(t, delivered.JSON200, delivered.ApplicationProblemJSONDefault, client.PickupStatusDELIVERED)

	events, err := w.dispatcher.ListPickupEventsWithResponse(ctx, id, nil)
	check(t, err)
	refused(t, events.ApplicationProblemJSONDefault)
	var at client.PickupStatus = client.PickupStatusDRAFT
	for _, e := range events.JSON200.Items {
		if e.FromStatus != at {
			t.Errorf("%s starts at %s, want %s", e.Transition, e.FromStatus, at)
		}
		at = e.ToStatus
	}
	if n := len(events.JSON200.Items); n != 7 || at != client.PickupStatusDELIVERED {
		t.Errorf("%d events that end at %s, want 7 that end at DELIVERED", n, at)
	}
}

func TestClientCreatesAPatientWhomItsFacilitySees(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	ctx := t.Context()
	born, err := time.Parse(time.DateOnly, "1990-05-17")
	check(t, err)
	input := client.NewPatient{
		ID: new(uuid.New()), FacilityID: w.facility, ExternalID: new("4711"), GivenName: "Ada", FamilyName: "Lovelace",
		BirthDate: openapi_types.Date{Time: born}, Phone: new("+14155550123"),
	}
	unseen, err := w.dispatcher.CreatePatientWithResponse(ctx, nil, input)
	check(t, err)
	if p := unseen.ApplicationProblemJSONDefault; p == nil || p.Code != client.ErrorCodeFacilityNotFound {
		t.Errorf("created for a hidden facility: %v", p)
	}
	group, err := w.admin.CreateGroupWithResponse(ctx, nil, client.NewGroup{Name: "Mission"})
	check(t, err)
	refused(t, group.ApplicationProblemJSONDefault)
	me, err := w.dispatcher.GetSessionWithResponse(ctx)
	check(t, err)
	refused(t, me.ApplicationProblemJSONDefault)
	member, err := w.admin.AddGroupMemberWithResponse(ctx, group.JSON201.ID, me.JSON200.User.ID)
	check(t, err)
	refused(t, member.ApplicationProblemJSONDefault)
	shown, err := w.admin.AddGroupFacilityWithResponse(ctx, group.JSON201.ID, w.facility)
	check(t, err)
	refused(t, shown.ApplicationProblemJSONDefault)

	made, err := w.dispatcher.CreatePatientWithResponse(ctx, nil, input)
	check(t, err)
	refused(t, made.ApplicationProblemJSONDefault)
	if got := made.JSON201.BirthDate; got != input.BirthDate {
		t.Errorf("born %v, want %v", got, input.BirthDate)
	}
	pickup := w.newPickup()
	pickup.PatientID = input.ID
	of, err := w.dispatcher.GetPickupPatientWithResponse(ctx, w.create(t, pickup).ID)
	check(t, err)
	refused(t, of.ApplicationProblemJSONDefault)
	if of.JSON200.ID != *input.ID || of.JSON200.GivenName != "Ada" {
		t.Errorf("the pickup's patient is %+v", of.JSON200)
	}
	edited, err := w.dispatcher.EditPatientWithResponse(ctx, *input.ID,
		&client.EditPatientParams{IfMatch: made.Headers201.ETag},
		client.PatientEdit{Phone: nullable.NewNullNullable[string]()})
	check(t, err)
	refused(t, edited.ApplicationProblemJSONDefault)
	if !edited.JSON200.Phone.IsNull() {
		t.Errorf("the phone is %v", edited.JSON200.Phone)
	}
	reads, err := w.admin.ListPatientReadsWithResponse(ctx, *input.ID, nil)
	check(t, err)
	refused(t, reads.ApplicationProblemJSONDefault)
	if n := len(reads.JSON200.Items); n != 4 {
		t.Errorf("%d reads, want the create's, the new pickup's, its patient's and the edit's", n)
	}
}

func TestClientSwitchesOnTheCode(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	res, err := w.dispatcher.SubmitPickupWithResponse(t.Context(), w.create(t, w.newPickup()).ID, nil)
	check(t, err)
	p := res.ApplicationProblemJSONDefault
	if p == nil {
		t.Fatal("submitted without funds")
	}
	switch p.Code {
	case client.ErrorCodeInsufficientFunds:
	default:
		t.Errorf("refused with %v, want %s", p, client.ErrorCodeInsufficientFunds)
	}
	if res.StatusCode() != http.StatusConflict || p.RequestID == "" {
		t.Errorf("status %d, problem %+v", res.StatusCode(), p)
	}
}

func TestClientLearnsThatItsETagIsStale(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	ctx := t.Context()
	read, err := w.admin.GetAccountWithResponse(ctx, w.account, nil)
	check(t, err)
	refused(t, read.ApplicationProblemJSONDefault)
	seen := &client.EditAccountParams{IfMatch: read.Headers200.ETag}
	first, err := w.admin.EditAccountWithResponse(ctx, w.account, seen, client.AccountEdit{Name: new("Mission")})
	check(t, err)
	refused(t, first.ApplicationProblemJSONDefault)
	second, err := w.admin.EditAccountWithResponse(ctx, w.account, seen, client.AccountEdit{Name: new("Bay")})
	check(t, err)
	if p := second.ApplicationProblemJSONDefault; p == nil || p.Code != client.ErrorCodeStaleVersion ||
		second.StatusCode() != http.StatusPreconditionFailed {
		t.Errorf("status %d, %v; want 412 stale_version", second.StatusCode(), p)
	}
}

func TestClientSendsARequestAgain(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	w.deposit(t, 10_000)
	ctx, input := t.Context(), w.newPickup()
	made := w.create(t, input)
	again, err := w.dispatcher.CreatePickupWithResponse(ctx, nil, input)
	check(t, err)
	refused(t, again.ApplicationProblemJSONDefault)
	if again.JSON200 == nil || again.JSON200.ID != made.ID || again.Headers200.IdempotencyReplayed == nil {
		t.Errorf("created again: status %d, headers %+v", again.StatusCode(), again.Headers200)
	}
	keyed := &client.SubmitPickupParams{IdempotencyKey: new("submit-1")}
	for range 2 {
		res, err := w.dispatcher.SubmitPickupWithResponse(ctx, made.ID, keyed)
		check(t, err)
		reached(t, res.JSON200, res.ApplicationProblemJSONDefault, client.PickupStatusSUBMITTED)
	}
	account, err := w.admin.GetAccountWithResponse(ctx, w.account, nil)
	check(t, err)
	refused(t, account.ApplicationProblemJSONDefault)
	if got := account.JSON200.BalanceCents; got != 7_000 {
		t.Errorf("the balance is %d, want 7000: submit charged once", got)
	}
}

func reached(t *testing.T, pickup *client.Pickup, p *client.Problem, want client.PickupStatus) {
	t.Helper()
	refused(t, p)
	if pickup.Status != want {
		t.Fatalf("the pickup is %s, want %s", pickup.Status, want)
	}
}

func refused(t *testing.T, p *client.Problem) {
	t.Helper()
	if p != nil {
		t.Fatalf("refused: %v", p)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
