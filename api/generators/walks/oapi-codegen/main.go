// Command oapi-codegen walks a pickup's lifecycle with oapi-codegen's client.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/google/uuid"

	api "waybill/api/generators/out/oapi-codegen"
	"waybill/api/generators/walks"
)

const (
	illegalTransition = api.SubmitPickup409ApplicationProblemPlusJSONResponseBodyCodeIllegalTransition
	insufficientFunds = api.SubmitPickup409ApplicationProblemPlusJSONResponseBodyCodeInsufficientFunds
	anothersAccount   = api.SubmitPickup409ApplicationProblemPlusJSONResponseBodyCodeAccountNotForFacility
)

func main() {
	if err := walk(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func walk(ctx context.Context) error {
	given, err := walks.Read()
	if err != nil {
		return err
	}
	known := []api.SubmitPickup409ApplicationProblemPlusJSONResponseBodyCode{illegalTransition, insufficientFunds,
		anothersAccount}
	if err := walks.Exhaustive(given, known); err != nil {
		return err
	}
	client, err := api.NewClientWithResponses(given.URL, api.WithRequestEditorFn(
		func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+given.Token)
			return nil
		}))
	if err != nil {
		return err
	}
	created, err := client.CreatePickupWithResponse(ctx, nil, api.NewPickup{FacilityId: given.Pickup.FacilityID,
		AccountId: given.Pickup.AccountID, PriceCents: given.Pickup.PriceCents,
		PickupAddress: given.Pickup.PickupAddress, DropoffAddress: given.Pickup.DropoffAddress})
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if created.JSON201 == nil || created.JSON201.Status != api.PickupStatusDRAFT {
		return fmt.Errorf("create: %s", created.Status())
	}
	if err := submitAndCancel(ctx, client, *created.JSON201); err != nil {
		return err
	}
	return batch(ctx, client, given)
}

func submitAndCancel(ctx context.Context, client *api.ClientWithResponses, pickup api.Pickup) error {
	submitted, err := client.SubmitPickupWithResponse(ctx, pickup.Id, nil)
	if err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	if submitted.JSON200 == nil || submitted.JSON200.Status != api.PickupStatusSUBMITTED {
		return fmt.Errorf("submit: %s", submitted.Status())
	}
	reason := "Booked twice"
	canceled, err := client.CancelPickupWithResponse(ctx, pickup.Id, nil, api.Cancellation{Reason: &reason})
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	if canceled.JSON200 == nil || canceled.JSON200.Status != api.PickupStatusCANCELED {
		return fmt.Errorf("cancel: %s", canceled.Status())
	}
	refused, err := client.SubmitPickupWithResponse(ctx, pickup.Id, nil)
	if err != nil {
		return fmt.Errorf("submit again: %w", err)
	}
	conflict := refused.ApplicationproblemJSON409
	if conflict == nil {
		return fmt.Errorf("submit again: %s", refused.Status())
	}
	switch conflict.Code {
	case illegalTransition:
		if conflict.CurrentStatus != nil && *conflict.CurrentStatus == api.PickupStatusCANCELED {
			return nil
		}
	case insufficientFunds, anothersAccount:
	}
	return fmt.Errorf("submit again: %s", conflict.Code)
}

// batch creates and cancels another pickup, in one batch.
func batch(ctx context.Context, client *api.ClientWithResponses, given walks.Given) error {
	id, reason := uuid.New(), "Booked twice"
	create := api.CreatePickupWrite{Operation: api.CreatePickup, Body: api.NewPickup{
		Id: &id, FacilityId: given.Pickup.FacilityID, AccountId: given.Pickup.AccountID,
		PriceCents: given.Pickup.PriceCents, PickupAddress: given.Pickup.PickupAddress,
		DropoffAddress: given.Pickup.DropoffAddress}}
	cancel := api.CancelPickupWrite{Operation: api.CancelPickup, Body: &api.Cancellation{Reason: &reason}}
	cancel.Path.PickupId = id
	items := make([]api.Write, 2)
	if err := errors.Join(items[0].FromCreatePickupWrite(create), items[1].FromCancelPickupWrite(cancel)); err != nil {
		return err
	}
	written, err := client.WriteBatchWithResponse(ctx, nil, api.Writes{Items: items})
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	if written.JSON200 == nil || len(written.JSON200.Items) != 2 || written.JSON200.Items[0].Status != 201 {
		return fmt.Errorf("batch: %s", written.Status())
	}
	return nil
}
