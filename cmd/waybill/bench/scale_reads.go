package bench

import (
	"slices"

	"waybill/db/scale"
)

// ScaleRead is an operation that reads, by the roles that may, with some filters.
type ScaleRead struct {
	Operation string // its id in the document
	Which     string // page and filters, in words
	Viewers   []scale.Role
	Path      string // with {names}: see nameRows
	Body      string // of a POST that changes nothing; '' for a GET
	Deep      bool   // not the first page
	// FromMiddle is a deep page in the middle of all pickups, of a plain list.
	FromMiddle bool
	Stream     bool // the first fifty events after LastEventID
	MostPages  int  // that it may look at; 0: mostPages
}

// Limits of the pages of 8 KB that an operation may read for the fifty rows that it shows. A list that shows
// patients records each in the audit log, whose index takes five or six pages a row.
//
// A search by two common words takes more than mostPatientPages: words are asked for by their beginnings, and a
// facility's entries are in the order of whole words. Those of two words cannot be merged by patient, and need not be:
// an entry has all words of its patient, so that the entries of one word tell who has the other, each at one look. What
// costs is that these entries are spread over the table. PostgreSQL asks the visibility map whether an entry is to be
// seen, of which a page says so of 255 MB: at a million patients, most looks take another page than the one before.
// Fewer looks would make shorter pages, which cost as much for each patient.
//
// The limits are those of a million pickups. Among ten million, indexes are a level deeper, and forty lines take more
// than 1,000 pages: by words, and the longest waiting, of forty facilities up to 2,700; appointments of a month in one
// status 1,250; patients of forty facilities 1,180.
const (
	mostPages        = 500
	mostPickupPages  = mostPages + 300 // of a list of pickups, some or all of which have a patient
	mostPatientPages = 1000            // of patients, with their consent
	mostSearchPages  = 2_500           // of patients found by words that many have, but few together
)

var (
	everyone = []scale.Role{
		scale.Admin, scale.Dispatcher, scale.Hub, scale.Driver,
		scale.StaffOfOne, scale.StaffOfNew, scale.StaffOfSome, scale.StaffOfAll,
	}
	everyPickup = []scale.Role{scale.Admin, scale.Dispatcher, scale.Hub, scale.StaffOfOne, scale.StaffOfAll}
	office      = []scale.Role{scale.Admin, scale.Dispatcher, scale.StaffOfOne, scale.StaffOfAll}
	ofPatients  = []scale.Role{scale.Admin, scale.Dispatcher, scale.StaffOfOne, scale.StaffOfNew, scale.StaffOfSome,
		scale.StaffOfAll}
	fewFacilities = []scale.Role{scale.Admin, scale.StaffOfOne, scale.StaffOfNew, scale.StaffOfSome}
	admin         = []scale.Role{scale.Admin}
)

// pickupFilters are filters of list-pickups: values that many rows have and values that few have, alone
// and combined.
var pickupFilters = []struct {
	which, query string
	deep         bool
}{
	{"first page", "", false},
	{"from the middle", "", true},
	{"status, most", "status=DELIVERED", false},
	{"status, many", "status=CANCELED", false},
	{"status, many, from the middle", "status=CANCELED", true},
	{"status, few", "status=PACKED", false},
	{"facility, the busiest", "facility_id={busiest}", false},
	{"facility, a small one", "facility_id={small}", false},
	{"driver", "driver_id={driver}", false},
	{"a month a year ago", "created_from={year_ago}&created_to={month_after}", false},
	{"all filters, many",
		"status=DELIVERED&facility_id={busiest}&driver_id={driver}&created_from={begin}&created_to={month_after}",
		false},
	{"all filters, few", "status=PACKED&facility_id={small}&driver_id={driver}&created_from={begin}&created_to={end}",
		false},
}

// pickupSearches are searches and orders of list-pickups, which look at up to 200 pickups, by several keys each.
var pickupSearches = []struct {
	which, query string
	deep         bool
	most         int
}{
	{"several statuses", "status=PACKED&status=CANCELED", false, mostPickupPages},
	{"oldest first", "sort=oldest", false, mostPickupPages},
	{"oldest first, a deep page", "sort=oldest", true, mostPickupPages},
	{"longest waiting", "sort=longest_waiting", false, mostPickupPages},
	{"account, the busiest", "account_id={busy_account}", false, mostLookPages},
	{"account, a deep page", "account_id={busy_account}", true, mostLookPages},
	{"words, many", "text=main%20lab", false, mostFoundPages},
	{"words, few", "text=main%201999", false, mostFoundPages},
	{"words, none", "text=nowhere", false, mostFoundPages},
	{"a day's windows a year ago", "window_from={year_ago}&window_to={month_after}&status=DELIVERED", false,
		mostFoundPages},
}

// Limits of lists that look at more pickups than they show, 200 at most, each by its key and some by their words: see
// TestEveryReadCostsWhatItShows. A look is four or five pages at a million pickups, the depth of the index by id and
// the row. Whoever sees forty facilities reads up to 51 entries of each besides, to merge them: in a small database
// facilities have fewer, so that these lists take 1.3 to 2.4 times as long at a million pickups.
const (
	mostLookPages  = 800 + mostPickupPages  // by a key, or for a viewer of many facilities
	mostFoundPages = 2000 + mostPickupPages // by words or days: those that few have are all read, up to 500
)

// ofMany are viewers whose facilities are too many to merge their pickups in an order.
var ofMany = []scale.Role{scale.StaffOfSome, scale.StaffOfAll}

// pickupSearchReads are the searches by each viewer, with their limits.
func pickupSearchReads() (all []ScaleRead) {
	for _, f := range pickupSearches {
		r := ScaleRead{Operation: "list-pickups", Which: f.which, Path: "/v1/pickups?" + f.query, Deep: f.deep}
		for _, viewer := range everyone {
			r.Viewers, r.MostPages = []scale.Role{viewer}, f.most
			if slices.Contains(ofMany, viewer) {
				r.MostPages = max(f.most, mostLookPages)
			}
			all = append(all, r)
		}
	}
	return all
}

// ScaleReads are all the reads that the benchmark scale measures.
func ScaleReads() (all []ScaleRead) {
	for _, f := range pickupFilters {
		all = append(all, ScaleRead{
			Operation: "list-pickups", Which: f.which, Viewers: everyone, Path: "/v1/pickups?" + f.query, Deep: f.deep,
			FromMiddle: f.deep, MostPages: mostPickupPages,
		})
	}
	return slices.Concat(all, pickupSearchReads(), pickupReads(), patientReads(), patientSearches(), recordReads(),
		appointmentReads(), tenantReads())
}

// pickupReads are reads of one pickup, and the stream. A driver reads another pickup than the other roles.
func pickupReads() (all []ScaleRead) {
	for _, o := range []struct {
		operation, path string
		viewers         []scale.Role
	}{
		{"get-pickup", "", everyPickup}, {"list-pickup-events", "/events", everyPickup},
		{"list-pickup-messages", "/messages", everyPickup},
	} {
		all = append(all, ScaleRead{Operation: o.operation, Viewers: o.viewers,
			Path: "/v1/pickups/{delivered}" + o.path})
	}
	driver := []scale.Role{scale.Driver}
	all = append(all,
		ScaleRead{Operation: "get-pickup", Which: "their own", Viewers: driver, Path: "/v1/pickups/{driven}"},
		ScaleRead{Operation: "list-pickup-events", Which: "their own", Viewers: driver,
			Path: "/v1/pickups/{driven}/events"},
		ScaleRead{Operation: "list-pickup-messages", Which: "their own", Viewers: driver,
			Path: "/v1/pickups/{driven}/messages"})
	return append(all,
		ScaleRead{
			Operation: "get-pickup-patient", Which: "their own", Viewers: driver,
			Path: "/v1/pickups/{driven_for}/patient",
		},
		ScaleRead{
			Operation: "get-pickup-patient", Viewers: []scale.Role{scale.Dispatcher, scale.StaffOfOne,
				scale.StaffOfAll},
			Path: "/v1/pickups/{delivered}/patient",
		},
		ScaleRead{Operation: "list-pickup-transitions", Viewers: everyone, Path: "/v1/pickup-transitions"},
		ScaleRead{Operation: "list-pickup-adjustments", Viewers: everyone, Path: "/v1/pickup-adjustments"},
		ScaleRead{Operation: "get-pickup-counts", Which: "all facilities",
			Viewers: everyone, Path: "/v1/pickup-counts"},
		ScaleRead{Operation: "get-pickup-counts", Which: "facility, the busiest", Viewers: everyone,
			Path: "/v1/pickup-counts?facility_id={busiest}"},
		ScaleRead{
			Operation: "stream-pickups", Which: "fifty events, from the middle", Stream: true,
			Path: "/v1/pickups/stream",
			Viewers: []scale.Role{scale.Admin, scale.Dispatcher, scale.Hub, scale.StaffOfOne, scale.StaffOfSome,
				scale.StaffOfAll},
		})
}

func patientReads() []ScaleRead {
	return []ScaleRead{
		{Operation: "list-patients", Which: "first page", Viewers: ofPatients, Path: "/v1/patients",
			MostPages: mostPatientPages},
		{Operation: "list-patients", Which: "deep page", Viewers: ofPatients, Path: "/v1/patients", Deep: true,
			MostPages: mostPatientPages},
		{Operation: "list-patients", Which: "facility, the busiest",
			Viewers: []scale.Role{scale.Dispatcher, scale.StaffOfSome, scale.StaffOfAll},
			Path:    "/v1/patients?facility_id={busiest}", MostPages: mostPatientPages},
		{Operation: "list-patients", Which: "facility, a small one",
			Viewers: []scale.Role{scale.Dispatcher, scale.StaffOfOne, scale.StaffOfAll},
			Path:    "/v1/patients?facility_id={small}", MostPages: mostPatientPages},
	}
}

func patientSearches() []ScaleRead {
	return []ScaleRead{
		{Operation: "list-patients", Which: "name, everybody's", Viewers: fewFacilities, Path: "/v1/patients?name=f",
			MostPages: mostPatientPages},
		{Operation: "list-patients", Which: "name, everybody's, deep page", Viewers: fewFacilities,
			Path: "/v1/patients?name=f", Deep: true, MostPages: mostPatientPages},
		{Operation: "list-patients", Which: "two words of few",
			Viewers: []scale.Role{scale.StaffOfOne, scale.StaffOfNew, scale.StaffOfSome},
			Path:    "/v1/patients?name=given0+f", MostPages: mostPatientPages},
		{Operation: "list-patients", Which: "birth date", Viewers: fewFacilities,
			Path: "/v1/patients?birth_date=1930-01-01", MostPages: mostPatientPages},
		{Operation: "list-patients", Which: "phone", Viewers: fewFacilities, Path: "/v1/patients?phone=%2B13000000000",
			MostPages: mostPatientPages},
		{Operation: "list-patients", Which: "external id", Viewers: fewFacilities, Path: "/v1/patients?external_id=p0",
			MostPages: mostPatientPages},
		{Operation: "list-patients", Which: "name, of 2,000 facilities",
			Viewers: []scale.Role{scale.Dispatcher, scale.StaffOfAll}, Path: "/v1/patients?name=given+family7",
			MostPages: mostPatientPages},
		{Operation: "list-patients", Which: "words of many, and of nobody", Viewers: ofPatients,
			Path: "/v1/patients?name=given+family+x", MostPages: mostPatientPages},
		{Operation: "list-patients", Which: "words of many, together of few", Viewers: ofPatients,
			Path: "/v1/patients?name=given1+family2", MostPages: mostSearchPages},
		{Operation: "search-patients", Which: "name, everybody's", Viewers: fewFacilities, Path: "/v1/patients/search",
			Body: `{"name": "f"}`, MostPages: mostPatientPages},
		{Operation: "search-patients", Which: "two words of few", Viewers: fewFacilities, Path: "/v1/patients/search",
			Body: `{"name": "given0 f"}`, MostPages: mostPatientPages},
		{Operation: "search-patients", Which: "name, of 2,000 facilities",
			Viewers: []scale.Role{scale.Dispatcher, scale.StaffOfAll}, Path: "/v1/patients/search",
			Body: `{"name": "given family7"}`, MostPages: mostPatientPages},
	}
}

// recordReads are of one patient, and of what is recorded about readers, feeds and jobs.
func recordReads() []ScaleRead {
	return []ScaleRead{
		{Operation: "get-patient", Viewers: []scale.Role{scale.Dispatcher, scale.StaffOfOne, scale.StaffOfAll},
			Path: "/v1/patients/{patient}"},
		{Operation: "list-patient-consents", Viewers: admin, Path: "/v1/patients/{patient}/consents"},
		{Operation: "list-patient-reads", Which: "first page", Viewers: admin, Path: "/v1/patients/{patient}/reads",
			MostPages: mostPatientPages},
		{Operation: "list-patient-reads", Which: "deep page", Viewers: admin, Path: "/v1/patients/{patient}/reads",
			Deep: true, MostPages: mostPatientPages},
		{Operation: "list-feeds", Viewers: []scale.Role{scale.Admin, scale.Dispatcher,
			scale.StaffOfOne, scale.StaffOfAll},
			Path: "/v1/facilities/{small}/feeds"},
		{Operation: "list-user-reads", Which: "first page", Viewers: admin, Path: "/v1/patient-reads?user_id={staff}"},
		{Operation: "list-user-reads", Which: "deep page", Viewers: admin, Path: "/v1/patient-reads?user_id={staff}",
			Deep: true},
		{Operation: "list-stuck-jobs", Viewers: admin, Path: "/v1/stuck-jobs"},
	}
}

func appointmentReads() []ScaleRead {
	const month = "&from={today}&to={in_a_month}"
	return []ScaleRead{
		{Operation: "list-patient-appointments",
			Viewers: []scale.Role{scale.Dispatcher, scale.StaffOfOne, scale.StaffOfAll},
			Path:    "/v1/patients/{patient}/appointments", MostPages: mostPatientPages},
		{Operation: "list-appointments", Which: "a month, a small clinic",
			Viewers: []scale.Role{scale.Dispatcher, scale.StaffOfOne, scale.StaffOfAll},
			Path:    "/v1/appointments?facility_id={small}" + month, MostPages: mostPatientPages},
		{Operation: "list-appointments", Which: "a month, a small clinic, deep page",
			Viewers: []scale.Role{scale.StaffOfOne},
			Path:    "/v1/appointments?facility_id={small}" + month, Deep: true, MostPages: mostPatientPages},
		{Operation: "list-appointments", Which: "a month, the busiest",
			Viewers: []scale.Role{scale.Dispatcher, scale.StaffOfSome, scale.StaffOfAll},
			Path:    "/v1/appointments?facility_id={busiest}" + month, MostPages: mostPatientPages},
		{Operation: "list-appointments", Which: "a month, the busiest, status",
			Viewers: []scale.Role{scale.Dispatcher, scale.StaffOfSome, scale.StaffOfAll},
			Path:    "/v1/appointments?facility_id={busiest}&status=CANCELED" + month, MostPages: mostPatientPages},
	}
}

// driverFilters are the filters of list-drivers.
var driverFilters = []struct{ which, query string }{
	{"free", "state=free"}, {"nearest", "near_latitude=37.5&near_longitude=-122.5"},
	{"nearest, free", "state=free&near_latitude=37.5&near_longitude=-122.5"},
}

// userFilters are the filters of list-users. All users have one word in their names.
var userFilters = []struct{ which, query string }{
	{"name, everybody's", "name=user"}, {"name, of one", "name=user+7"}, {"email", "email=user7@scale.example"},
	{"role", "role=staff"}, {"role, of one", "role=hub"}, {"deactivated", "active=false"},
}

// tenantReads are reads of accounts, and of rows of which a tenant has thousands.
func tenantReads() (all []ScaleRead) {
	list := func(operation, path string, viewers []scale.Role) {
		all = append(all,
			ScaleRead{Operation: operation, Which: "first page", Viewers: viewers, Path: path},
			ScaleRead{Operation: operation, Which: "deep page", Viewers: viewers, Path: path, Deep: true})
	}
	get := func(operation, path string, viewers []scale.Role) {
		all = append(all, ScaleRead{Operation: operation, Viewers: viewers, Path: path})
	}
	list("list-accounts", "/v1/accounts", office)
	get("get-account", "/v1/accounts/{busy_account}", office)
	list("list-account-facilities", "/v1/accounts/{unused_account}/facilities", []scale.Role{scale.Admin,
		scale.Dispatcher})
	list("list-account-entries", "/v1/accounts/{busy_account}/entries", office)
	get("get-account-statement", "/v1/accounts/{busy_account}/statement?from={today}", office)
	get("get-account-entry", "/v1/accounts/{busy_account}/entries/{busy_account}", office)
	list("list-drivers", "/v1/drivers", everyone)
	for _, f := range driverFilters {
		all = append(all,
			ScaleRead{Operation: "list-drivers", Which: f.which, Viewers: office, Path: "/v1/drivers?" + f.query})
	}
	get("get-driver", "/v1/drivers/{driver}", everyone)
	list("list-facilities", "/v1/facilities", everyone)
	get("get-facility", "/v1/facilities/{small}", []scale.Role{scale.Admin, scale.Dispatcher, scale.Hub,
		scale.StaffOfOne, scale.StaffOfAll})
	get("get-facility", "/v1/facilities/{driven_facility}", []scale.Role{scale.Driver})
	get("list-flags", "/v1/flags", admin)
	get("get-flag", "/v1/flags/pickup_texts", admin)
	get("list-webhook-endpoints", "/v1/webhook-endpoints", admin)
	get("get-webhook-endpoint", "/v1/webhook-endpoints/{endpoint}", admin)
	list("list-webhook-deliveries", "/v1/webhook-endpoints/{endpoint}/deliveries", admin)
	all = append(all, ScaleRead{Operation: "list-webhook-deliveries", Which: "dead letters", Viewers: admin,
		Path: "/v1/webhook-endpoints/{endpoint}/deliveries?status=FAILED"})
	list("list-groups", "/v1/groups", admin)
	get("get-group", "/v1/groups/{group}", admin)
	list("list-group-facilities", "/v1/groups/{group}/facilities", admin)
	get("list-group-members", "/v1/groups/{group}/members", admin)
	users := []scale.Role{scale.Admin, scale.Dispatcher}
	list("list-users", "/v1/users", users)
	for _, f := range userFilters {
		all = append(all, ScaleRead{Operation: "list-users", Which: f.which,
			Viewers: users, Path: "/v1/users?" + f.query})
	}
	get("get-user", "/v1/users/{staff}", []scale.Role{scale.Admin, scale.Dispatcher, scale.StaffOfOne})
	get("list-phone-numbers", "/v1/users/{staff}/phone-numbers",
		[]scale.Role{scale.Admin, scale.Dispatcher, scale.StaffOfOne})
	get("get-session", "/v1/session", everyone)
	return all
}

// ScaleExempt are the reads that are not measured, and why.
var ScaleExempt = map[string]string{
	"get-error": "it is a static page, without a query",
	"livez":     "it sends no query",
	"readyz":    "it reads no rows",
	"login":     "it is no read: it opens a session, whose cost is that of the password's hash",
}

// ScaleExemptRoles are the roles that may read but are not measured, and why.
var ScaleExemptRoles = map[string]map[scale.Role]string{
	"stream-pickups": {scale.Driver: "a driver has fewer than fifty events in a small database"},
}
