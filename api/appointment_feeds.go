package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"waybill/db"
)

func (a *server) registerAppointmentFeeds() {
	register(a, operation{
		id: "sync-appointments", method: http.MethodPost, path: "/v1/facilities/{facility_id}/appointments/sync",
		tag:     "appointments",
		summary: "Synchronize a facility's appointments with its records",
		about: "The body is the facility's complete list as of a time, with at most 1,000,000 records of at most " +
			"64 KiB, as one JSON array or as newline-delimited JSON (application/x-ndjson). It is applied as a " +
			"whole or not at all: new appointments are created, changed ones are updated, and those that end " +
			"after as_of and are not in the list are canceled. Patients are identified by their external_id " +
			"within the facility, which can see all patients in the list. A list that is not newer than the " +
			"last one changes nothing and is reported as superseded. Invalid records reject the whole list; " +
			"errors has the first 100 of them by their positions, and field and detail are of the first. list-feeds " +
			"tells later what became of a list. With dry_run, the answer counts what the list would change. Blanks " +
			"around ids are ignored: \"7 \" is \"7\".\n\nA patient " +
			"who does not allow the facility to see them stays hidden from it: records of that patient, or of " +
			"an appointment of that patient, are not applied. They change neither the patient nor the " +
			"appointment, which is not canceled either; such records are only counted in not_applied, whether " +
			"or not they match.\n\nA truncated list may look complete. With records set, a list of another " +
			"length is rejected. A list that would cancel more than ten appointments, and more than the " +
			"facility's max_cancel_share of the appointments that end after as_of and are not canceled, is " +
			"rejected with mass_cancellation unless allow_mass_cancel is set.\n\nAll patients that are written " +
			"are audited: see list-patient-reads. A body that arrives too slowly is rejected with " +
			"request_timeout.\n\nRequires, whatever the role, that the facility is in one of your groups.",
		roles: patientRoles, codes: []db.Code{db.NotFound, db.EmptyFeed, db.RecordsMismatch, db.MassCancellation},
		long: true, raw: feedBody(a.huma.OpenAPI().Components.Schemas),
	}, a.syncAppointments)
}

const (
	ndjson = "application/x-ndjson"

	feedRecords   = 1_000_000
	feedRecordMax = 64 << 10

	feedRate = 4 << 10 // minimum bytes per second, after the idle timeout
)

// refusedIdle is how long the next part of a feed is waited for that is refused already.
const refusedIdle = time.Second

// feedsAtOnce limits concurrent feeds: each holds some thousands of records.
var feedsAtOnce = Limits{Whole: 8, PerTenant: 4, PerUser: 2}

// AppointmentRecord is one line of a feed. It only describes the document: feedReader decodes it.
type AppointmentRecord struct {
	ExternalID externalID           `json:"external_id" doc:"Id of the appointment in the facility's records: a string, whose surrounding blanks are ignored, or an integer, which equals its digits"`
	Patient    PatientRecord        `json:"patient" doc:"The patient; all records with the same external_id must agree"`
	StartsAt   time.Time            `json:"starts_at" example:"2030-01-01T09:00:00Z"`
	EndsAt     time.Time            `json:"ends_at" doc:"At most 25 hours after starts_at: a day on which the clocks are set back" example:"2030-01-01T09:30:00Z"`
	Status     db.AppointmentStatus `json:"status,omitempty" doc:"The default is BOOKED"`
}

// PatientRecord is the patient in a line of a feed.
type PatientRecord struct {
	ExternalID externalID `json:"external_id" doc:"Id of the patient in the facility's records: a string, whose surrounding blanks are ignored, or an integer, which equals its digits"`
	GivenName  string     `json:"given_name" minLength:"1" maxLength:"200" example:"Ada"`
	FamilyName string     `json:"family_name" minLength:"1" maxLength:"200" example:"Lovelace"`
	BirthDate  db.Date    `json:"birth_date"`
	Phone      string     `json:"phone,omitempty" pattern:"^\\+[1-9][0-9]{6,14}$" example:"+14155550123"`
}

// externalID is a string, or an integer that is converted to its digits.
type externalID string

// Schema implements huma.SchemaProvider: a string or an integer.
func (externalID) Schema(huma.Registry) *huma.Schema {
	least, one, most := 0.0, 1, 200
	s := &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeString, MinLength: &one, MaxLength: &most},
		{Type: huma.TypeInteger, Minimum: &least},
	}}
	s.PrecomputeMessages()
	return s
}

func feedBody(schemas huma.Registry) *huma.RequestBody {
	most := feedRecords
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{
			Type: huma.TypeArray, MaxItems: &most,
			Items: schemas.Schema(reflect.TypeFor[AppointmentRecord](), true, "AppointmentRecord"),
		}},
		ndjson: {Schema: &huma.Schema{Type: huma.TypeString, Description: "One AppointmentRecord per line"}},
	}}
}

type syncAppointmentsInput struct {
	FacilityPath
	AsOf       Time  `query:"as_of" required:"true" doc:"The time as of which the list is correct: the newest list of a facility wins. At most a minute ahead of the server's clock" example:"2030-01-01T06:00:00Z"`
	Records    int64 `query:"records" minimum:"0" doc:"The number of records: a list with another number is rejected"`
	AllowEmpty bool  `query:"allow_empty" doc:"Accept an empty list, which cancels all upcoming appointments"`

	AllowMassCancel bool `query:"allow_mass_cancel" doc:"Accept a list that cancels more of the facility's appointments than its max_cancel_share"`

	count *int64
	lines bool
	body  *steadyBody
}

// Resolve implements huma.Resolver.
func (in *syncAppointmentsInput) Resolve(ctx huma.Context) []error {
	if ctx.Query("records") != "" {
		in.count = &in.Records
	}
	_, w := humago.Unwrap(ctx)
	kind, _ := inUTF8(ctx.Header("Content-Type"))
	in.lines = kind == ndjson
	in.body = &steadyBody{body: bodyReader(ctx), control: http.NewResponseController(w), begun: time.Now()}
	return nil
}

// FeedResult is what a list changed.
type FeedResult struct {
	Created    int64 `json:"created" minimum:"0" doc:"Records of appointments that were not there before"`
	Updated    int64 `json:"updated" minimum:"0" doc:"Records that changed their appointment, or its patient; revived ones too"`
	Unchanged  int64 `json:"unchanged" minimum:"0" doc:"Records that were as they are"`
	Canceled   int64 `json:"canceled" minimum:"0" doc:"Appointments that the list no longer has, of those that end after as_of"`
	Superseded bool  `json:"superseded" doc:"True: a newer list, or this one, came before, and nothing was changed"`

	NotApplied NotApplied `json:"not_applied" doc:"Records that changed nothing and are in no other count, by the reason"`
}

// NotApplied counts the records that a list left alone.
type NotApplied struct {
	ConsentWithdrawn int64 `json:"consent_withdrawn" minimum:"0" doc:"Their patient, or the one whose appointment it was, does not allow the facility to see them"`
}

type syncAppointmentsOutput struct{ Body *FeedResult }

func (a *server) syncAppointments(
	ctx context.Context, v db.Viewer, in *syncAppointmentsInput,
) (*syncAppointmentsOutput, error) {
	release, err := a.feeds.take(v.TenantID, v.UserID)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, a.feedTimeout)
	defer cancel()
	in.body.begin(a.feedIdle, a.feedTimeout)
	reader := newFeedReader(in.body, in.lines)
	reader.odd = func() { in.body.idle = min(in.body.idle, refusedIdle) }
	done, err := a.store.SyncFeed(ctx, v, db.Feed{
		FacilityID: in.FacilityID, AsOf: in.AsOf.Time, Count: in.count,
		AllowEmpty: in.AllowEmpty, AllowMassCancel: in.AllowMassCancel, Records: reader.records,
		Rehearsal: requestOf(ctx).rehearsal,
	})
	if err != nil {
		return nil, feedRefusal(err)
	}
	return &syncAppointmentsOutput{&FeedResult{
		Created: done.Created, Updated: done.Updated, Unchanged: done.Unchanged, Canceled: done.Canceled,
		Superseded: done.Superseded, NotApplied: NotApplied(done.NotApplied),
	}}, nil
}

// steadyBody is a body with progress timeouts: the next part must arrive within the idle timeout, and
// the whole at feedRate and before its deadline. The limits of other requests would cut off a large
// feed.
type steadyBody struct {
	body    io.Reader
	control *http.ResponseController
	begun   time.Time
	idle    time.Duration
	end     time.Time
	read    int64
}

// begin extends the connection's write deadline to the feed's timeout. Without a connection, as in
// tests, there are no limits.
func (b *steadyBody) begin(idle, timeout time.Duration) {
	b.idle, b.end = idle, b.begun.Add(timeout)
	b.control.SetWriteDeadline(b.end.Add(time.Minute))
}

// Read implements io.Reader.
func (b *steadyBody) Read(p []byte) (int, error) {
	next := time.Now().Add(b.idle)
	slowest := b.begun.Add(b.idle + time.Duration(b.read/feedRate)*time.Second)
	b.control.SetReadDeadline(slices.MinFunc([]time.Time{next, slowest, b.end}, time.Time.Compare))
	n, err := b.body.Read(p)
	b.read += int64(n)
	if errors.Is(err, io.EOF) { // package http keeps reading, to notice when the caller disconnects
		b.control.SetReadDeadline(time.Time{})
	} // otherwise package http reads the rest before it sends the answer: keep the deadline
	return n, err
}
