package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerPickupEvents() {
	register(a, operation{
		id: "list-pickup-events", method: http.MethodGet, path: "/v1/pickups/{pickup_id}/events", tag: "pickups",
		summary: "List the events of a pickup",
		about: "Oldest first: its transitions, and changes of what it is charged (`reprice`, `refund`), whose two " +
			"statuses are the same. The ledger entry of one that moved money has the event's id: see " +
			"get-account-entry, which has the amount and the reason of a refund. The hub sees transitions from " +
			"collect on, drivers those of the time in which the " +
			"pickup was assigned to them, since their login was linked with the driver.",
		roles: everyRole, codes: []db.Code{db.NotFound, db.StreamRestarted},
	}, a.listPickupEvents)
	register(a, operation{
		id: "stream-pickups", method: http.MethodGet, path: "/v1/pickups/stream", tag: "pickups",
		long: true, mediaType: "text/event-stream",
		summary: "Follow the pickups that you see",
		about:   aboutStream, roles: everyRole, codes: []db.Code{concurrencyLimit, db.StreamRestarted},
	}, a.streamPickups)
	a.describeStream()
}

type listPickupEventsInput struct {
	PickupPath
	Paging
	TimeRange
	ActorID uuid.UUID `query:"actor_id" format:"uuid" doc:"Only what this user did"`

	after   int64
	history string // of after; "" for the first page
}

// Resolve implements huma.Resolver.
func (in *listPickupEventsInput) Resolve(ctx huma.Context) []error {
	place, err := in.open(ctx)
	if err != nil || place == "" {
		return append(asErrors(err), in.check()...)
	}
	history, version, isNow := strings.Cut(place, "-")
	if !isNow { // the cursors of former versions had no history
		history, version = "", place
	}
	if in.after, err = strconv.ParseInt(version, 10, 64); err != nil {
		return []error{badCursor()}
	}
	if in.history = history; history == "" {
		return []error{problem(db.StreamRestarted, "cursor", "")}
	}
	return in.check()
}

func (a *server) listPickupEvents(
	ctx context.Context, v db.Viewer, in *listPickupEventsInput,
) (*ListOf[db.PickupEvent], error) {
	if err := a.store.SeesPickup(ctx, v, in.PickupID); err != nil {
		return nil, err
	}
	rows, history, err := a.store.ListPickupEvents(ctx, in.history, db.ListPickupEventsParams{
		TenantID: v.TenantID, PickupID: in.PickupID, AfterVersion: in.after, MaxRows: in.more(),
		ActorID: given(in.ActorID), FromTime: sentTime(in.From), ToTime: sentTime(in.To),
		ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(e db.PickupEvent) string {
		return in.cursor(history + "-" + strconv.FormatInt(e.Version, 10))
	}), nil
}
