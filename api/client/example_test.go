package client_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"waybill/api/client"
)

var (
	ctx      = context.Background()
	pickupID = uuid.MustParse("019b8d5a-0001-7000-8000-00000000000a")
	driverID = uuid.MustParse("f5fa7533-f1be-575f-a7c7-70b517f5429c")
)

func Example() {
	url := documentedServer() // "https://waybill.example"

	anyone := client.New(url)
	session, err := anyone.Sessions.Login(ctx, client.Credentials{
		Tenant: "demo", Email: "dispatcher@demo.example", Password: "waybill-demo",
	})
	if err != nil {
		panic(err)
	}
	waybill := client.New(url, client.WithToken(session.Token))

	pickup, err := waybill.Pickups.Assign(ctx, pickupID, client.Assignment{DriverID: driverID})
	switch client.CodeOf(err) {
	case "":
		fmt.Println(pickup.Status)
	case client.CodeDriverBusy:
		fmt.Println("choose another driver")
	case client.CodeIllegalTransition:
		if p, ok := errors.AsType[*client.Problem](err); ok {
			fmt.Println("it is", p.CurrentStatus, "by now, and may", p.Allowed)
		}
	default:
		panic(err)
	}
	// Output: ASSIGNED
}

func ExamplePickupsService_List() {
	waybill := client.New(documentedServer())
	query := &client.ListPickupsQuery{Status: []client.PickupStatus{client.PickupStatusDelivered}}
	for pickup, err := range waybill.Pickups.List(ctx, query) {
		if err != nil {
			panic(err)
		}
		fmt.Println(pickup.DropoffAddress)
		break // no further page is read
	}
	// Output: 1 Lab Way, South San Francisco
}

func ExamplePickupsService_Edit() {
	waybill := client.New(documentedServer())
	pickup, err := waybill.Pickups.Get(ctx, pickupID)
	if err != nil {
		panic(err)
	}
	change := client.PickupEdit{Note: client.Set("Two vials, on ice"), WindowEnd: client.Null[time.Time]()}
	pickup, err = waybill.Pickups.Edit(ctx, pickup, change,
		client.Merge(func(base, current *client.Pickup) (*client.PickupEdit, error) {
			if current.Note != nil && base.Note == nil {
				return nil, nil // somebody else has written a note: the edit returns the conflict
			}
			return &change, nil
		}))
	if conflict, ok := errors.AsType[*client.Conflict[client.Pickup]](err); ok {
		fmt.Println("the note is", *conflict.Current.Note)
		return
	}
	if err != nil {
		panic(err)
	}
	fmt.Println(*pickup.Note)
	// Output: Two vials, on ice
}

func ExamplePickupsService_Stream() {
	waybill := client.New(documentedServer())
	after := "" // the ID of the last message that was dealt with, if that was kept
	options := &client.StreamOptions{After: after, OnRestart: func(context.Context) error {
		return nil // read again what is kept of the pickups
	}}
	for message, err := range waybill.Pickups.Stream(ctx, options) {
		if err != nil {
			panic(err)
		}
		if message.Event != nil {
			fmt.Println(message.Event.Transition, message.Event.ToStatus)
			break
		}
	}
	// Output: submit SUBMITTED
}
