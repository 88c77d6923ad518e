package api

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"waybill/db"
)

// rowsOf returns the rows that the items name and change, which a batch locks before it makes the first of them. It
// returns none if one item is not for v: the batch is refused.
func (a *server) rowsOf(v db.Viewer, items []Write) (rows db.NamedRows) {
	for _, item := range items {
		op, known := a.writes[item.Operation]
		if !known || op.transition == "" && !slices.Contains(op.roles, v.Role) {
			return db.NamedRows{}
		}
		op.addRows(&rows, item)
	}
	return rows
}

// addRows adds those of an item. What has an own path is changed, and so is the slot of a driver that a pickup is
// assigned to; what else a body names is only referred to.
func (op operation) addRows(rows *db.NamedRows, item Write) {
	named := func(parameter string) (uuid.UUID, bool) {
		id, err := uuid.Parse(item.Path[parameter])
		return id, err == nil
	}
	isEdit := op.method == http.MethodPatch
	if id, ok := named("pickup_id"); ok {
		pickup := db.NamedPickup{ID: id, Transition: op.transition, Pays: op.transition == "" && !isEdit}
		if op.transition == db.TransitionNameAssign {
			var body Assignment
			json.Unmarshal(item.Body, &body) // if it cannot be read, the item is refused
			pickup.DriverID = body.DriverID
		}
		rows.Pickups = append(rows.Pickups, pickup)
	}
	if id, ok := named("driver_id"); ok {
		rows.Drivers = append(rows.Drivers, id)
		if isEdit {
			rows.Slots = append(rows.Slots, id)
		}
	}
	if id, ok := named("account_id"); ok {
		rows.Accounts = append(rows.Accounts, id)
	}
	for parameter, ids := range map[string]*[]uuid.UUID{
		"patient_id": &rows.Patients, "facility_id": &rows.Facilities, "group_id": &rows.Groups,
	} {
		if id, ok := named(parameter); ok && isEdit {
			*ids = append(*ids, id)
		}
	}
}
