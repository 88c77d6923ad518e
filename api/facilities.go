package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerFacilities() {
	register(a, operation{
		id: "create-facility", method: http.MethodPost, path: "/v1/facilities",
		tag: "facilities", status: http.StatusCreated,
		summary: "Create a facility", roles: admin, codes: []db.Code{db.IDReused}, also: []int{http.StatusOK},
	}, a.createFacility)
	register(a, operation{
		id: "list-facilities", method: http.MethodGet, replicas: true, path: "/v1/facilities", tag: "facilities",
		summary: "List the facilities that you see",
		about: "Admins and dispatchers see all facilities, staff and hub those of their groups, drivers those " +
			"of their pickups.",
		roles: everyRole,
	}, a.listFacilities)
	register(a, operation{
		id: "get-facility", method: http.MethodGet, replicas: true,
		path: "/v1/facilities/{facility_id}", tag: "facilities",
		summary: "Get a facility", roles: everyRole, codes: []db.Code{db.NotFound}, also: []int{http.StatusNotModified},
	}, a.getFacility)
	register(a, operation{
		id: "edit-facility", method: http.MethodPatch, path: "/v1/facilities/{facility_id}", tag: "facilities",
		summary: "Edit a facility", roles: admin, codes: []db.Code{db.NotFound, db.StaleVersion, preconditionRequired},
	}, a.editFacility)
}

// NewFacility is the body of create-facility.
type NewFacility struct {
	ID        *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"Chosen by the client, so that a retry is safe"`
	Name      string     `json:"name" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200" example:"Mission Clinic"`
	Address   string     `json:"address" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"500" example:"2401 Mission St, San Francisco"`
	Latitude  float64    `json:"latitude" minimum:"-90" maximum:"90" example:"37.7583"`
	Longitude float64    `json:"longitude" minimum:"-180" maximum:"180" example:"-122.4186"`
	TimeZone  TimeZone   `json:"time_zone,omitempty" example:"America/Los_Angeles"`
}

type createFacilityInput struct {
	CreateKey
	Body NewFacility
}

func (a *server) createFacility(
	ctx context.Context, v db.Viewer, in *createFacilityInput,
) (*Created[db.Facility], error) {
	b, d := in.Body, digest(v, "create-facility", in.Body)
	id, err := in.newID(v, "create-facility", 0, b.ID)
	if err != nil {
		return nil, err
	}
	row, replayed, err := a.store.CreateFacility(ctx, v, db.CreateFacilityParams{
		ID: id, Name: b.Name, Address: b.Address, Latitude: b.Latitude,
		Longitude: b.Longitude, TimeZone: given(string(b.TimeZone)), RequestDigest: d,
	})
	if err != nil {
		return nil, err
	}
	return createdRow(&row, "/v1/facilities/"+row.ID.String(), etag(row.Version), replayed), nil
}

func facilityParams(v db.Viewer, id uuid.UUID) db.GetFacilityParams {
	return db.GetFacilityParams{TenantID: v.TenantID, ID: id, ViewerID: v.UserID,
		ViewerRole: v.Role, ViewerDriverID: v.DriverID}
}

func (a *server) listFacilities(ctx context.Context, v db.Viewer, in *Keyset) (*ListOf[db.Facility], error) {
	rows, err := a.store.ListFacilities(ctx, db.ListFacilitiesParams{
		TenantID: v.TenantID, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
		BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(f db.Facility) string { return in.after(f.CreatedAt, f.ID) }), nil
}

// FacilityPath identifies a facility by its id in the path.
type FacilityPath struct {
	FacilityID uuid.UUID `path:"facility_id" format:"uuid" doc:"The facility"`
}

type getFacilityInput struct {
	FacilityPath
	IfNoneMatch
}

func (a *server) getFacility(ctx context.Context, v db.Viewer, in *getFacilityInput) (*Row[db.Facility], error) {
	row, err := a.store.GetFacility(ctx, facilityParams(v, in.FacilityID))
	if err != nil {
		return nil, err
	}
	tag := etag(row.Version)
	return &Row[db.Facility]{tag, &row}, in.notModifiedIf(tag)
}

// FacilityEdit holds the members to change; omitted members keep their value, and null clears.
type FacilityEdit struct {
	Name      *string  `json:"name,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"200"`
	Address   *string  `json:"address,omitempty" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"500"`
	Latitude  *float64 `json:"latitude,omitempty" minimum:"-90" maximum:"90"`
	Longitude *float64 `json:"longitude,omitempty" minimum:"-180" maximum:"180"`

	TimeZone Clearable[TimeZone] `json:"time_zone,omitzero"`

	MaxCancelShare *float64 `json:"max_cancel_share,omitempty" minimum:"0" maximum:"1" doc:"The fraction of its current appointments that a list may cancel without allow_mass_cancel: see sync-appointments"`
}

func (FacilityEdit) isEdit() {}

type editFacilityInput struct {
	FacilityPath
	IfMatch
	Body FacilityEdit
}

func (a *server) editFacility(ctx context.Context, v db.Viewer, in *editFacilityInput) (*Row[db.Facility], error) {
	if in.Body == (FacilityEdit{}) {
		row, err := a.store.GetFacility(ctx, facilityParams(v, in.FacilityID))
		return asSeen(in.IfMatch, row.Version, etag(row.Version), &row, err)
	}
	row, err := a.store.EditFacility(ctx, v, db.EditFacilityParams{
		ID: in.FacilityID, Version: in.version,
		Name: in.Body.Name, Address: in.Body.Address, Latitude: in.Body.Latitude,
		Longitude: in.Body.Longitude, MaxCancelShare: in.Body.MaxCancelShare,
		SetTimeZone: in.Body.TimeZone.Sent, TimeZone: (*string)(in.Body.TimeZone.Value),
	})
	if err != nil {
		return nil, err
	}
	return &Row[db.Facility]{etag(row.Version), &row}, nil
}
