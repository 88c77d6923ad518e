package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerPickupCounts() {
	register(a, operation{
		id: "get-pickup-counts", method: http.MethodGet, replicas: true, path: "/v1/pickup-counts",
		tag:     "pickups",
		summary: "Count the pickups that you see by status",
		about: "For a board. Counts all pickups that list-pickups would list, however old, at one moment, and " +
			"lists every status, also those with none. It takes as long for a million pickups as for ten: pickups " +
			"are counted when they are written. Of a facility that you do not see, and in a status that your role " +
			"does not see, there are none.",
		roles: everyRole,
	}, a.getPickupCounts)
}

// PickupCounts is the answer of get-pickup-counts.
type PickupCounts struct {
	Items []PickupCount `json:"items" maxItems:"100" doc:"Every status once, in the order of a pickup's life"`
}

// PickupCount is how many pickups have a status.
type PickupCount struct {
	Status db.PickupStatus `json:"status"`
	Count  int64           `json:"count" minimum:"0" doc:"How many pickups that you see have the status" example:"12"`
}

type getPickupCountsInput struct {
	FacilityID uuid.UUID `query:"facility_id" format:"uuid" doc:"Only those of this facility"`
}

type pickupCountsOutput struct {
	Body *PickupCounts
}

func (a *server) getPickupCounts(
	ctx context.Context, v db.Viewer, in *getPickupCountsInput,
) (*pickupCountsOutput, error) {
	rows, err := a.store.GetPickupCounts(ctx, db.GetPickupCountsParams{TenantID: v.TenantID, ViewerID: v.UserID,
		ViewerRole: v.Role, ViewerDriverID: v.DriverID, FacilityID: given(in.FacilityID)})
	if err != nil {
		return nil, err
	}
	counts := &PickupCounts{Items: make([]PickupCount, len(rows))}
	for i, r := range rows {
		counts.Items[i] = PickupCount{r.Status, r.Pickups}
	}
	return &pickupCountsOutput{counts}, nil
}
