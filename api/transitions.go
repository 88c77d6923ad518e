package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"waybill/db"
)

// readDictionary reads from the database the transitions, and which roles may make them.
func (a *server) readDictionary(ctx context.Context) error {
	a.dictionary = map[db.TransitionName][]db.UserRole{}
	if a.store == nil {
		return nil
	}
	rows, err := a.store.ListTransitions(ctx)
	if err != nil {
		return err
	}
	a.rules = rows
	for _, r := range rows {
		for _, role := range r.Roles {
			a.dictionary[r.Transition] = append(a.dictionary[r.Transition], db.UserRole(role))
		}
	}
	return nil
}

func (a *server) registerTransitions() {
	register(a, operation{
		id: "list-pickup-transitions", method: http.MethodGet, path: "/v1/pickup-transitions", tag: "pickups",
		summary: "List the transition rules",
		about: "The dictionary of transitions: from which statuses each is allowed, its resulting status, and " +
			"the roles that may make it.",
		roles: everyRole,
	}, a.listTransitions)
	plain := func(name db.TransitionName, summary, about string, codes ...db.Code) {
		register(a, transition(name, summary, about, codes...), a.plainTransition(name))
	}
	plain(db.TransitionNameSubmit, "Submit a pickup",
		"Charges the account, which staff may do if it is one for the pickup's facility. DRAFT to SUBMITTED.",
		db.InsufficientFunds, db.AccountNotForFacility)
	register(a, transition(db.TransitionNameAssign, "Assign a driver",
		"Assigns the given driver, whether or not they are on duty. SUBMITTED to ASSIGNED.",
		db.DriverNotFound, db.DriverBusy), a.assignPickup)
	plain(db.TransitionNameDispatch, "Dispatch the nearest free driver",
		"Assigns the nearest driver who is on duty, free, and has a known location. SUBMITTED to ASSIGNED.",
		db.NoDriverFree)
	plain(db.TransitionNameRelease, "Release the driver",
		"ASSIGNED back to SUBMITTED. Send If-Match so that a late duplicate of an earlier release is rejected.")
	register(a, transition(db.TransitionNameCancel, "Cancel a pickup",
		"Releases the driver and refunds the charge. DRAFT, SUBMITTED or ASSIGNED to CANCELED.", db.BalanceTooLarge),
		a.cancelPickup)
	plain(db.TransitionNameCollect, "Collect a pickup",
		"By the assigned driver, or a dispatcher on their behalf. ASSIGNED to COLLECTED.")
	plain(db.TransitionNameReceive, "Receive a pickup", "At the hub. COLLECTED to RECEIVED.")
	plain(db.TransitionNamePack, "Pack a pickup", "At the hub. RECEIVED to PACKED.")
	plain(db.TransitionNameShip, "Ship a pickup", "From the hub. PACKED to SHIPPED.")
	plain(db.TransitionNameDeliver, "Deliver a pickup", "SHIPPED to DELIVERED.")
	a.registerAdjustments()
}

func transition(name db.TransitionName, summary, about string, codes ...db.Code) operation {
	return operation{
		id: string(name) + "-pickup", method: http.MethodPost,
		path: "/v1/pickups/{pickup_id}/" + string(name), tag: "pickups",
		summary: summary, about: about, transition: name,
		shares: name != db.TransitionNameDispatch, // which has a statement of its own
		codes: append(codes, db.NotFound, db.IllegalTransition, db.StaleVersion,
			db.IdempotencyKeyReused, db.Forbidden),
	}
}

// TransitionInput has the parameters of every transition.
type TransitionInput struct {
	PickupPath
	OptionalIfMatch
	Key string `header:"Idempotency-Key" maxLength:"200" pattern:"^[!-~]+$" patternDescription:"visible ASCII" doc:"Unique for each request, and the same for its retries: a repetition returns 200 and has no effect"`
}

type transitionOutput struct {
	ETag     string `header:"ETag" doc:"Identifies the version of the answer, for If-Match and If-None-Match"`
	Replayed string `header:"Idempotency-Replayed" doc:"\"true\" if an earlier request with this Idempotency-Key made the change"`
	Body     *Pickup
}

// move makes one transition. body is the operation's own part of the request, for the digest.
func (a *server) move(
	ctx context.Context, v db.Viewer, in *TransitionInput, t db.Transition, body any,
) (*transitionOutput, error) {
	t.PickupID, t.Version, t.Key = in.PickupID, in.version, in.Key
	t.Digest = digest(v, string(t.Name), body)
	moved, replayed, err := a.store.MoveOne(ctx, v, t)
	if err != nil {
		return nil, err
	}
	shown := movedFor(v.Role, moved)
	out := &transitionOutput{ETag: pickupTag(v.Role, shown.Version), Body: &shown}
	if replayed {
		out.Replayed = "true"
	}
	return out, nil
}

func (a *server) plainTransition(
	name db.TransitionName,
) func(context.Context, db.Viewer, *TransitionInput) (*transitionOutput, error) {
	return func(ctx context.Context, v db.Viewer, in *TransitionInput) (*transitionOutput, error) {
		return a.move(ctx, v, in, db.Transition{Name: name}, nil)
	}
}

// Assignment is the body of assign-pickup.
type Assignment struct {
	DriverID uuid.UUID `json:"driver_id" format:"uuid"`
}

type assignInput struct {
	TransitionInput
	Body Assignment
}

func (a *server) assignPickup(ctx context.Context, v db.Viewer, in *assignInput) (*transitionOutput, error) {
	return a.move(ctx, v, &in.TransitionInput,
		db.Transition{Name: db.TransitionNameAssign, DriverID: in.Body.DriverID}, in.Body)
}

// Cancellation is the body of cancel-pickup, with an optional reason.
type Cancellation struct {
	Reason string `json:"reason,omitempty" doc:"Why it is canceled" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"500"`
}

type cancelInput struct {
	TransitionInput
	Body *Cancellation `required:"false"`
}

func (a *server) cancelPickup(ctx context.Context, v db.Viewer, in *cancelInput) (*transitionOutput, error) {
	var asked Cancellation
	if in.Body != nil {
		asked = *in.Body
	}
	return a.move(ctx, v, &in.TransitionInput,
		db.Transition{Name: db.TransitionNameCancel, Reason: asked.Reason}, asked)
}

// TransitionRule is one row of the dictionary.
type TransitionRule struct {
	Transition   db.TransitionName `json:"transition" doc:"The transition"`
	FromStatuses []db.PickupStatus `json:"from_statuses"`
	ToStatus     db.PickupStatus   `json:"to_status"`
	Roles        []db.UserRole     `json:"roles"`
	HasDriver    bool              `json:"has_driver"`
}

func (a *server) listTransitions(ctx context.Context, _ db.Viewer, _ *struct{}) (*ListOf[TransitionRule], error) {
	rows, err := a.store.ListTransitions(ctx)
	if err != nil {
		return nil, err
	}
	page := &Page[TransitionRule]{Items: make([]TransitionRule, len(rows))}
	for i, r := range rows {
		page.Items[i] = TransitionRule{r.Transition, as[db.PickupStatus](r.FromStatuses),
			r.ToStatus, as[db.UserRole](r.Roles), r.HasDriver}
	}
	return &ListOf[TransitionRule]{page}, nil
}

func as[T ~string](names []string) []T {
	out := make([]T, len(names))
	for i, n := range names {
		out[i] = T(n)
	}
	return out
}
