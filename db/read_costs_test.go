package db_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/scale"
)

// readCost is a read of a viewer, and how many pages of the database it may look at.
type readCost struct {
	what   string
	viewer db.Viewer
	most   int64
	read   func(context.Context, *db.Queries) error
}

const (
	pageCost    = 500   // of a page of 50
	patientCost = 700   // of one that shows patients; to record them is apart
	auditCost   = 1_000 // of one that shows who read patients
	recordCost  = 300   // to record the patients of a page
	rowCost     = 100   // of one row
	behindCost  = 1_000 // of a page behind the pickups of others
	lookCost    = 2_400 // of pickups found by ids or of a viewer of many facilities: of 200 that are looked at
	foundCost   = 4_000 // of pickups found by words or days: of 200 and, if these do not suffice, of 500, by two keys
	countCost   = 3_000 // of jobs, of which so many are counted
)

// A search of patients looks at the beginning of each facility of the viewer, and at a limited number of entries; in
// place of more than 100 facilities at those of the tenant.
const (
	searchCost   = 1_000
	userLooks    = 20_000
	patientLooks = 2_000
)

// looks are how many entries of an index a search may look at, of which many are on a page: of patients, those of
// facilities that may have more for the page twice, and of who sees them all, the facilities, twice.
var looks = map[string]float64{"FindUsers": userLooks, "FindPatients": 2 * (patientLooks + 2_000)}

// uncosted are the reads that have no viewer and no list, each with why.
var uncosted = map[string]string{
	"GetPrimaryState":           "reads the snapshot and the position in the WAL",
	"GetReplayedAhead":          "reads the position in the WAL",
	"GetReplayed":               "reads the position in the WAL",
	"GetCurrentHistory":         "reads the few rows of histories",
	"FeedContradictsItself":     "reads the whole feed: it is about it",
	"FindFeedContradictions":    "reads the whole feed: it is about it",
	"GetJobTable":               "reads the catalog",
	"ListLeakyLogSettings":      "reads settings",
	"GetStreamHorizon":          "reads locks and the snapshot",
	"MoveStreamHorizon":         "reads no table",
	"IsReadOnly":                "reads a setting",
	"GetSessionSettings":        "reads settings",
	"GetTimeline":               "reads no table",
	"GetDatabaseTime":           "reads no table",
	"AwaitStandbys":             "reads no table",
	"GetBackendPID":             "reads no table",
	"TryMigrationLock":          "takes a lock, and reads no table",
	"GetOwnerRights":            "reads the catalog",
	"ListBackfills":             "a row for each backfill",
	"GetBackfill":               "a row by its key",
	"GetWebhookEndpoint":        "a row by its key",
	"GetWebhookDelivery":        "a row by its key",
	"GetCreatedWebhookEndpoint": "a row by its key",
	"LockBackfill":              "a row by its key",
	"SeesAllRows":               "reads the catalog",
	"GetReplicaLag":             "reads what the server does",
	"GetMigrator":               "reads locks",
	"ListAppliedMigrations":     "reads goose's table: a row for each migration",
	"ListMigrationFiles":        "a row for each migration",
	"ListInvalidIndexes":        "reads the catalog",
	"ListHeldLocks":             "reads locks",
	"ListBlockers":              "reads locks",
	"GetIndexProgress":          "reads what the server does",
	"EstimateRows":              "reads the catalog",
	"ListTransitions":           "reads the dictionary",
	"ListAdjustmentRules":       "reads the dictionary",
	"GetLoginAttempt":           "a row by its key",
	"GetLoginTokenWait":         "a row by its key",
	"GetTenantBySlug":           "a row by its key",
	"GetPasswordEpoch":          "an operator's command: a row by its key",
	"ListTenants":               "an operator's command, by the key's order",
	"GetSessions":               "TestReadersOfManyFacilitiesReadFewPages has it",
	"ExplainCreatePickups":      "rows by their keys",
	"ExplainEditPickup":         "a row by its key",
	"ExplainResendMessage":      "a row by its key",
	"ExplainAdjustPickup":       "a row by its key",
}

// costFixture names who reads what.
type costFixture struct {
	*scale.Dataset
	viewers map[string]db.Viewer
	middle  uuid.UUID // a patient

	middleOfEntries time.Time // of the busy account
}

func newCostFixture(w *scale.Dataset) costFixture {
	c := costFixture{Dataset: w, viewers: map[string]db.Viewer{}}
	for name, u := range map[string]struct {
		role scale.Role
		of   db.UserRole
	}{
		"admin": {scale.Admin, db.UserRoleAdmin}, "dispatcher": {scale.Dispatcher, db.UserRoleDispatcher},
		"hub": {scale.Hub, db.UserRoleHub}, "driver": {scale.Driver, db.UserRoleDriver},
		"staff of one":          {scale.StaffOfOne, db.UserRoleStaff},
		"staff of a new clinic": {scale.StaffOfNew, db.UserRoleStaff},
		"staff of all":          {scale.StaffOfAll, db.UserRoleStaff},
		"staff of some":         {scale.StaffOfSome, db.UserRoleStaff},
	} {
		c.viewers[name] = db.SystemViewer(w.TenantID, w.Users[u.role], u.of)
	}
	driver := c.viewers["driver"]
	driver.DriverID = w.DriverID
	c.viewers["driver"] = driver
	c.viewers["staff of none"] = db.SystemViewer(w.TenantID, newID(), db.UserRoleStaff)
	return c
}

var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// each gives a cost for every viewer.
func (c costFixture) each(most int64, read func(context.Context, *db.Queries, db.Viewer) error) (all []readCost) {
	for _, name := range slices.Sorted(maps.Keys(c.viewers)) {
		v := c.viewers[name]
		all = append(all, readCost{name, v, most,
			func(ctx context.Context, q *db.Queries) error { return read(ctx, q, v) }})
	}
	return all
}

// pickups are the lists of pickups of each viewer by every combination of filters, from the
// newest on and from the middle.
func (c costFixture) pickups() (all []readCost) {
	for _, status := range [][]string{nil, {"DELIVERED"}, {"PACKED"}, {"SUBMITTED"}} { // several: FindPickups
		for _, facility := range []*uuid.UUID{nil, &c.SmallClinic, &c.NewClinic, &c.BusiestClinic} {
			for _, driver := range []*uuid.UUID{nil, &c.DriverID} {
				for _, since := range []time.Time{{}, time.Now()} {
					for name, v := range c.viewers {
						most := int64(pageCost)
						if name == "staff of all" && status == nil && facility == nil && driver == nil {
							most = behindCost // see busyNeighbor
						}
						p := db.ListPickupsParams{
							TenantID: c.TenantID, ViewerID: v.UserID, ViewerRole: v.Role,
							ViewerDriverID: v.DriverID, Statuses: status,
							FacilityID: facility, DriverID: driver, CreatedFrom: since, CreatedTo: endOfTime,
							BeforeCreatedAt: endOfTime, BeforeID: uuid.Max, MaxRows: 50,
						}
						what := fmt.Sprintf("%s: status %v, facility %v, driver %v, since %v", name,
							status, deref(facility), driver != nil, since.Year())
						all = append(all, readCost{what, v, most, func(ctx context.Context, q *db.Queries) error {
							_, err := q.ListPickups(ctx, p)
							return err
						}})
					}
				}
			}
		}
	}
	return all
}

func deref[T any](p *T) string {
	if p == nil {
		return "any"
	}
	return fmt.Sprint(*p)
}

// listCosts are the costs of the lists of a tenant's rows.
func (c costFixture) listCosts() map[string][]readCost {
	t, max50 := c.TenantID, int32(50)
	return map[string][]readCost{
		"ListPickups": c.pickups(),
		"ListFacilities": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListFacilities(ctx, db.ListFacilitiesParams{TenantID: t, ViewerID: v.UserID, ViewerRole: v.Role,
				ViewerDriverID: v.DriverID, BeforeCreatedAt: endOfTime, BeforeID: uuid.Max, MaxRows: max50})
			return err
		}),
		"ListUsers":          c.users(),
		"FindUsers":          c.usersNamed(),
		"ListDrivers":        c.drivers(),
		"ListNearestDrivers": c.nearestDrivers(),
		"ListAccountFacilities": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListAccountFacilities(ctx,
				db.ListAccountFacilitiesParams{TenantID: t, AccountID: c.UnusedAccount, MaxRows: max50})
			return err
		}),
		"ListGroupMembers": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListGroupMembers(ctx,
				db.ListGroupMembersParams{TenantID: t, GroupID: c.GroupOfAll, MaxRows: max50})
			return err
		}),
		"ListGroupFacilities": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListGroupFacilities(ctx,
				db.ListGroupFacilitiesParams{TenantID: t, GroupID: c.GroupOfAll, MaxRows: max50})
			return err
		}),
		"ListFlags": c.each(rowCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListFlags(ctx, db.ListFlagsParams{TenantID: t, MaxRows: max50})
			return err
		}),
	}
}

// nestedCosts are the costs of lists of what belongs to another row, and of a tenant's patients.
func (c costFixture) nestedCosts() map[string][]readCost {
	pickup := c.Pickups[len(c.Pickups)-1]
	t, max50 := c.TenantID, int32(50)
	return map[string][]readCost{
		"ListLedgerEntries": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListLedgerEntries(ctx, db.ListLedgerEntriesParams{TenantID: t, AccountID: c.BusyAccount,
				BeforeCreatedAt: endOfTime, BeforeID: uuid.Max, MaxRows: max50})
			return err
		}),
		"GetAccountStatement": c.each(rowCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetAccountStatement(ctx, db.GetAccountStatementParams{TenantID: t, ID: c.BusyAccount,
				ViewerID: v.UserID, ViewerRole: v.Role, FromTime: c.middleOfEntries, ToTime: endOfTime})
			return err
		}),
		"ListStatementLines": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListStatementLines(ctx, db.ListStatementLinesParams{TenantID: t, AccountID: c.BusyAccount,
				AfterCreatedAt: c.middleOfEntries, AfterDeltaCents: 1 << 53, Until: endOfTime, MaxRows: max50})
			return err
		}),
		"ListPhoneNumbers": c.each(rowCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListPhoneNumbers(ctx, db.ListPhoneNumbersParams{TenantID: t, UserID: v.UserID,
				BeforeCreatedAt: endOfTime, BeforeID: uuid.Max, MaxRows: max50})
			return err
		}),
		"ListMessages": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListMessages(ctx,
				db.ListMessagesParams{TenantID: t, PickupID: pickup, ViewerRole: v.Role, ViewerID: v.UserID,
					ViewerDriverID: v.DriverID, BeforeCreatedAt: endOfTime, BeforeID: uuid.Max, MaxRows: max50})
			return err
		}),
		"ListFeedReports": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListFeedReports(ctx,
				db.ListFeedReportsParams{TenantID: t, FacilityID: c.BusiestClinic, ViewerRole: v.Role,
					ViewerID: v.UserID, BeforeCreatedAt: endOfTime, BeforeID: uuid.Max, MaxRows: max50})
			return err
		}),
		"ListPickupEvents": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListPickupEvents(ctx,
				db.ListPickupEventsParams{TenantID: t, PickupID: pickup, ViewerRole: v.Role,
					ViewerID: v.UserID, ViewerDriverID: v.DriverID, MaxRows: max50})
			return err
		}),
		"ListPatientReads": c.each(auditCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			ago := time.Now().AddDate(0, 0, -700)
			_, err := q.ListPatientReads(ctx, db.ListPatientReadsParams{TenantID: t, PatientID: c.PatientID,
				UserID: &v.UserID, ToTime: &ago, BeforeCreatedAt: endOfTime, BeforeID: uuid.Max, MaxRows: max50})
			return err
		}),
		"ListConsents": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListConsents(ctx,
				db.ListConsentsParams{TenantID: t, PatientID: c.PatientID, BeforeSeq: 1 << 40, MaxRows: max50})
			return err
		}),
	}
}

// foundCosts are the costs of searches, and of what is read of a tenant's patients.
func (c costFixture) foundCosts() map[string][]readCost {
	t, max50 := c.TenantID, int32(50)
	return map[string][]readCost{
		"ListReads": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			ago := time.Now().AddDate(0, 0, -700)
			_, err := q.ListReads(ctx, db.ListReadsParams{TenantID: t, UserID: c.Users[scale.StaffOfOne],
				ToTime: &ago, BeforeCreatedAt: endOfTime, BeforeID: uuid.Max, MaxRows: max50})
			return err
		}),
		"GetPickupCounts": c.counts(),
		"FindPickups":     c.found(),
		"ListFoundPickups": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListFoundPickups(ctx, db.ListFoundPickupsParams{TenantID: t, ViewerID: v.UserID,
				ViewerRole: v.Role, ViewerDriverID: v.DriverID, Ids: c.Pickups[:50]})
			return err
		}),
		"ListPatients":     c.patients(),
		"FindPatients":     c.patientsFound(),
		"ListAppointments": c.appointments(),
		"ListPatientAppointments": c.each(patientCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListPatientAppointments(ctx, db.ListPatientAppointmentsParams{TenantID: t, ViewerID: v.UserID,
				PatientID: c.PatientID, ToTime: endOfTime, MaxRows: max50})
			return err
		}),
		"ListRefusedMessages": c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			// For any reason: of one reason, the others' texts are passed over, which the gateway refused too.
			_, err := q.ListRefusedMessages(ctx, db.ListRefusedMessagesParams{TenantID: t, MaxRows: max50})
			return err
		}),
	}
}

// eventCosts are the costs of the event stream's statements.
func (c costFixture) eventCosts() map[string][]readCost {
	t := c.TenantID
	return map[string][]readCost{
		"FindNewEvents": c.each(rowCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.FindNewEvents(ctx,
				db.FindNewEventsParams{TenantIds: []uuid.UUID{t}, SinceXids: []string{"999999999"}})
			return err
		}),
		"GetLastStreamEvent": c.each(rowCost, func(ctx context.Context, q *db.Queries, _ db.Viewer) error {
			_, err := q.GetLastStreamEvent(ctx, db.GetLastStreamEventParams{TenantID: t, Horizon: "999999999"})
			return err
		}),
		"StreamPickupEvents": c.each(rowCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			// A window of the stream, from the beginning on, over the events of others.
			_, err := q.StreamPickupEvents(ctx,
				db.StreamPickupEventsParams{TenantID: t, AfterXid: "0", Horizon: "999999999",
					ViewerRole: v.Role, ViewerID: v.UserID, ViewerDriverID: v.DriverID, MaxRows: 200})
			return err
		}),
	}
}

// found are searches of pickups: by what many have, few and none, alone and combined, in each order, from the first
// page and from the middle.
func (c costFixture) found() (all []readCost) {
	for name, asked := range c.searches() {
		for _, sort := range []string{db.Newest, db.Oldest, db.LongestWaiting} {
			for from, at := range map[string]time.Time{"first": {}, "middle": time.Now().AddDate(0, 0, -365)} {
				for who, v := range c.viewers {
					p := asked
					p.TenantID, p.ViewerID, p.ViewerRole, p.ViewerDriverID = v.TenantID, v.UserID, v.Role, v.DriverID
					p.Sort, p.MaxRows, p.MaxLooks, p.MaxFound = sort, 50, 200, 500
					if p.CreatedTo.IsZero() {
						p.CreatedTo = endOfTime
					}
					if p.AfterAt = at; from == "first" && sort == db.Newest {
						p.AfterAt = endOfTime
					}
					what := fmt.Sprintf("%s: %s, %s, from the %s", who, name, sort, from)
					all = append(all, readCost{what, v, foundMost(who, p),
						func(ctx context.Context, q *db.Queries) error {
							_, err := q.FindPickups(ctx, p)
							return err
						}})
				}
			}
		}
	}
	return all
}

// foundMost is what a search of pickups may cost: as much as a page of any list if it is one of an order alone, or of
// what waits longest of a driver's, who has few.
func foundMost(who string, p db.FindPickupsParams) int64 {
	switch {
	case p.Text != nil, p.WindowFrom != nil:
		return foundCost
	case p.DriverID != nil && p.Sort == db.LongestWaiting:
		return pageCost
	case len(p.Statuses) > 0, p.AccountID != nil, p.PatientID != nil, p.RequestedBy != nil, !p.CreatedFrom.IsZero(),
		p.DriverID != nil:
		return lookCost
	case who == "staff of some":
		return lookCost // a page of each of forty facilities, or of others' pickups, among which theirs are
	case p.Sort == db.Newest:
		return lookCost // ListPickups serves it
	default:
		return pageCost
	}
}

// searches are what pickups are searched by.
func (c costFixture) searches() map[string]db.FindPickupsParams {
	text := func(s string) *string { return &s }
	days := func(back int) *time.Time { at := time.Now().AddDate(0, 0, -back); return &at }
	return map[string]db.FindPickupsParams{
		"nothing": {}, "statuses": {Statuses: []string{"PACKED", "CANCELED"}},
		"busy account": {AccountID: &c.BusyAccount}, "small account": {AccountID: &c.SmallAccount},
		"unused account": {AccountID: &c.UnusedAccount}, "patient": {PatientID: &c.PatientID},
		"requester":        {RequestedBy: &c.Users[scale.StaffOfOne]},
		"account, other's": {AccountID: &c.BusyAccount, RequestedBy: &c.Users[scale.StaffOfOne]},
		"facility":         {FacilityID: &c.SmallClinic}, "busiest facility": {FacilityID: &c.BusiestClinic},
		"driver": {DriverID: &c.DriverID}, "created": {CreatedFrom: *days(365), CreatedTo: *days(335)},
		"common words": {Text: text("main lab")},
		"rare words":   {Text: text("main 1999")},
		"no such word": {Text: text("nowhere")},
		"word, few":    {Text: text("ring"), Statuses: []string{"PACKED"}, FacilityID: &c.SmallClinic},
		"window":       {WindowFrom: days(300), WindowTo: days(299)},
		"window, facility, word": {WindowFrom: days(30), WindowTo: days(20),
			FacilityID: &c.SmallClinic, Text: text("twice")},
		"everything, many": {Statuses: []string{"DELIVERED", "CANCELED"}, FacilityID: &c.BusiestClinic,
			AccountID: &c.BusyAccount, DriverID: &c.DriverID, Text: text("main lab"), WindowFrom: days(700),
			WindowTo: days(0), CreatedFrom: *days(700), CreatedTo: *days(0)},
		"everything, few": {Statuses: []string{"PACKED", "SHIPPED"}, FacilityID: &c.SmallClinic,
			AccountID: &c.SmallAccount, DriverID: &c.DriverID, PatientID: &c.PatientID,
			RequestedBy: &c.Users[scale.StaffOfOne], Text: text("ring twice"), WindowFrom: days(20),
			WindowTo: days(19), CreatedFrom: *days(30), CreatedTo: *days(0)},
	}
}

// counts are the counts of pickups, of all facilities and of one.
func (c costFixture) counts() (all []readCost) {
	for _, facility := range []*uuid.UUID{nil, &c.BusiestClinic, &c.NewClinic} {
		for name, v := range c.viewers {
			most := int64(rowCost)
			switch {
			case name == "staff of some" && facility == nil:
				most = pageCost // forty facilities
			case name == "staff of all":
				most = countCost // the facilities and their counts are read; the pickups are not
			}
			all = append(all, readCost{fmt.Sprintf("%s: facility %v", name, deref(facility)), v, most,
				func(ctx context.Context, q *db.Queries) error {
					_, err := q.GetPickupCounts(ctx, db.GetPickupCountsParams{TenantID: c.TenantID, ViewerID: v.UserID,
						ViewerRole: v.Role, ViewerDriverID: v.DriverID, FacilityID: facility})
					return err
				}})
		}
	}
	return all
}

// patients are the lists of patients, from the first and from the middle.
func (c costFixture) patients() (all []readCost) {
	for _, facility := range []*uuid.UUID{nil, &c.BusiestClinic, &c.SmallClinic, &c.NewClinic} {
		for from, after := range map[string]uuid.UUID{"first": {}, "middle": c.middle} {
			for name, v := range c.viewers {
				what := fmt.Sprintf("%s: facility %v, from the %s", name, deref(facility), from)
				all = append(all, readCost{what, v, patientCost, func(ctx context.Context, q *db.Queries) error {
					_, err := q.ListPatients(ctx, db.ListPatientsParams{
						TenantID: c.TenantID, ViewerID: v.UserID, FacilityID: facility, AfterID: after, MaxRows: 50})
					return err
				}})
			}
		}
	}
	return all
}

// patientsFound are searches of patients: by what everybody has, by what few have, by two words that many have and
// nobody both, and by what one has; of all that the viewer sees and of a facility.
func (c costFixture) patientsFound() (all []readCost) {
	for _, facility := range []*uuid.UUID{nil, &c.BusiestClinic, &c.NewClinic} {
		for _, p := range []db.FindPatientsParams{
			{Name: "g"}, {Name: "given1 family2"}, {Name: "given7 family77"}, {Name: "given family x"},
			{Name: "given family1 given2 family3"},
			{BirthDate: "1931-07-13"}, {Phone: "+13000000007"}, {ExternalID: "p7"},
			{Name: "given77 f", BirthDate: "1950-01-01"},
		} {
			for name, v := range c.viewers {
				what := fmt.Sprintf("%s: facility %v, %+v", name, deref(facility), p)
				all = append(all, readCost{what, v, searchCost, func(ctx context.Context, q *db.Queries) error {
					p := p
					p.TenantID, p.ViewerID, p.FacilityID, p.MaxRows = c.TenantID, v.UserID, facility, 50
					p.MaxLooks = patientLooks
					_, err := q.FindPatients(ctx, p)
					return err
				}})
			}
		}
	}
	return all
}

// drivers are the lists of drivers by what they do.
func (c costFixture) drivers() (all []readCost) {
	for _, state := range driverStates {
		all = append(all, c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListDrivers(ctx, db.ListDriversParams{TenantID: c.TenantID, ViewerRole: v.Role,
				ViewerDriverID: v.DriverID, State: state, BeforeCreatedAt: endOfTime, BeforeID: uuid.Max, MaxRows: 50})
			return err
		})...)
	}
	return all
}

var driverStates = []*string{nil, new("free"), new("busy"), new("off_duty")}

// nearestDrivers are the lists of drivers by their distance.
func (c costFixture) nearestDrivers() (all []readCost) {
	for _, state := range driverStates {
		all = append(all, c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListNearestDrivers(ctx, db.ListNearestDriversParams{TenantID: c.TenantID, ViewerRole: v.Role,
				ViewerDriverID: v.DriverID, State: state, NearLatitude: 37.5, NearLongitude: -122.5, AfterDistance: -1,
				MaxRows: 50})
			return err
		})...)
	}
	return all
}

// users are the lists of users by each filter.
func (c costFixture) users() (all []readCost) {
	staff, hub, email := db.UserRoleStaff, db.UserRoleHub, "USER7@scale.example"
	for what, p := range map[string]db.ListUsersParams{
		"all": {}, "of a role": {Role: &staff}, "active": {Active: new(true)}, "deactivated": {Active: new(false)},
		"active of a role": {Role: &staff, Active: new(true)}, "by email": {Email: &email},
		"of a role of few": {Role: &hub}, "of a role of nobody": {Role: &hub, Active: new(false)},
	} {
		all = append(all, c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			p := p
			p.TenantID, p.ViewerID, p.ViewerRole, p.MaxRows = c.TenantID, v.UserID, v.Role, 50
			p.BeforeCreatedAt, p.BeforeID = endOfTime, uuid.Max
			_, err := q.ListUsers(ctx, p)
			return err
		})...)
		for i := len(all) - len(c.viewers); i < len(all); i++ {
			all[i].what += ", " + what
		}
	}
	return all
}

// usersNamed are searches of users by a name: everybody's first, that of one, and of one among everybody's.
func (c costFixture) usersNamed() (all []readCost) {
	for _, name := range []string{"u", "user 7", "7", "nobody"} {
		costs := c.each(pageCost, func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.FindUsers(ctx, db.FindUsersParams{TenantID: c.TenantID, ViewerID: v.UserID, ViewerRole: v.Role,
				Name: name, MaxLooks: userLooks, MaxRows: 51})
			return err
		})
		for i := range costs {
			costs[i].what += ", " + name
		}
		all = append(all, costs...)
	}
	return all
}

// appointments are a week's and a month's, in any status and in one.
func (c costFixture) appointments() (all []readCost) {
	canceled := db.AppointmentStatusCANCELED
	for _, status := range []*db.AppointmentStatus{nil, &canceled} {
		for _, days := range []int{7, 31} {
			for name, v := range c.viewers {
				what := fmt.Sprintf("%s: %d days, status %v", name, days, deref(status))
				all = append(all, readCost{what, v, patientCost, func(ctx context.Context, q *db.Queries) error {
					_, err := q.ListAppointments(ctx, db.ListAppointmentsParams{
						TenantID: c.TenantID, ViewerID: v.UserID, FacilityID: c.BusiestClinic, Status: status,
						FromTime: time.Now().AddDate(0, 0, -days), ToTime: time.Now(), MaxRows: 50})
					return err
				}})
			}
		}
	}
	return all
}

// jobCosts are the costs of an operator's looks at the jobs.
func (c costFixture) jobCosts() map[string][]readCost {
	admin := c.viewers["admin"]
	one := func(most int64, read func(context.Context, *db.Queries) error) []readCost {
		return []readCost{{"operator", admin, most, read}}
	}
	return map[string][]readCost{
		"CountJobs": one(countCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.CountJobs(ctx)
			return err
		}),
		"ListPausedQueues": one(countCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListPausedQueues(ctx)
			return err
		}),
		"ListUnfoldedTenants": one(pageCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListUnfoldedTenants(ctx, db.ListUnfoldedTenantsParams{MaxRows: 500})
			return err
		}),
		"ListStuckJobs": one(pageCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListStuckJobs(ctx,
				db.ListStuckJobsParams{TenantID: c.TenantID, ViewerRole: "admin", BeforeID: math.MaxInt64, MaxRows: 50})
			return err
		}),
		"GetVersionSince": one(rowCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.GetVersionSince(ctx, db.GetVersionSinceParams{TenantID: c.TenantID,
				PickupID: c.Pickups[len(c.Pickups)-1], Version: 1})
			return err
		}),
		"ListTroubledJobs": one(pageCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListTroubledJobs(ctx, db.ListTroubledJobsParams{StuckAfter: time.Hour, MaxRows: 50})
			return err
		}),
	}
}

// webhookCosts are the costs of the lists of endpoints and deliveries, and of the workers' looks at them.
func (c costFixture) webhookCosts() map[string][]readCost {
	admin, endpoint := c.viewers["admin"], uuid.MustParse(busyEndpoint)
	one := func(most int64, read func(context.Context, *db.Queries) error) []readCost {
		return []readCost{{"admin", admin, most, read}}
	}
	deliveries := []readCost{}
	for _, statuses := range [][]string{{"PENDING", "DELIVERED", "FAILED"}, {"FAILED"}, {"PENDING"}} {
		for _, before := range []time.Time{endOfTime, time.Now().Add(-10 * time.Minute)} {
			deliveries = append(deliveries, one(pageCost, func(ctx context.Context, q *db.Queries) error {
				_, err := q.ListWebhookDeliveries(ctx, db.ListWebhookDeliveriesParams{TenantID: c.TenantID,
					EndpointID: endpoint, Statuses: statuses, BeforeCreatedAt: before, MaxRows: 50})
				return err
			})...)
		}
	}
	return map[string][]readCost{
		"ListWebhookDeliveries": deliveries,
		"ListWebhookEndpoints": one(rowCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListWebhookEndpoints(ctx,
				db.ListWebhookEndpointsParams{TenantID: c.TenantID, BeforeCreatedAt: endOfTime, MaxRows: 50})
			return err
		}),
		"ListWebhookTenants": one(pageCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListWebhookTenants(ctx, db.ListWebhookTenantsParams{MaxRows: 500})
			return err
		}),
		"ListWebhookWork": one(rowCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListWebhookWork(ctx, []uuid.UUID{c.TenantID})
			return err
		}),
		"ListWebhookHeads": one(rowCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListWebhookHeads(ctx, db.ListWebhookHeadsParams{TenantID: c.TenantID, EndpointID: endpoint,
				QueueIds: []uuid.UUID{uuid.MustParse(busyQueue)}})
			return err
		}),
		"ListTroubledWebhookEndpoints": one(countCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListTroubledWebhookEndpoints(ctx, db.ListTroubledWebhookEndpointsParams{
				TenantIds: []uuid.UUID{c.TenantID}, Since: time.Now().AddDate(0, 0, -1), PendingFor: time.Minute})
			return err
		}),
		"ListPrunableWebhookEndpoints": one(rowCost, func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListPrunableWebhookEndpoints(ctx, []uuid.UUID{c.TenantID})
			return err
		}),
	}
}

const (
	busyEndpoint = "019b8d5a-0001-7000-8000-000000000101"
	busyQueue    = "019b8d5a-0001-7000-8000-000000000102"
)

// webhooks are an endpoint of the tenant that is far behind, with deliveries of which a tenth are of one pickup.
const webhooks = `
	WITH endpoint AS (
		INSERT INTO webhook_endpoints (tenant_id, id, url, events, secret, request_digest, cursor_first_seq, cursor_xid)
		VALUES ($1, '` + busyEndpoint + `', 'https://clinic.example', '{}', 's', '', 0, '0') RETURNING *
	), deliveries AS (
		INSERT INTO webhook_deliveries (tenant_id, endpoint_id, id, type, pickup_id, seq, status, created_at,
			next_attempt_at)
		SELECT e.tenant_id, e.id, gen_random_uuid(), 'pickup.submit',
			CASE WHEN n % 10 = 0 THEN '` + busyQueue + `'::uuid ELSE gen_random_uuid() END, n,
			s.status::webhook_delivery_status, now() - n * interval '1 second',
			CASE WHEN s.status = 'PENDING' THEN now() END
		FROM endpoint AS e
		CROSS JOIN (VALUES ('DELIVERED', 60000), ('PENDING', 40000), ('FAILED', 200)) AS s (status, deliveries)
		CROSS JOIN LATERAL generate_series(1, s.deliveries) AS n
		RETURNING *
	)
	INSERT INTO webhook_queues (tenant_id, endpoint_id, id, pending, next_at)
	SELECT d.tenant_id, d.endpoint_id, d.queue_id, count(*) FILTER (WHERE d.status = 'PENDING'), now()
	FROM deliveries AS d
	GROUP BY 1, 2, 3`

// queues has more jobs that wait than are counted, and few of each other kind behind them.
const queues = `
	INSERT INTO river_job (kind, queue, args, state, finalized_at, attempted_at, created_at)
	SELECT 'send_text', 'texts', '{}', s.state::river_job_state, CASE WHEN s.finalized THEN now() END,
		now() - interval '3 hours', now() - n * interval '1 millisecond'
	FROM (VALUES ('available', 300000, false), ('completed', 20000, true), ('discarded', 100, true),
		('retryable', 100, false), ('running', 100, false)) AS s (state, jobs, finalized)
	CROSS JOIN LATERAL generate_series(1, s.jobs) AS n;
	INSERT INTO river_queue (name, paused_at, updated_at) VALUES ('texts', now(), now())`

// stuckJobs has many jobs of a tenant that will be done, before and after those that are stuck, and many stuck jobs of
// another tenant.
const stuckJobs = `
	INSERT INTO river_job (kind, queue, args, state, finalized_at, attempt, metadata)
	SELECT 'send_text', 'stuck_texts',
		jsonb_build_object('tenant_id', CASE WHEN s.ours THEN $1::uuid ELSE gen_random_uuid() END,
			'message_id', CASE WHEN s.ours THEN $2::uuid ELSE gen_random_uuid() END),
		s.state::river_job_state, CASE WHEN s.finalized THEN now() END, s.attempt, s.metadata::jsonb
	FROM (VALUES ('available', 2000, false, 0, '{}', true), ('scheduled', 2000, false, 1, '{"snoozes": 1}', true),
		('discarded', 200, true, 25, '{}', true), ('scheduled', 200, false, 0, '{"snoozes": 5}', true),
		('completed', 2000, true, 1, '{}', true), ('discarded', 2000, true, 25, '{}', false),
		('scheduled', 2000, false, 1, '{"snoozes": 1}', true))
		AS s (state, jobs, finalized, attempt, metadata, ours)
	CROSS JOIN LATERAL generate_series(1, s.jobs) AS n`

// busyNeighbor has the newest pickups of the tenant, at a facility that no staff see.
const busyNeighbor = `
	WITH made AS (
		INSERT INTO facilities (tenant_id, id, name, address, latitude, longitude, request_digest)
		VALUES ($1, gen_random_uuid(), 'Neighbor', '1 Main St', 0, 0, '') RETURNING *
	)
	INSERT INTO pickups (tenant_id, id, facility_id, account_id, requested_by, price_cents, pickup_address,
		dropoff_address, request_digest, created_at)
	SELECT m.tenant_id, gen_random_uuid(), m.id, $2, $3, 0, 'a', 'b', '', now() - n * interval '1 millisecond'
	FROM made AS m, generate_series(1, 300) AS n`

// colleagues are so many staff that the few of another role are not found by reading all users.
const colleagues = `
	INSERT INTO users (tenant_id, id, email, name, role, password_hash, request_digest)
	SELECT $1, gen_random_uuid(), 'colleague' || n || '@scale.example', 'Colleague', 'staff', 'none', 'scale'
	FROM generate_series(1, 10000) AS n`

// denials are what patients took back since the last statistics, by which PostgreSQL reckons with few.
const denials = `
	INSERT INTO patient_facilities (tenant_id, patient_id, facility_id, allowed)
	SELECT p.tenant_id, p.id, $2, false
	FROM patients AS p
	WHERE p.tenant_id = $1 AND p.facility_id <> $2
	ORDER BY md5(p.id::text)
	LIMIT 10000
	ON CONFLICT (tenant_id, patient_id, facility_id) DO NOTHING`

// one is a read of one row by each viewer.
func (c costFixture) one(read func(context.Context, *db.Queries, db.Viewer) error) []readCost {
	return c.each(rowCost, read)
}

// rows are the reads of one pickup, facility or patient, each with its cost.
func (c costFixture) rows() map[string][]readCost {
	pickup, t := c.Pickups[len(c.Pickups)-1], c.TenantID
	one := c.one
	return map[string][]readCost{
		"GetPickups": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetPickups(ctx, db.GetPickupsParams{TenantIds: []uuid.UUID{t},
				Ids: []uuid.UUID{pickup}, ViewerIds: []uuid.UUID{v.UserID},
				ViewerRoles: []string{string(v.Role)}, ViewerDriverIds: []uuid.UUID{v.DriverID},
				Operations: []string{"get-pickup"}})
			return err
		}),
		"GetFacility": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetFacility(ctx, db.GetFacilityParams{TenantID: t, ID: c.BusiestClinic, ViewerRole: v.Role,
				ViewerID: v.UserID, ViewerDriverID: v.DriverID})
			return err
		}),
		"GetPatient": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetPatient(ctx,
				db.GetPatientParams{TenantID: t, ID: c.PatientID, ViewerID: v.UserID, Operation: "get-patient"})
			return err
		}),
		"GetPickupPatient": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetPickupPatient(ctx, db.GetPickupPatientParams{TenantID: t, PickupID: pickup,
				ViewerRole: v.Role, ViewerID: v.UserID, ViewerDriverID: v.DriverID})
			return err
		}),
		"ExplainTransition": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ExplainTransition(ctx,
				db.ExplainTransitionParams{TenantID: t, ID: pickup, ViewerRole: v.Role, ViewerID: v.UserID,
					ViewerDriverID: v.DriverID, Transition: db.TransitionNameSubmit, RequestDigest: digest("submit")})
			return err
		}),
		"GetLastMove": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetLastMove(ctx, db.GetLastMoveParams{TenantID: t, PickupID: pickup, Version: 9,
				ViewerRole: v.Role, ViewerID: v.UserID, ViewerDriverID: v.DriverID})
			return err
		}),
		"GetMovedPickup": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetMovedPickup(ctx, db.GetMovedPickupParams{TenantID: t, EventID: newID(),
				ViewerRole: v.Role, ViewerID: v.UserID, ViewerDriverID: v.DriverID})
			return err
		}),
		"ExplainEditPatient": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ExplainEditPatient(ctx,
				db.ExplainEditPatientParams{TenantID: t, ID: c.PatientID, ViewerID: v.UserID})
			return err
		}),
		"SeesPatient": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.SeesPatient(ctx, db.SeesPatientParams{TenantID: t, PatientID: c.PatientID, ViewerID: v.UserID})
			return err
		}),
		"SeesFacility": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.SeesFacility(ctx,
				db.SeesFacilityParams{TenantID: t, FacilityID: c.BusiestClinic, ViewerID: v.UserID})
			return err
		}),
	}
}

// rowsByKey are the reads of one row of a tenant's by its key, each with its cost.
func (c costFixture) rowsByKey() map[string][]readCost {
	t := c.TenantID
	one := c.one
	return map[string][]readCost{
		"CheckFeed": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.CheckFeed(ctx,
				db.CheckFeedParams{TenantID: t, FacilityID: c.BusiestClinic, ViewerID: v.UserID, AsOf: time.Now()})
			return err
		}),
		"ListOwnReads": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ListOwnReads(ctx)
			return err
		}),
		"PatientExists": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.PatientExists(ctx, db.PatientExistsParams{TenantID: t, ID: c.PatientID})
			return err
		}),
		"GetUser": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetUser(ctx,
				db.GetUserParams{TenantID: t, ID: v.UserID, ViewerRole: v.Role, ViewerID: v.UserID})
			return err
		}),
		"GetLogin": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetLogin(ctx, db.GetLoginParams{TenantID: t, Email: "nobody@example.com"})
			return err
		}),
		"GetDriver": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetDriver(ctx,
				db.GetDriverParams{TenantID: t, ID: c.DriverID, ViewerRole: v.Role, ViewerDriverID: v.DriverID})
			return err
		}),
		"ExplainDriver": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.ExplainDriver(ctx, db.ExplainDriverParams{TenantID: t, DriverID: c.DriverID,
				ViewerRole: v.Role, ViewerID: v.UserID, ViewerDriverID: v.DriverID})
			return err
		}),
		"GetDriverOfUser": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetDriverOfUser(ctx, db.GetDriverOfUserParams{TenantID: t, UserID: c.Users[scale.Driver],
				ViewerRole: v.Role, ViewerDriverID: v.DriverID})
			return err
		}),
		"HasFreeDriver": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.HasFreeDriver(ctx, t)
			return err
		}),
		"GetAccount": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetAccount(ctx, db.GetAccountParams{TenantID: t, ID: c.UnusedAccount,
				ViewerID: v.UserID, ViewerRole: v.Role})
			return err
		}),
		"GetFlag": one(func(ctx context.Context, q *db.Queries, v db.Viewer) error {
			_, err := q.GetFlag(ctx, db.GetFlagParams{TenantID: t, Name: "pickup_texts"})
			return err
		}),
	}
}

// readsNothingElse are the statements that read, or record that they do.
func readsNothingElse(t *testing.T) (names []string) {
	t.Helper()
	for name, sql := range statements(t) {
		kind := strings.Fields(strings.SplitN(sql, "\n", 2)[0])[3]
		if (kind == ":many" || kind == ":one") &&
			!writes.MatchString(strings.ReplaceAll(sql, "INSERT INTO phi_reads", "")) {
			names = append(names, name)
		}
	}
	return names
}

// planned plans each statement as often as it takes PostgreSQL to settle on a plan, or with each kind of plan, runs it
// by the first and by the last, and keeps the dearest. Those between are the first's: the arguments are the same.
type planned struct {
	explaining
	tx pgx.Tx
}

func (p planned) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if _, err := p.tx.Exec(ctx, "PREPARE planned AS "+sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, err
	}
	defer p.tx.Exec(ctx, "DEALLOCATE planned")
	execute, args := executePlanned(args)
	modes := slices.Repeat([]string{"auto"}, settled)
	if strings.HasPrefix(sql, "-- name: FindPickups ") { // of which there are a thousand
		modes = []string{"force_custom_plan", "force_generic_plan"}
	}
	for i, mode := range modes {
		if _, err := p.tx.Exec(ctx, "SET LOCAL plan_cache_mode = "+mode); err != nil {
			return nil, err
		}
		if i > 0 && i < len(modes)-1 {
			if _, err := p.tx.Exec(ctx, "EXPLAIN "+execute, args...); err != nil {
				return nil, err
			}
			continue
		}
		var text []byte
		if err := p.tx.QueryRow(ctx, explained+execute, args...).Scan(&text); err != nil {
			return nil, err
		}
		var out []struct{ Plan node }
		if err := json.Unmarshal(text, &out); err != nil {
			return nil, err
		}
		if n := out[0].Plan; n.Hit+n.Read >= p.plan.Hit+p.plan.Read {
			*p.plan = n
		}
	}
	return nil, errExplained
}

// explained has a statement run, and tells what its plan read.
const explained = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "

// settled is how often PostgreSQL plans a statement until it keeps to what it has chosen: five times for the arguments,
// and then for any, if that costs no more.
const settled = 7

// executePlanned executes the statement that was prepared as planned, by the plan that PostgreSQL has for it: EXPLAIN
// of a statement with parameters plans for their values, whatever plan_cache_mode says.
func executePlanned(args []any) (sql string, texts []any) {
	sql = "EXECUTE planned"
	texts = []any{pgx.QueryExecModeSimpleProtocol}
	var marks []string
	for n, arg := range args {
		texts = append(texts, asText(arg))
		marks = append(marks, fmt.Sprintf("$%d", n+1))
	}
	if len(marks) > 0 {
		sql += "(" + strings.Join(marks, ", ") + ")"
	}
	return sql, texts
}

// asText is an array as it is written in a statement.
func asText(arg any) any {
	switch list := arg.(type) {
	case []uuid.UUID:
		var texts []string
		for _, id := range list {
			texts = append(texts, id.String())
		}
		return "{" + strings.Join(texts, ",") + "}"
	case []string:
		return "{" + strings.Join(list, ",") + "}"
	}
	return arg
}

func (p planned) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	_, err := p.Query(ctx, sql, args...)
	return failing{err}
}

// Every read costs what it shows: no more pages than its kind may, whoever asks for whatever in a tenant of 2,000
// facilities, by whichever plan PostgreSQL settles on. In small tables, to read all is cheap to the planner, and what a
// search reads for each row is then read again and again.
func TestEveryReadCostsWhatItShows(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "plans over large tables")
	for _, pickups := range []int{fewPickups, 200_000} {
		t.Run(fmt.Sprint(pickups, " pickups"), func(t *testing.T) { testReadCosts(t, pickups) })
	}
}

const fewPickups = 10_000

func testReadCosts(t *testing.T, pickups int) {
	ctx := t.Context()
	d := openUnchecked(t)
	conn := must(pgx.Connect(ctx, d.OwnerURL))
	defer conn.Close(context.Background())
	c := newCostFixture(must(scale.Load(ctx, conn, scale.Size{Pickups: pickups}, nil)))
	c.middle = scan[uuid.UUID](ctx, d.owner, `SELECT id FROM patients WHERE tenant_id = $1
		ORDER BY id OFFSET (SELECT count(*) / 2 FROM patients WHERE tenant_id = $1) LIMIT 1`, c.TenantID)
	c.middleOfEntries = scan[time.Time](ctx, d.owner, `SELECT created_at FROM ledger_entries WHERE tenant_id = $1
		AND account_id = $2 ORDER BY created_at OFFSET (SELECT count(*) / 2 FROM ledger_entries WHERE tenant_id = $1
		AND account_id = $2) LIMIT 1`, c.TenantID, c.BusyAccount)
	must(conn.Exec(ctx, busyNeighbor, c.TenantID, c.BusyAccount, c.Users[scale.Admin]))
	must(conn.Exec(ctx, denials, c.TenantID, c.NewClinic))
	must(conn.Exec(ctx, colleagues, c.TenantID))
	must(conn.Exec(ctx, queues))
	must(conn.Exec(ctx, stuckJobs, c.TenantID,
		scan[uuid.UUID](ctx, d.owner, "SELECT id FROM pickup_events WHERE tenant_id = $1 LIMIT 1", c.TenantID)))
	must(conn.Exec(ctx, webhooks, c.TenantID))
	vacuum(ctx, conn, "users", "river_job", "webhook_endpoints", "webhook_queues", "webhook_deliveries")
	for _, n := range nouns {
		if n.rows != "" {
			must(conn.Exec(ctx, n.rows, c.TenantID, 20_000))
			must(conn.Exec(ctx, "ANALYZE "+n.table))
		}
	}
	table, read := c.table(t), map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if pickups == fewPickups && name != "FindPickups" {
			continue // what it costs is known of large tables alone
		}
		t.Run(name, func(t *testing.T) { d.costsAtMost(t, name, table[name], read) })
	}
	for relation := range read {
		if !scan[bool](ctx, d.owner, "SELECT EXISTS (SELECT FROM "+pgx.Identifier{relation}.Sanitize()+")") {
			t.Errorf("reads of %s cost nothing: it has no rows, which its noun is to say (db/nouns_test.go)", relation)
		}
	}
}

// costsAtMost fails the test if one of a statement's reads looks at more pages or rows than it may. It adds the
// tables to read.
func (d *database) costsAtMost(t *testing.T, name string, reads []readCost, read map[string]bool) {
	var dearest int64
	for _, r := range reads {
		plan := d.planOf(t.Context(), t, r)
		// The figures of a plan are without those of a part that only writes.
		pages, recording, rows := plan.Hit+plan.Read, int64(0), 0.0
		plan.walk(func(n node) {
			if n.Type == "ModifyTable" {
				recording += n.Hit + n.Read
			}
			if n.Relation != "" && strings.HasSuffix(n.Type, "Scan") {
				rows += (n.Rows + n.Removed) * n.Loops
				read[n.Relation] = true
			}
		})
		dearest = max(dearest, pages)
		if pages > r.most || recording > recordCost ||
			rows > cmp.Or(looks[name], 20*pageCost) && r.most != countCost {
			t.Errorf("%s: %d pages and %d to record, %.0f rows; want %d and %d pages at most", r.what,
				pages, recording, rows, r.most, recordCost)
		}
	}
	t.Logf("%d pages at most", dearest)
}

// Every statement that only reads has its cost, or a reason to have none.
func TestEveryReadHasACost(t *testing.T) {
	t.Parallel()
	nobody := &scale.Dataset{Pickups: make([]uuid.UUID, 50), Users: make([]uuid.UUID, 50)}
	if table := newCostFixture(nobody).table(t); len(table) < 40 {
		t.Errorf("%d statements have a cost", len(table))
	}
}

// table returns the costs of every statement that only reads.
func (c costFixture) table(t *testing.T) map[string][]readCost {
	t.Helper()
	table := map[string][]readCost{}
	for _, reads := range []map[string][]readCost{c.listCosts(), c.nestedCosts(), c.foundCosts(), c.eventCosts(),
		c.jobCosts(), c.webhookCosts(), c.rows(), c.rowsByKey()} {
		maps.Copy(table, reads)
	}
	for _, n := range nouns {
		if n.costs != nil {
			maps.Copy(table, n.costs(c))
		}
	}
	for _, name := range readsNothingElse(t) {
		_, spared := uncosted[name]
		costs, isDerived := c.derived(name)
		switch listed := len(table[name]) > 0; {
		case spared && listed:
			t.Errorf("%s is in the table and among what needs not be", name)
		case !spared && !listed && !isDerived:
			t.Errorf("%s is to be in the table, or among what needs not be", name)
		case !spared && !listed:
			table[name] = costs
		}
	}
	return table
}

// ownReads are so many as a dry run of a batch of 50 may have recorded.
var ownReads = strings.Repeat(uuid.Nil.String()+" edit-patient,", 50)

// planOf explains what a read does for its viewer, and undoes it.
func (d *database) planOf(ctx context.Context, t *testing.T, r readCost) (plan node) {
	t.Helper()
	tx := must(d.Pool().Begin(ctx))
	defer tx.Rollback(ctx)
	must(tx.Exec(ctx, "SELECT set_config('waybill.own_reads', $1, true)", ownReads))
	// What a function reads of the catalog at its first call in a session is no cost of the statement.
	must(tx.Exec(ctx, "SELECT rare_terms_query($1, NULL, $1, NULL, NULL, NULL, NULL, 'none', true)", r.viewer.TenantID))
	must(tx.Exec(ctx, "SELECT set_config('waybill.tenant_id', $1, true), set_config('waybill.viewer_id', $2, true)",
		r.viewer.TenantID.String(), r.viewer.UserID.String()))
	if err := r.read(ctx, db.New(planned{explaining{tx, &plan}, tx})); err == nil ||
		!strings.Contains(err.Error(), errExplained.Error()) {
		t.Fatalf("%s: %v", r.what, err)
	}
	return plan
}
