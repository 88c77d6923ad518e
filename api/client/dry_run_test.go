//go:build !race

// The server is api's to test with the race detector.

package client_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/api/client"
)

func TestADryRunAnswersWhatTheWriteWouldAndWritesNothing(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	staff, admin := s.as(s.staff), s.as(s.admin)
	tried, key := staff.DryRun(), client.IdempotencyKey(uuid.NewString())

	// A create, with the key of the write.
	draft := value(tried.Pickups.Create(ctx, s.newPickup(), key))(t)
	if !draft.DryRun || draft.Replayed || draft.ETag != "" || draft.Status != client.PickupStatusDraft {
		t.Errorf("a dry run created %+v", draft)
	}
	_, err := staff.Pickups.Get(ctx, draft.ID)
	wantCode(t, err, client.CodeNotFound)
	made := value(staff.Pickups.Create(ctx, s.newPickup(), key))(t)
	if made.DryRun || made.Replayed || made.ETag == "" {
		t.Errorf("after its dry run, the write created %+v", made)
	}

	// A transition, with the key of the write; and its refusal.
	if moved := value(tried.Pickups.Submit(ctx, made.ID, key))(t); !moved.DryRun || moved.Status != "SUBMITTED" {
		t.Errorf("a dry run moved %+v", moved)
	}
	if read := value(tried.Pickups.Get(ctx, made.ID))(t); read.DryRun || read.ETag != made.ETag {
		t.Errorf("after a dry run, the pickup is %+v", read)
	}
	if moved := value(staff.Pickups.Submit(ctx, made.ID, key))(t); moved.Replayed || moved.DryRun {
		t.Errorf("after its dry run, the write is %+v", moved)
	}
	if again := value(tried.Pickups.Submit(ctx, made.ID, key))(t); !again.Replayed || !again.DryRun {
		t.Errorf("the dry run of a write that was made is %+v", again)
	}
	_, err = tried.Pickups.Submit(ctx, made.ID)
	wantCode(t, err, client.CodeIllegalTransition)

	// A charge, whose id is its key.
	entry := client.NewLedgerEntry{ID: uuid.New(), AmountCents: 500}
	if charged := value(admin.DryRun().Accounts.Charge(ctx, s.account, entry))(t); !charged.DryRun {
		t.Errorf("a dry run charged %+v", charged)
	}
	if charged := value(admin.Accounts.Charge(ctx, s.account, entry))(t); charged.Replayed {
		t.Errorf("after its dry run, the charge is %+v", charged)
	}
	// A removal, which answers nothing.
	check(t, admin.DryRun().Groups.RemoveMember(ctx, s.group, s.staff.id))
	value(staff.Pickups.Get(ctx, made.ID))(t)
}

func TestADryRunOfAnEditIsNoBaseOfAnother(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	staff := s.as(s.staff)
	tried := staff.DryRun()
	base := value(staff.Pickups.Create(ctx, s.newPickup()))(t)
	change := client.PickupEdit{Note: client.Set("Ring twice")}
	edited := value(tried.Pickups.Edit(ctx, base, change))(t)
	if !edited.DryRun || edited.Note == nil || edited.Version != base.Version+1 {
		t.Errorf("a dry run edited %+v", edited)
	}
	// Another's edit makes the version that the dry run told.
	value(staff.Pickups.Edit(ctx, base, change))(t)
	for _, c := range []*client.Client{staff, tried} {
		_, err := c.Pickups.Edit(ctx, edited, client.PickupEdit{Note: client.Set("Do not ring")})
		if err == nil || client.CodeOf(err) != "" || !strings.Contains(err.Error(), "dry run") {
			t.Errorf("an edit based on a dry run: %v", err)
		}
	}
	// The one edit since was this change, and not by this dry run.
	_, err := tried.Pickups.Edit(ctx, base, change)
	wantCode(t, err, client.CodeStaleVersion)
}

// altering sends a request as another one, and returns its answer.
func altering(alter func(*http.Request) (*http.Response, error)) client.Option {
	return client.WithHTTPClient(&http.Client{Transport: roundTripper(alter)})
}

func TestADryRunThatMayHaveWrittenIsAnError(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	sent := 0
	proxy := altering(func(r *http.Request) (*http.Response, error) {
		sent++
		r.URL.RawQuery = "" // a proxy that drops what it does not know
		return http.DefaultTransport.RoundTrip(r)
	})
	made := value(s.as(s.staff).Pickups.Create(ctx, s.newPickup()))(t)
	tried := s.as(s.staff, proxy).DryRun()
	_, err := tried.Pickups.Submit(ctx, made.ID)
	wantCode(t, err, client.CodeNoAnswer)
	err = s.as(s.admin, proxy).DryRun().Groups.RemoveMember(ctx, s.group, s.hub.id)
	wantCode(t, err, client.CodeNoAnswer)
	if sent != 2 {
		t.Errorf("two dry runs were sent %d times", sent)
	}
	// What cannot be tried is not sent.
	_, err = tried.Sessions.Login(ctx, client.Credentials{Tenant: "clinic", Email: s.staff.email, Password: password})
	if err == nil || sent != 2 {
		t.Errorf("a dry run of a login was sent %d times: %v", sent-2, err)
	}
}

func TestADryRunIsRetriedAsOneAndTakesNoRemovalForItsOwn(t *testing.T) {
	t.Parallel()
	s, ctx := start(t), t.Context()
	admin, sent := s.as(s.admin), 0
	lossy := s.as(s.admin, client.WithPauses(1, 1), altering(func(r *http.Request) (*http.Response, error) {
		if sent++; r.URL.Query().Get("dry_run") != "true" {
			t.Errorf("attempt %d was no dry run", sent)
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err == nil && sent%2 == 1 { // carried out, and its answer lost
			answer.Body.Close()
			answer, err = nil, http.ErrHandlerTimeout
		}
		return answer, err
	})).DryRun()
	number := client.NewPhoneNumber{Number: "+14155550123"}
	added := value(admin.Users.AddPhoneNumber(ctx, s.staff.id, number))(t)
	check(t, lossy.Users.RemovePhoneNumber(ctx, s.staff.id, added.ID))
	check(t, admin.Users.RemovePhoneNumber(ctx, s.staff.id, added.ID)) // it is still there
	err := lossy.Users.RemovePhoneNumber(ctx, s.staff.id, added.ID)
	wantCode(t, err, client.CodeNotFound)
	if sent != 4 {
		t.Errorf("%d attempts, want 4", sent)
	}
}
