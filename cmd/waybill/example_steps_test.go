package main

import (
	"slices"

	"waybill/db"
)

// exampleStep is a request: the operation, the role of the demo user who sends it, the names and values of the
// parameters of its path and query, and its body.
type exampleStep struct {
	operation  string
	as         db.UserRole
	parameters []any
	body       any
	meanwhile  *exampleStep // sent while a stream is open
	refused    string       // the pickup of a text that the gateway has refused: its id is the parameter message_id
}

// in is a JSON object.
type in = map[string]any

// What the examples create, by ids of the client's.
const (
	exampleUser      = "019b8d5a-0001-7000-8000-000000000001"
	examplePhone     = "019b8d5a-0001-7000-8000-000000000002"
	exampleFacility  = "019b8d5a-0001-7000-8000-000000000003"
	exampleGroup     = "019b8d5a-0001-7000-8000-000000000004"
	exampleAccount   = "019b8d5a-0001-7000-8000-000000000005"
	exampleDeposit   = "019b8d5a-0001-7000-8000-000000000006"
	exampleCharge    = "019b8d5a-0001-7000-8000-000000000007"
	exampleDriver    = "019b8d5a-0001-7000-8000-000000000008"
	examplePatient   = "019b8d5a-0001-7000-8000-000000000009"
	examplePickup    = "019b8d5a-0001-7000-8000-00000000000a"
	exampleFirstOf2  = "019b8d5a-0001-7000-8000-00000000000b"
	exampleSecondOf2 = "019b8d5a-0001-7000-8000-00000000000c"
	exampleEndpoint  = "019b8d5a-0001-7000-8000-00000000000d"
)

// exampleSteps returns the requests, in their order. For the operations that it lacks, derivedSteps makes them.
func exampleSteps() []exampleStep {
	return slices.Concat(exampleAdministration(), exampleWebhooks(),
		exampleCustomers(), exampleLifecycle(), []exampleStep{
			{operation: "logout", as: db.UserRoleStaff},
		})
}

func exampleAdministration() []exampleStep {
	admin := db.UserRoleAdmin
	user, phone := []any{"user_id", exampleUser}, []any{"user_id", exampleUser, "phone_number_id", examplePhone}
	facility, group := []any{"facility_id", exampleFacility}, []any{"group_id", exampleGroup}
	shown := []any{"group_id", exampleGroup, "facility_id", exampleFacility}
	member := []any{"group_id", exampleGroup, "user_id", exampleUser}
	two, flag := []any{"limit", 2}, []any{"name", "auto_dispatch"}
	return []exampleStep{
		{operation: "livez"}, {operation: "readyz"}, {operation: "get-error", parameters: []any{"code", "driver_busy"}},
		{operation: "login",
			body: in{"tenant": demoSlug, "email": "dispatcher@demo.example", "password": demoPassword}},
		{operation: "get-session", as: db.UserRoleDriver},
		{operation: "create-user", as: admin, body: in{"id": exampleUser, "email": "ada@demo.example",
			"password": "correct horse battery", "name": "Ada Lovelace", "role": "staff"}},
		{operation: "list-users", as: admin, parameters: two},
		{operation: "get-user", as: admin, parameters: user},
		{operation: "edit-user", as: admin, parameters: user, body: in{"name": "Ada King"}},
		{operation: "change-password", as: admin, parameters: user,
			body: in{"current_password": demoPassword, "new_password": "staple of the battery"}},
		{operation: "add-phone-number", as: admin, parameters: user,
			body: in{"id": examplePhone, "number": "+14155550177"}},
		{operation: "list-phone-numbers", as: admin, parameters: user},
		{operation: "remove-phone-number", as: admin, parameters: phone},
		{operation: "create-facility", as: admin, body: in{"id": exampleFacility, "name": "Sunset Clinic",
			"address": "1200 Irving St, San Francisco", "latitude": 37.7639, "longitude": -122.4713,
			"time_zone": "America/Los_Angeles"}},
		{operation: "list-facilities", as: admin, parameters: two},
		{operation: "get-facility", as: admin, parameters: facility},
		{operation: "edit-facility", as: admin, parameters: facility, body: in{"max_cancel_share": 0.5}},
		{operation: "create-group", as: admin, body: in{"id": exampleGroup, "name": "Sunset staff"}},
		{operation: "list-groups", as: admin, parameters: two},
		{operation: "get-group", as: admin, parameters: group},
		{operation: "edit-group", as: admin, parameters: group, body: in{"name": "Sunset and Parkside staff"}},
		{operation: "add-group-facility", as: admin, parameters: shown},
		{operation: "list-group-facilities", as: admin, parameters: group},
		{operation: "add-group-member", as: admin, parameters: member},
		{operation: "list-group-members", as: admin, parameters: group},
		{operation: "remove-group-member", as: admin, parameters: member},
		{operation: "remove-group-facility", as: admin, parameters: shown},
		{operation: "deactivate-user", as: admin, parameters: user},
		{operation: "reactivate-user", as: admin, parameters: user},
		{operation: "list-flags", as: admin}, {operation: "get-flag", as: admin, parameters: flag},
		{operation: "set-flag", as: admin, parameters: flag, body: in{"enabled": false}},
	}
}

func exampleWebhooks() []exampleStep {
	admin, endpoint := db.UserRoleAdmin, []any{"endpoint_id", exampleEndpoint}
	return []exampleStep{
		{operation: "create-webhook-endpoint", as: admin,
			body: in{"id": exampleEndpoint, "url": "https://clinic.example/waybill"}},
		{operation: "list-webhook-endpoints", as: admin, parameters: []any{"limit", 2}},
		{operation: "get-webhook-endpoint", as: admin, parameters: endpoint},
		{operation: "edit-webhook-endpoint", as: admin, parameters: endpoint,
			body: in{"events": []any{"collect", "deliver"}}},
		{operation: "ping-webhook-endpoint", as: admin, parameters: endpoint},
		{operation: "list-webhook-deliveries", as: admin, parameters: endpoint},
		{operation: "redeliver-webhook", as: admin, parameters: endpoint},
		{operation: "delete-webhook-endpoint", as: admin, parameters: endpoint},
	}
}

func exampleCustomers() []exampleStep {
	admin, staff := db.UserRoleAdmin, db.UserRoleStaff
	account, patient := []any{"account_id", exampleAccount}, []any{"patient_id", examplePatient}
	driver, clinic := []any{"driver_id", exampleDriver}, mission.facility.String()
	listed := []any{"account_id", exampleAccount, "facility_id", clinic}
	allowed := []any{"patient_id", examplePatient, "facility_id", castro.facility.String()}
	return []exampleStep{
		{operation: "create-account", as: admin,
			body: in{"id": exampleAccount, "name": "Sunset Clinic", "currency": "USD"}},
		{operation: "list-accounts", as: admin, parameters: []any{"limit", 2}},
		{operation: "get-account", as: admin, parameters: account},
		{operation: "edit-account", as: admin, parameters: account,
			body: in{"name": "Sunset and Parkside Clinics", "all_facilities": false}},
		{operation: "add-account-facility", as: admin, parameters: listed},
		{operation: "list-account-facilities", as: admin, parameters: account},
		{operation: "remove-account-facility", as: admin, parameters: listed},
		{operation: "deposit-to-account", as: admin, parameters: account,
			body: in{"id": exampleDeposit, "amount_cents": 50000, "note": "Invoice 2026-001"}},
		{operation: "charge-account", as: admin, parameters: account,
			body: in{"id": exampleCharge, "amount_cents": 1500, "note": "Monthly fee"}},
		{operation: "list-account-entries", as: admin, parameters: account},
		{operation: "get-account-statement", as: admin, parameters: account},
		{operation: "get-account-entry", as: admin,
			parameters: []any{"account_id", exampleAccount, "entry_id", exampleCharge}},
		{operation: "create-driver", as: admin, body: in{"id": exampleDriver, "name": "Katherine", "on_duty": true}},
		{operation: "list-drivers", as: admin, parameters: []any{"near_latitude", 37.7599, "near_longitude", -122.4148,
			"limit", 2}},
		{operation: "get-driver", as: admin, parameters: driver},
		{operation: "locate-driver", as: admin, parameters: driver,
			body: in{"latitude": 37.7599, "longitude": -122.4148, "located_at": "2026-01-05T09:00:00Z"}},
		{operation: "edit-driver", as: admin, parameters: driver, body: in{"on_duty": false}},
		{operation: "create-patient", as: staff, body: in{"id": examplePatient, "facility_id": clinic,
			"external_id": "2001", "given_name": "Ada", "family_name": "Example", "birth_date": "1990-05-17",
			"phone": "+14155550123"}},
		{operation: "list-patients", as: staff, parameters: []any{"facility_id", clinic, "limit", 2}},
		{operation: "search-patients", as: staff, body: in{"name": "ada exam", "limit": 2}},
		{operation: "get-patient", as: staff, parameters: patient},
		{operation: "edit-patient", as: staff, parameters: patient, body: in{"phone": "+14155550124"}},
		{operation: "allow-patient-facility", as: db.UserRoleDispatcher, parameters: allowed},
		{operation: "list-patient-consents", as: admin, parameters: patient},
		{operation: "disallow-patient-facility", as: db.UserRoleDispatcher, parameters: allowed},
		{operation: "list-patient-reads", as: admin, parameters: append([]any{"limit", 2}, patient...)},
		{operation: "list-user-reads", as: admin, parameters: []any{"user_id", demoID("user staff").String(),
			"limit", 2}},
		{operation: "list-stuck-jobs", as: admin, parameters: []any{"limit", 2}},
		{operation: "sync-appointments", as: staff,
			parameters: []any{"facility_id", clinic, "as_of", "2026-01-05T09:00:00Z"},
			body: []any{in{"external_id": "4711",
				"starts_at": "2030-01-07T09:00:00Z", "ends_at": "2030-01-07T09:30:00Z",
				"status": "BOOKED", "patient": in{"external_id": "2001", "given_name": "Ada", "family_name": "Example",
					"birth_date": "1990-05-17", "phone": "+14155550124"}}}},
		{operation: "list-feeds", as: staff, parameters: []any{"facility_id", clinic, "limit", 2}},
		{operation: "list-appointments", as: staff, parameters: []any{"facility_id", clinic,
			"from", "2030-01-07T00:00:00Z", "to", "2030-01-08T00:00:00Z"}},
		{operation: "list-patient-appointments", as: staff, parameters: patient},
	}
}

// exampleDraft returns the body of a pickup of a demo clinic.
func exampleDraft(id string) in {
	return in{"id": id, "facility_id": mission.facility.String(),
		"account_id":  demoID("account Mission Clinic").String(),
		"price_cents": 3000, "pickup_address": "2401 Mission St, San Francisco",
		"dropoff_address": "1 Lab Way, South San Francisco"}
}

// exampleLifecycle leads a pickup from its creation to its delivery.
func exampleLifecycle() []exampleStep {
	staff, dispatcher, hub := db.UserRoleStaff, db.UserRoleDispatcher, db.UserRoleHub
	pickup := []any{"pickup_id", examplePickup}
	draft, first := exampleDraft, exampleDraft(examplePickup)
	first["patient_id"], first["note"] = demoID("patient 1001").String(), "Two vials, keep cold"
	first["window_start"], first["window_end"] = "2030-01-07T09:00:00Z", "2030-01-07T11:00:00Z"
	login := demoID("driver of " + demoID("user driver").String()).String()
	submit := exampleStep{operation: "submit-pickup", as: staff, parameters: pickup}
	return []exampleStep{
		{operation: "list-pickup-transitions", as: staff},
		{operation: "list-pickup-adjustments", as: dispatcher},
		{operation: "create-pickup", as: staff, body: first},
		{operation: "edit-pickup", as: staff, parameters: pickup, body: in{"note": "Two vials, on ice"}},
		{operation: "create-pickups", as: staff,
			body: in{"items": []any{draft(exampleFirstOf2), draft(exampleSecondOf2)}}},
		{operation: "cancel-pickup", as: staff, parameters: []any{"pickup_id", exampleSecondOf2},
			body: in{"reason": "Booked twice"}},
		{operation: "write-batch", as: staff, body: in{"items": []any{
			in{"operation": "submit-pickup", "path": in{"pickup_id": exampleFirstOf2}},
			in{"operation": "cancel-pickup", "path": in{"pickup_id": exampleFirstOf2},
				"body": in{"reason": "Came by car"}},
		}}},
		{operation: "stream-pickups", as: staff, meanwhile: &submit},
		{operation: "dispatch-pickup", as: dispatcher, parameters: pickup},
		{operation: "release-pickup", as: dispatcher, parameters: pickup},
		{operation: "assign-pickup", as: dispatcher, parameters: pickup, body: in{"driver_id": login}},
		{operation: "get-pickup-patient", as: db.UserRoleDriver, parameters: pickup},
		{operation: "collect-pickup", as: db.UserRoleDriver, parameters: pickup},
		{operation: "receive-pickup", as: hub, parameters: pickup},
		{operation: "pack-pickup", as: hub, parameters: pickup},
		{operation: "ship-pickup", as: hub, parameters: pickup},
		{operation: "reprice-pickup", as: dispatcher, parameters: pickup, body: in{"price_cents": 3500}},
		{operation: "deliver-pickup", as: hub, parameters: pickup},
		{operation: "refund-pickup", as: dispatcher, parameters: pickup,
			body: in{"amount_cents": 500, "reason": "Delivered two hours late"}},
		{operation: "get-pickup", as: staff, parameters: pickup},
		{operation: "list-pickups", as: staff, parameters: []any{"status", "DELIVERED"}},
		{operation: "get-pickup-counts", as: staff},
		{operation: "list-pickup-events", as: staff, parameters: pickup},
		{operation: "resend-message", as: staff, refused: examplePickup},
		{operation: "list-pickup-messages", as: staff, parameters: pickup},
	}
}
