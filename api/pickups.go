package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerPickups() {
	makers := []db.UserRole{db.UserRoleStaff, db.UserRoleDispatcher}
	makeCodes := []db.Code{db.IDReused, db.FacilityNotFound, db.AccountNotFound, db.AccountNotForFacility,
		db.PatientNotFound, db.NotFound}
	register(a, operation{
		id: "create-pickup", method: http.MethodPost, path: "/v1/pickups", tag: "pickups", status: http.StatusCreated,
		summary: "Create a pickup", about: "The status is DRAFT. Staff create pickups for the facilities that " +
			"they see.", roles: makers,
		codes: makeCodes, also: []int{http.StatusOK}, shares: true,
	}, a.createPickup)
	register(a, operation{
		id: "create-pickups", method: http.MethodPost, path: "/v1/pickups/batch",
		tag: "pickups", status: http.StatusCreated,
		summary: "Create up to 1,000 pickups",
		about:   "Creates all or none, and returns them in the order of the request.", roles: makers,
		codes: makeCodes, also: []int{http.StatusOK}, maxBody: maxBatchBody, alone: true,
	}, a.createPickups)
	register(a, operation{
		id: "list-pickups", method: http.MethodGet, path: "/v1/pickups", tag: "pickups",
		summary: "List the pickups that you see",
		about: "Newest first, unless sort says otherwise; a cursor belongs to its sort. A pickup is listed if " +
			"it fits " +
			"all parameters. The words of text are found at the beginning of words, in any order: case, accents and " +
			"apostrophes do not matter. A request looks at a limited number of pickups: with account_id, patient_id, " +
			"requested_by, text, a window, several statuses or another sort than newest, a page can have fewer items " +
			"than limit, or none, although next_cursor says that the list goes on; that cursor is encrypted, for the " +
			"session that got it.", roles: everyRole,
	}, a.listPickups)
	register(a, operation{
		id: "get-pickup", method: http.MethodGet, path: "/v1/pickups/{pickup_id}", tag: "pickups",
		summary: "Get a pickup",
		about: "Admins and dispatchers see all pickups, staff those of their facilities, drivers those assigned " +
			"to them now (ASSIGNED to SHIPPED), the hub those that were collected. The visible members " +
			"depend on the role: see the schema.",
		roles: everyRole, codes: []db.Code{db.NotFound}, also: []int{http.StatusNotModified},
	}, a.getPickup)
	register(a, operation{
		id: "edit-pickup", method: http.MethodPatch, path: "/v1/pickups/{pickup_id}", tag: "pickups",
		summary: "Edit a pickup", about: "Allowed only in DRAFT.", roles: []db.UserRole{db.UserRoleStaff},
		codes: []db.Code{db.NotFound, db.FacilityNotFound, db.AccountNotFound,
			db.AccountNotForFacility, db.PatientNotFound,
			db.NotEditable, db.StaleVersion, preconditionRequired},
	}, a.editPickup)
}

// NewPickup is the body of create-pickup.
type NewPickup struct {
	ID              *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"Chosen by the client, so that a retry is safe"`
	FacilityID      uuid.UUID  `json:"facility_id" format:"uuid"`
	AccountID       uuid.UUID  `json:"account_id" format:"uuid"`
	PatientID       *uuid.UUID `json:"patient_id,omitempty" format:"uuid" doc:"A patient that you can see"`
	PriceCents      int64      `json:"price_cents" minimum:"0" maximum:"9007199254740991" example:"3000"`
	PickupAddress   string     `json:"pickup_address" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"500" example:"2401 Mission St, San Francisco"`
	DropoffAddress  string     `json:"dropoff_address" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"500" example:"1 Lab Way, South San Francisco"`
	PickupLatitude  *float64   `json:"pickup_latitude,omitempty" minimum:"-90" maximum:"90" dependentRequired:"pickup_longitude" doc:"If it is omitted, the facility's location is used"`
	PickupLongitude *float64   `json:"pickup_longitude,omitempty" minimum:"-180" maximum:"180" dependentRequired:"pickup_latitude"`
	WindowStart     *Time      `json:"window_start,omitempty"`
	WindowEnd       *Time      `json:"window_end,omitempty"`
	Note            string     `json:"note,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"2000"`
}

// Resolve implements huma.ResolverWithPath.
func (n NewPickup) Resolve(_ huma.Context, at *huma.PathBuffer) []error {
	if n.PatientID != nil && *n.PatientID == uuid.Nil { // the query would treat it like null
		return []error{problem(db.PatientNotFound, inBody(at, "patient_id"), "")}
	}
	return nil
}

func (n NewPickup) draft(v db.Viewer, id uuid.UUID) db.Draft {
	return db.Draft{
		ID: id, FacilityID: n.FacilityID, AccountID: n.AccountID, PatientID: n.PatientID, PriceCents: n.PriceCents,
		PickupAddress: n.PickupAddress, PickupLatitude: n.PickupLatitude, PickupLongitude: n.PickupLongitude,
		DropoffAddress: n.DropoffAddress, WindowStart: n.WindowStart.standard(),
		WindowEnd: n.WindowEnd.standard(), Note: n.Note,
		Digest: digest(v, "create-pickup", n),
	}
}

type createPickupInput struct {
	CreateKey
	Body NewPickup
}

func (a *server) createPickup(ctx context.Context, v db.Viewer, in *createPickupInput) (*Created[Pickup], error) {
	id, err := in.newID(v, "create-pickup", 0, in.Body.ID)
	if err != nil {
		return nil, err
	}
	rows, made, err := a.store.CreateDrafts(ctx, v, []db.Draft{in.Body.draft(v, id)})
	if err != nil {
		return nil, err
	}
	shown := pickupFor(v.Role, rows[0])
	return createdRow(&shown, "/v1/pickups/"+shown.ID.String(), pickupTag(v.Role, shown.Version), made == 0), nil
}

// NewPickups is the body of create-pickups: all or none are created.
type NewPickups struct {
	Items []NewPickup `json:"items" doc:"The pickups to create, each with an id of its own or none" minItems:"1" maxItems:"1000"`
}

type createPickupsInput struct {
	CreateKey
	Body NewPickups
}

// Pickups is the answer of create-pickups, in the order of the request.
type Pickups struct {
	Items []Pickup `json:"items" maxItems:"1000" doc:"The pickups created, in the order of the request"`
}

type pickupsOutput struct {
	Status   int
	Replayed string `header:"Idempotency-Replayed" doc:"\"true\" if an earlier request with the same batch created all of them"`
	Body     *Pickups
}

func (a *server) createPickups(ctx context.Context, v db.Viewer, in *createPickupsInput) (*pickupsOutput, error) {
	drafts, err := in.drafts(v)
	if err != nil {
		return nil, err
	}
	rows, made, err := a.store.CreateDrafts(ctx, v, drafts)
	var refused *db.Error
	if errors.As(err, &refused) && refused.Field != "" {
		refused.Field = fmt.Sprintf("items[%d].%s", refused.Item, refused.Field)
	}
	if err != nil {
		return nil, err
	}
	out := &pickupsOutput{Status: http.StatusCreated, Body: &Pickups{pickupsFor(v.Role, rows)}}
	if made == 0 {
		out.Status, out.Replayed = http.StatusOK, "true"
	}
	return out, nil
}

// drafts returns the rows of a batch. With an Idempotency-Key, the digest of each covers the whole
// batch: the same first items followed by others are a different request.
func (in *createPickupsInput) drafts(v db.Viewer) ([]db.Draft, error) {
	out := make([]db.Draft, len(in.Body.Items))
	seen := map[uuid.UUID]bool{}
	var whole []byte
	if in.Key != "" {
		whole = digest(v, "create-pickups", in.Body)
	}
	for i, item := range in.Body.Items {
		id, err := in.newID(v, "create-pickups", i, item.ID)
		if err != nil {
			return nil, err
		}
		if seen[id] {
			return nil, problem(db.ValidationFailed, fmt.Sprintf("items[%d].id", i),
				"The id occurs twice in this batch.")
		}
		seen[id] = true
		out[i] = item.draft(v, id)
		out[i].Operation = "create-pickups"
		if whole != nil {
			out[i].Digest = whole
		}
	}
	return out, nil
}

type listPickupsInput struct {
	Keyset
	Sort        string            `query:"sort" enum:"newest,oldest,longest_waiting" default:"newest" doc:"newest and oldest: by created_at. longest_waiting: by submitted_at, the longest ago first, only those that wait: SUBMITTED to SHIPPED"`
	Statuses    []db.PickupStatus `query:"status,explode" doc:"Only those with one of these statuses; repeat the parameter for several"`
	FacilityID  uuid.UUID         `query:"facility_id" format:"uuid" doc:"Only those of this facility"`
	DriverID    uuid.UUID         `query:"driver_id" format:"uuid" doc:"Only those of this driver"`
	AccountID   uuid.UUID         `query:"account_id" format:"uuid" doc:"Only those that are charged to this account. Finds nothing for drivers and the hub, who do not see it"`
	PatientID   uuid.UUID         `query:"patient_id" format:"uuid" doc:"Only those for this patient. Finds nothing for the hub, who does not see it"`
	RequestedBy uuid.UUID         `query:"requested_by" format:"uuid" doc:"Only those that this user created"`
	Text        SearchText        `query:"text" doc:"Only those with these words, or beginnings of words, in an address or in the note, as far as you see it" example:"mission vial"`
	WindowFrom  Time              `query:"window_from" doc:"Only those with a window that ends after this time"`
	WindowTo    Time              `query:"window_to" doc:"Only those with a window that starts before this time"`
	CreatedRange
}

// Resolve implements huma.Resolver.
func (in *listPickupsInput) Resolve(ctx huma.Context) []error {
	errs := in.openPlace(ctx)
	errs = append(errs, checkRange("created_from", in.CreatedFrom, "created_to", in.CreatedTo)...)
	return append(errs, checkRange("window_from", in.WindowFrom, "window_to", in.WindowTo)...)
}

// openPlace opens the cursor. That of a search belongs to all that is asked for, and is encrypted: it may be the place
// of a pickup that the caller does not see.
func (in *listPickupsInput) openPlace(ctx huma.Context) []error {
	order := ""
	if asked := in.params(); !asked.IsPlain() {
		asked.MaxRows = 0 // the next page may have another limit
		text, err := json.Marshal(asked)
		if err != nil {
			panic(err) // cannot fail for plain structs
		}
		in.sealed, order = sealerOf(ctx), "?"+string(text)
	}
	place, err := in.openOrdered(ctx, order)
	if err != nil || place != "" || in.Sort == db.Newest {
		return append(asErrors(err), in.resume(place)...)
	}
	in.before, in.beforeID = time.Time{}, uuid.Nil
	return nil
}

// CreatedRange filters by the time of creation. Zero means not sent.
type CreatedRange struct {
	CreatedFrom Time `query:"created_from" doc:"Only those created at or after this time"`
	CreatedTo   Time `query:"created_to" doc:"Only those created before this time"`
}

// SearchText is a text whose words are searched. It is not logged.
type SearchText string

// Schema implements huma.SchemaProvider.
func (SearchText) Schema(huma.Registry) *huma.Schema {
	return patternedText(`\S`, "text that is not blank", 1, 200)
}

// params are what is asked for, by no viewer yet.
func (in *listPickupsInput) params() db.FindPickupsParams {
	statuses := make([]string, len(in.Statuses))
	for i, s := range in.Statuses {
		statuses[i] = string(s)
	}
	return db.FindPickupsParams{
		Statuses: statuses, FacilityID: given(in.FacilityID), DriverID: given(in.DriverID),
		AccountID: given(in.AccountID), PatientID: given(in.PatientID), RequestedBy: given(in.RequestedBy),
		Text: given(string(in.Text)), WindowFrom: given(in.WindowFrom.Time), WindowTo: given(in.WindowTo.Time),
		CreatedFrom: in.CreatedFrom.Time, CreatedTo: untilOr(in.CreatedTo), Sort: in.Sort,
		AfterAt: in.before, AfterID: in.beforeID, MaxRows: in.Limit,
	}
}

func (a *server) listPickups(ctx context.Context, v db.Viewer, in *listPickupsInput) (*ListOf[Pickup], error) {
	p := in.params()
	p.TenantID, p.ViewerID, p.ViewerRole, p.ViewerDriverID = v.TenantID, v.UserID, v.Role, v.DriverID
	rows, next, err := a.store.SearchPickups(ctx, p)
	if err != nil {
		return nil, err
	}
	page := &Page[Pickup]{Items: pickupsFor(v.Role, rows)}
	if next != nil {
		page.NextCursor = in.after(next.At, next.ID)
	}
	return &ListOf[Pickup]{page}, nil
}

// given returns a pointer to a query parameter's value, or nil if it was not sent.
func given[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

// PickupPath identifies a pickup by its id in the path.
type PickupPath struct {
	PickupID uuid.UUID `path:"pickup_id" format:"uuid" doc:"The pickup"`
}

type getPickupInput struct {
	PickupPath
	IfNoneMatch
}

func (a *server) getPickup(ctx context.Context, v db.Viewer, in *getPickupInput) (*Row[Pickup], error) {
	row, err := a.store.GetOne(ctx, v, in.PickupID)
	if err != nil {
		return nil, err
	}
	tag, shown := pickupTag(v.Role, row.Version), pickupFor(v.Role, row)
	return &Row[Pickup]{tag, &shown}, in.notModifiedIf(tag)
}

// PickupEdit holds the members to change; omitted members keep their value, and null clears.
type PickupEdit struct {
	FacilityID      *uuid.UUID           `json:"facility_id,omitempty" format:"uuid"`
	AccountID       *uuid.UUID           `json:"account_id,omitempty" format:"uuid"`
	PatientID       Clearable[uuid.UUID] `json:"patient_id,omitzero" format:"uuid"`
	PriceCents      *int64               `json:"price_cents,omitempty" minimum:"0" maximum:"9007199254740991"`
	PickupAddress   *string              `json:"pickup_address,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"500"`
	DropoffAddress  *string              `json:"dropoff_address,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"500"`
	PickupLatitude  Clearable[float64]   `json:"pickup_latitude,omitzero" minimum:"-90" maximum:"90"`
	PickupLongitude Clearable[float64]   `json:"pickup_longitude,omitzero" minimum:"-180" maximum:"180"`
	WindowStart     Clearable[Time]      `json:"window_start,omitzero"`
	WindowEnd       Clearable[Time]      `json:"window_end,omitzero"`
	Note            Clearable[string]    `json:"note,omitzero" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"2000"`
}

func (PickupEdit) isEdit() {}

type editPickupInput struct {
	PickupPath
	IfMatch
	Body PickupEdit
}

func (a *server) editPickup(ctx context.Context, v db.Viewer, in *editPickupInput) (*Row[Pickup], error) {
	b := in.Body
	if b == (PickupEdit{}) {
		row, err := a.store.GetOneFor(ctx, v, in.PickupID, "edit-pickup")
		if err == nil && row.Version == in.version && row.Status != db.PickupStatusDRAFT {
			err = a.store.NotEditable(ctx, v, row)
		}
		shown := pickupFor(v.Role, row)
		return asSeen(in.IfMatch, row.Version, pickupTag(v.Role, row.Version), &shown, err)
	}
	row, err := a.store.EditPickup(ctx, v, db.EditPickupParams{
		ID: in.PickupID, Version: in.version,
		FacilityID: b.FacilityID, AccountID: b.AccountID, PriceCents: b.PriceCents,
		SetPatientID: b.PatientID.Sent, PatientID: b.PatientID.Value,
		PickupAddress: b.PickupAddress, DropoffAddress: b.DropoffAddress,
		SetPickupLatitude: b.PickupLatitude.Sent, PickupLatitude: b.PickupLatitude.Value,
		SetPickupLongitude: b.PickupLongitude.Sent, PickupLongitude: b.PickupLongitude.Value,
		SetWindowStart: b.WindowStart.Sent, WindowStart: b.WindowStart.Value.standard(),
		SetWindowEnd: b.WindowEnd.Sent, WindowEnd: b.WindowEnd.Value.standard(),
		SetNote: b.Note.Sent, Note: b.Note.Value,
	})
	if err != nil {
		return nil, err
	}
	shown := pickupFor(v.Role, row)
	return &Row[Pickup]{pickupTag(v.Role, row.Version), &shown}, nil
}
