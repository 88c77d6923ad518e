package bench

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"waybill/db"
	"waybill/db/scale"
)

// Writes use a clinic of their own, as in the benchmark http; the rows that are read stay as they were
// loaded. Its tables are as large as any.
const (
	writeAccounts = 4
	feedSize      = 1000 // records of a feed
	feedChanged   = 20   // one of so many is another than in the feed before
)

func writeMeasures() (all []scaleMeasure) {
	for _, w := range []struct{ work, operation, viewer, which string }{
		{"create", "create-pickup", "staff", ""},
		{"submit", "submit-pickup", "staff", ""},
		{"transition", "cancel-pickup", "staff", "a draft"},
		{"charge-spread", "charge-account", "admin", "few entries"},
	} {
		work := works()[slices.Index(workNames(), w.work)]
		all = append(all, scaleMeasure{operation: w.operation, viewer: w.viewer, which: w.which, mostPages: mostPages,
			start: func(ctx context.Context, d *scaleDatabase) (httpLoad, int, error) {
				return d.startWork(ctx, work)
			}})
	}
	return append(all,
		scaleMeasure{operation: "charge-account", viewer: roleNames[scale.Admin], which: "the most entries",
			mostPages: mostPages,
			start: func(ctx context.Context, d *scaleDatabase) (httpLoad, int, error) {
				return d.startWork(ctx, work{operate: func(c *caller, run ids, n int64) error {
					return c.charge(d.data.BusyAccount.String(), run.at(n))
				}})
			}},
		scaleMeasure{operation: "sync-appointments", viewer: "staff",
			which: strconv.Itoa(feedSize) + " records, a twentieth changed",
			start: func(ctx context.Context, d *scaleDatabase) (httpLoad, int, error) { return d.startFeed(ctx) }})
}

// writer returns a caller with a new clinic.
func (d *scaleDatabase) writer(ctx context.Context) (_ *caller, err error) {
	if d.writers == nil {
		d.writers, err = newFixture(ctx, d.url, d.data.Slug, d.tokens[scale.Admin], writeAccounts, 1, 1)
		if err != nil {
			return nil, err
		}
		// Staff of all see it, too: of a database that is kept, its pickups are the newest for the next run.
		group := "/v1/groups/" + d.data.GroupOfAll.String()
		if err := d.writers.do(ctx, http.MethodPut, group+"/facilities/"+d.writers.facility, nil, nil); err != nil {
			return nil, err
		}
	}
	return d.writers.callers(1)[0], nil
}

// draftsAhead is how many drafts are made for work that uses one each.
const draftsAhead = 1000

// startWork prepares the rows that the rounds of a work need.
func (d *scaleDatabase) startWork(ctx context.Context, w work) (l httpLoad, items int, err error) {
	c, err := d.writer(ctx)
	if err != nil {
		return l, 0, err
	}
	run, next := newRun(), int64(0)
	if w.drafts {
		if run, err = d.writers.prepare(ctx, firstRequests+draftsAhead); err != nil {
			return l, 0, err
		}
	}
	l.callers = []*caller{c}
	l.operate = func(c *caller, _ int64) error {
		next++
		return w.operate(c, run, next-1)
	}
	if w.drafts {
		l.most = draftsAhead / mostRounds
	}
	return l, 0, nil
}

// startFeed prepares alternating feeds of one clinic, which differ in few records.
func (d *scaleDatabase) startFeed(ctx context.Context) (l httpLoad, items int, err error) {
	c, err := d.writer(ctx)
	if err != nil {
		return l, 0, err
	}
	var feeds [2][]byte
	for minutes := range feeds {
		if feeds[minutes], err = json.Marshal(feedBody(minutes)); err != nil {
			return l, 0, err
		}
	}
	path, next := "/v1/facilities/"+d.writers.facility+"/appointments/sync?as_of=", 0
	l.callers = []*caller{c}
	l.operate = func(c *caller, _ int64) error {
		next++
		c.body = append(c.body[:0], feeds[next%len(feeds)]...)
		return c.post(db.UserRoleStaff, 200, path, url.QueryEscape(time.Now().UTC().Format(time.RFC3339Nano)))
	}
	if err := c.dial(ctx); err != nil {
		return l, 0, err
	}
	defer c.close()
	return l, 0, l.operate(c, 0) // the first creates all
}

// feedBody returns the list of the benchmark sync, as a request's body.
func feedBody(minutes int) (records []object) {
	for _, r := range (&syncing{records: feedSize}).list(feedChanged, minutes) {
		records = append(records, object{
			"external_id": r.ExternalID, "starts_at": r.StartsAt, "ends_at": r.EndsAt,
			"patient": object{
				"external_id": r.PatientExternalID, "given_name": r.GivenName, "family_name": r.FamilyName,
				"birth_date": r.BirthDate,
			},
		})
	}
	return records
}
