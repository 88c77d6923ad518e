package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

// Pickup is a pickup as one role sees it. Only pickupFor and movedFor build it: db.Pickup is never
// encoded. Members that a role may not see are omitted.
type Pickup struct {
	ID          uuid.UUID           `json:"id" format:"uuid"`
	Status      db.PickupStatus     `json:"status"`
	Version     int64               `json:"version" example:"1"`
	FacilityID  uuid.UUID           `json:"facility_id" format:"uuid"`
	RequestedBy uuid.UUID           `json:"requested_by" format:"uuid"`
	DriverID    Optional[uuid.UUID] `json:"driver_id,omitzero" format:"uuid" doc:"Set exactly in the statuses to which a transition with has_driver leads"`
	CreatedAt   time.Time           `json:"created_at"`
	UpdatedAt   time.Time           `json:"updated_at"`

	SubmittedAt Optional[time.Time] `json:"submitted_at,omitzero" doc:"Since when it waits: when it was submitted. Null in DRAFT, and if it ended before this was recorded. Visible to everyone who sees the pickup"`

	AccountID     *uuid.UUID `json:"account_id,omitempty" format:"uuid" doc:"Visible to admins, dispatchers and staff"`
	PriceCents    *int64     `json:"price_cents,omitempty" minimum:"0" doc:"The amount that submit-pickup charges. Visible to admins, dispatchers and staff"`
	ChargedCents  *int64     `json:"charged_cents,omitempty" minimum:"0" doc:"The amount currently charged. Visible to admins, dispatchers and staff"`
	RefundedCents *int64     `json:"refunded_cents,omitempty" minimum:"0" doc:"The amount that was refunded. Visible to admins, dispatchers and staff"`

	PickupAddress   *string             `json:"pickup_address,omitempty" doc:"Visible to everyone who sees the pickup"`
	PickupLatitude  Optional[float64]   `json:"pickup_latitude,omitzero" doc:"If it is null, the facility's location is used. Visible to everyone who sees the pickup"`
	PickupLongitude Optional[float64]   `json:"pickup_longitude,omitzero" doc:"Visible to everyone who sees the pickup"`
	DropoffAddress  *string             `json:"dropoff_address,omitempty" doc:"Visible to everyone who sees the pickup"`
	WindowStart     Optional[time.Time] `json:"window_start,omitzero" doc:"Visible to everyone who sees the pickup"`
	WindowEnd       Optional[time.Time] `json:"window_end,omitzero" doc:"Visible to everyone who sees the pickup"`

	PatientID    Optional[uuid.UUID] `json:"patient_id,omitzero" format:"uuid" doc:"The patient; see get-pickup-patient. Visible to admins, dispatchers, staff, and the assigned driver"`
	Note         Optional[string]    `json:"note,omitzero" doc:"Visible to admins, dispatchers, staff, and the assigned driver"`
	CancelReason Optional[string]    `json:"cancel_reason,omitzero" doc:"Visible to admins, dispatchers and staff"`
}

// TransformSchema documents which roles see each member.
func (Pickup) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Description = "Members that the caller's role may not see are omitted. Admins, dispatchers and staff see " +
		"all members. The driver, while the pickup is assigned to them (ASSIGNED to SHIPPED), and the hub " +
		"(from COLLECTED on) do not see account, price, charge and refund; the hub does not see patient " +
		"and note. The answer to a transition after which the caller may not see the pickup any more, like a " +
		"driver's deliver, has only the required members."
	return s
}

// pickupFor returns the members of a pickup that the role may see. Visible members are listed: a new
// member is invisible until it is added here.
func pickupFor(role db.UserRole, p db.Pickup) Pickup {
	shown := receipt(p)
	if seesMoney(role) {
		shown.addMoney(p)
	}
	switch role {
	case db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleStaff:
		shown.addWay(p)
		shown.PatientID, shown.Note, shown.CancelReason = some(p.PatientID), some(p.Note), some(p.CancelReason)
	case db.UserRoleDriver:
		shown.addWay(p)
		shown.PatientID, shown.Note = some(p.PatientID), some(p.Note)
	case db.UserRoleHub:
		shown.addWay(p)
	}
	return shown
}

// movedFor returns the members of a transition's result that the role may see.
func movedFor(role db.UserRole, m db.Moved) Pickup {
	if m.Seen {
		return pickupFor(role, m.Pickup)
	}
	return receipt(m.Pickup)
}

func pickupsFor(role db.UserRole, rows []db.Pickup) []Pickup {
	shown := make([]Pickup, len(rows))
	for i, p := range rows {
		shown[i] = pickupFor(role, p)
	}
	return shown
}

// receipt returns the members that the caller of a write knows anyway.
func receipt(p db.Pickup) Pickup {
	return Pickup{
		ID: p.ID, Status: p.Status, Version: p.Version, FacilityID: p.FacilityID, RequestedBy: p.RequestedBy,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}

// addWay adds the addresses, the window, the note and the patient.
func (s *Pickup) addWay(p db.Pickup) {
	s.DriverID, s.SubmittedAt = some(p.DriverID), some(p.SubmittedAt)
	s.PickupAddress, s.PickupLatitude, s.PickupLongitude = &p.PickupAddress, some(
		p.PickupLatitude), some(p.PickupLongitude)
	s.DropoffAddress, s.WindowStart, s.WindowEnd = &p.DropoffAddress, some(p.WindowStart), some(p.WindowEnd)
}

// seesMoney reports whether the role sees prices, charges and accounts.
func seesMoney(role db.UserRole) bool { return slices.Contains(moneyRoles, role) }

func (s *Pickup) addMoney(p db.Pickup) {
	s.AccountID, s.PriceCents = &p.AccountID, &p.PriceCents
	s.ChargedCents, s.RefundedCents = &p.ChargedCents, &p.RefundedCents
}

// pickupTag returns the ETag of a pickup for a role: a 304 must not confirm content of another role.
// If-Match compares only the version.
func pickupTag(role db.UserRole, version int64) string {
	switch role {
	case db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleStaff:
		return etag(version)
	case db.UserRoleDriver:
		return etag(version, 1)
	}
	return etag(version, 2)
}

// Optional is a member of an answer that is omitted for some callers; for the others it is the value or
// null.
type Optional[T any] struct {
	told  bool
	value *T // nil for null
}

func some[T any](value *T) Optional[T] { return Optional[T]{true, value} }

// MarshalJSON returns the value, or null.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	if o.value == nil {
		return jsonNull, nil
	}
	return json.Marshal(o.value)
}

var jsonNull = []byte("null")

// IsZero lets omitzero omit what the caller may not see.
func (o Optional[T]) IsZero() bool { return !o.told }

// Schema implements huma.SchemaProvider: a nullable T.
func (o Optional[T]) Schema(r huma.Registry) *huma.Schema {
	return orNull(*r.Schema(reflect.TypeFor[T](), true, ""))
}
