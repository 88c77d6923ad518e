// Command ogen walks a pickup's lifecycle with ogen's client.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/google/uuid"

	api "waybill/api/generators/out/ogen"
	"waybill/api/generators/walks"
)

type token string

func (t token) Bearer(context.Context, api.OperationName) (api.Bearer, error) {
	return api.Bearer{Token: string(t)}, nil
}

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
	if err := walks.Exhaustive(given, api.SubmitPickupConflictCode("").AllValues()); err != nil {
		return err
	}
	client, err := api.NewClient(given.URL, token(given.Token))
	if err != nil {
		return err
	}
	asked := api.NewPickup(api.NewPickup{FacilityID: given.Pickup.FacilityID, AccountID: given.Pickup.AccountID,
		PriceCents: given.Pickup.PriceCents, PickupAddress: given.Pickup.PickupAddress,
		DropoffAddress: given.Pickup.DropoffAddress})
	answer, err := client.CreatePickup(ctx, &asked, api.CreatePickupParams{})
	created, ok := answer.(*api.CreatePickupCreated)
	if err != nil || !ok || created.Response.Status != api.PickupStatusDRAFT {
		return fmt.Errorf("create: %T, %w", answer, err)
	}
	if err := submitAndCancel(ctx, client, created.Response); err != nil {
		return err
	}
	return batch(ctx, client, given)
}

func submitAndCancel(ctx context.Context, client *api.Client, pickup api.Pickup) error {
	submit := api.SubmitPickupParams{PickupID: pickup.ID}
	submitted, err := client.SubmitPickup(ctx, submit)
	row, ok := submitted.(*api.AssignPickupOKHeaders) // the answer of every transition
	if err != nil || !ok || row.Response.Status != api.PickupStatusSUBMITTED {
		return fmt.Errorf("submit: %T, %w", submitted, err)
	}
	reason := api.NewOptCancellation(api.Cancellation{Reason: api.NewOptString("Booked twice")})
	canceled, err := client.CancelPickup(ctx, reason, api.CancelPickupParams{PickupID: pickup.ID})
	row, ok = canceled.(*api.AssignPickupOKHeaders)
	if err != nil || !ok || row.Response.Status != api.PickupStatusCANCELED {
		return fmt.Errorf("cancel: %T, %w", canceled, err)
	}
	refused, err := client.SubmitPickup(ctx, submit)
	conflict, ok := refused.(*api.SubmitPickupConflict)
	if err != nil || !ok {
		return fmt.Errorf("submit again: %T, %w", refused, err)
	}
	switch conflict.Code {
	case api.SubmitPickupConflictCodeIllegalTransition:
		if conflict.CurrentStatus.Value == api.PickupStatusCANCELED {
			return nil
		}
	case api.SubmitPickupConflictCodeInsufficientFunds, api.SubmitPickupConflictCodeAccountNotForFacility:
	}
	return fmt.Errorf("submit again: %s, %s", conflict.Code, conflict.CurrentStatus.Value)
}

// batch creates and cancels another pickup, in one batch.
func batch(ctx context.Context, client *api.Client, given walks.Given) error {
	id := uuid.New()
	answer, err := client.WriteBatch(ctx, &api.Writes{Items: []api.Write{
		api.NewCreatePickupWriteWrite(api.CreatePickupWrite{
			Operation: api.CreatePickupWriteOperationCreatePickup,
			Body: api.NewPickup{ID: api.NewOptUUID(id), FacilityID: given.Pickup.FacilityID,
				AccountID: given.Pickup.AccountID, PriceCents: given.Pickup.PriceCents,
				PickupAddress: given.Pickup.PickupAddress, DropoffAddress: given.Pickup.DropoffAddress},
		}),
		api.NewCancelPickupWriteWrite(api.CancelPickupWrite{
			Operation: api.CancelPickupWriteOperationCancelPickup,
			Path:      api.CancelPickupWritePath{PickupID: id},
			Body:      api.NewOptCancellation(api.Cancellation{Reason: api.NewOptString("Booked twice")}),
		}),
	}}, api.WriteBatchParams{})
	written, ok := answer.(*api.WrittenHeaders)
	if err != nil || !ok || len(written.Response.Items) != 2 {
		return fmt.Errorf("batch: %T, %w", answer, err)
	}
	if first, second := written.Response.Items[0].Status, written.Response.Items[1].Status; first != 201 ||
		second != 200 {
		return fmt.Errorf("batch: %d, %d", first, second)
	}
	return nil
}
