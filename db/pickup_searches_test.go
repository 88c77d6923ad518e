package db_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
)

// searched is a pickup as a search filters it.
type searched struct {
	listed
	SubmittedAt            *time.Time
	AccountID, RequestedBy uuid.UUID
	PatientID              *uuid.UUID
	Addresses, Note        string
	WindowStart, WindowEnd *time.Time
}

// describe gives the tenant's pickups accounts, requesters, patients, words and windows: some that many have, and
// some that few have.
func (w *fixture) describe(ctx context.Context) (other, patient uuid.UUID, requester db.Viewer) {
	other, patient, requester = w.fundedAccount(ctx, 0), w.patient(ctx), w.user(ctx, db.UserRoleStaff)
	must(w.owner.Exec(ctx, `WITH n AS (
			SELECT id, row_number() OVER (ORDER BY created_at, id) AS n FROM pickups WHERE tenant_id = $1)
		UPDATE pickups AS p
		SET account_id = CASE n.n % 3 WHEN 0 THEN $2 ELSE p.account_id END,
			requested_by = CASE WHEN n.n % 40 = 0 THEN $3 ELSE p.requested_by END,
			patient_id = CASE WHEN n.n % 9 = 0 THEN $4::uuid END,
			pickup_address = CASE WHEN n.n % 5 < 3 THEN n.n || ' Mission St' ELSE 'Rua São Bento' END,
			dropoff_address = CASE WHEN n.n % 60 = 0 THEN 'O''Neil Café' ELSE '1 Lab Way' END,
			note = CASE n.n % 4 WHEN 0 THEN 'Ring twice' WHEN 1 THEN 'mission: keep cold' END,
			window_start = CASE WHEN n.n % 7 > 1 THEN '2030-01-01T08:00:00Z'::timestamptz + n.n * interval '1 hour' END,
			window_end = CASE WHEN n.n % 7 > 2 THEN '2030-01-01T10:00:00Z'::timestamptz + n.n * interval '1 hour' END
		FROM n WHERE p.tenant_id = $1 AND p.id = n.id`, w.tenant, other, requester.UserID, patient))
	return other, patient, requester
}

func (w *fixture) everySearched(ctx context.Context) []searched {
	rows := must(w.owner.Query(ctx, `SELECT id, facility_id, driver_id, status, created_at, submitted_at, account_id,
			requested_by, patient_id, pickup_address || ' ' || dropoff_address, coalesce(note, ''),
			window_start, window_end
		FROM pickups WHERE tenant_id = $1`, w.tenant))
	return must(pgx.CollectRows(rows, func(r pgx.CollectableRow) (s searched, err error) {
		err = r.Scan(&s.ID, &s.FacilityID, &s.DriverID, &s.Status, &s.CreatedAt, &s.SubmittedAt, &s.AccountID,
			&s.RequestedBy, &s.PatientID, &s.Addresses, &s.Note, &s.WindowStart, &s.WindowEnd)
		return s, err
	}))
}

// folds are how the words of the fixture are compared.
var folds = strings.NewReplacer("ã", "a", "é", "e", "'", "", ":", " ", ",", " ")

// hasWords reports whether a text has each word, or one that begins with it.
func hasWords(text, asked string) bool {
	words := strings.Fields(folds.Replace(strings.ToLower(text)))
	for _, a := range strings.Fields(folds.Replace(strings.ToLower(asked))) {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, a) }) {
			return false
		}
	}
	return true
}

// is reports whether a filter is not sent, or has the value.
func is[T comparable](filter *T, value *T) bool {
	return filter == nil || value != nil && *filter == *value
}

// fits reports whether a pickup that the viewer sees has what is asked for, of what their role is shown.
func (k searched) fits(v db.Viewer, p db.FindPickupsParams) bool {
	text, hub := k.Addresses+" "+k.Note, v.Role == db.UserRoleHub
	if hub {
		text = k.Addresses
	}
	open := k.SubmittedAt != nil && waits(k.Status)
	switch {
	case (hub || v.Role == db.UserRoleDriver) && p.AccountID != nil, hub && p.PatientID != nil,
		p.Sort == db.LongestWaiting && !open, p.Text != nil && !hasWords(text, *p.Text),
		(p.WindowFrom != nil || p.WindowTo != nil) && k.WindowStart == nil && k.WindowEnd == nil,
		p.WindowFrom != nil && k.WindowEnd != nil && !k.WindowEnd.After(*p.WindowFrom),
		p.WindowTo != nil && k.WindowStart != nil && !k.WindowStart.Before(*p.WindowTo):
		return false
	}
	return is(p.AccountID, &k.AccountID) && is(p.RequestedBy, &k.RequestedBy) && is(p.PatientID, k.PatientID)
}

// wanted returns what a viewer's search finds, computed without SQL.
func wanted(all []searched, v db.Viewer, mine []uuid.UUID, p db.FindPickupsParams) (ids []uuid.UUID) {
	var fit []searched
	for _, k := range all {
		if k.fits(v, p) && len(seenBy([]listed{k.listed}, v, mine, db.ListPickupsParams{Statuses: p.Statuses,
			FacilityID: p.FacilityID, DriverID: p.DriverID, CreatedFrom: p.CreatedFrom, CreatedTo: p.CreatedTo})) > 0 {
			fit = append(fit, k)
		}
	}
	slices.SortFunc(fit, func(a, b searched) int {
		ids := cmp.Compare(a.ID.String(), b.ID.String())
		switch p.Sort {
		case db.Newest:
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), -ids)
		case db.LongestWaiting:
			return cmp.Or(a.SubmittedAt.Compare(*b.SubmittedAt), ids)
		}
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), ids)
	})
	for _, k := range fit {
		ids = append(ids, k.ID)
	}
	return ids
}

// searchIs reads all pages of a search, and compares them with the rows.
func (w *fixture) searchIs(ctx context.Context, v db.Viewer, p db.FindPickupsParams, want []uuid.UUID) error {
	p.TenantID, p.ViewerID, p.ViewerRole, p.ViewerDriverID = w.tenant, v.UserID, v.Role, v.DriverID
	if p.AfterAt, p.AfterID = (time.Time{}), uuid.Nil; p.Sort == db.Newest {
		p.AfterAt, p.AfterID = endOfTime, uuid.Max
	}
	var got []uuid.UUID
	for pages := 0; ; pages++ {
		page, next, err := w.SearchPickups(ctx, p)
		if err != nil {
			return err
		}
		if len(page) > int(p.MaxRows) || pages > 600 {
			return fmt.Errorf("page %d has %d pickups", pages, len(page))
		}
		for _, k := range page {
			got = append(got, k.ID)
		}
		if next == nil {
			break
		}
		if (db.PickupPlace{At: p.AfterAt, ID: p.AfterID}) == *next {
			return fmt.Errorf("page %d goes on where it began", pages)
		}
		p.AfterAt, p.AfterID = next.At, next.ID
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("sort %s, looks %d: found %d, want %d", p.Sort, p.MaxLooks, len(got), len(want))
	}
	return nil
}

// searches are filters by name, alone and combined: what many pickups have, few and none.
func searches(all []searched, account, patient, requester, facility, driver uuid.UUID) map[string]db.FindPickupsParams {
	text := func(s string) *string { return &s }
	from, to := time.Date(2030, 1, 3, 0, 0, 0, 0, time.UTC), time.Date(2030, 1, 4, 6, 30, 0, 0, time.UTC)
	nobody := newID()
	found := map[string]db.FindPickupsParams{
		"nothing":           {},
		"statuses":          {Statuses: []string{"SUBMITTED", "DELIVERED", "PACKED"}},
		"account":           {AccountID: &account},
		"account, statuses": {AccountID: &account, Statuses: []string{"COLLECTED", "CANCELED"}},
		"no account":        {AccountID: &nobody},
		"patient":           {PatientID: &patient},
		"requester":         {RequestedBy: &requester},
		"all three":         {RequestedBy: &requester, AccountID: &account, PatientID: &patient},
		"account, facility": {AccountID: &account, FacilityID: &facility},
		"patient, driver":   {PatientID: &patient, DriverID: &driver},
		"common word":       {Text: text("mission")},
		"two words":         {Text: text("st MISS")},
		"rare words":        {Text: text("cafe, oneil")},
		"accents":           {Text: text("sao Bén")},
		"a word of notes":   {Text: text("twice")},
		"of both":           {Text: text("twice rua"), AccountID: &account},
		"no word":           {Text: text("&!' ")},
		"unknown word":      {Text: text("nowhere")},
		"window":            {WindowFrom: &from, WindowTo: &to},
		"window from":       {WindowFrom: &to},
		"window to, word":   {WindowTo: &from, Text: text("lab")},
		"driver":            {DriverID: &driver},
		"created": {AccountID: &account, CreatedFrom: all[len(all)/4].CreatedAt,
			CreatedTo: all[len(all)*3/4].CreatedAt},
	}
	for name, p := range found {
		if p.CreatedTo.IsZero() {
			p.CreatedTo = endOfTime
		}
		found[name] = p
	}
	return found
}

// Whoever searches by whatever in any order, however far a request looks: the pages have what they see, once.
func TestASearchOfPickupsIsWhatItsViewerSees(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "searches, one after the other")
	ctx := t.Context()
	d := openUnchecked(t)
	w, foreign := d.fixture(ctx), d.fixture(ctx)
	foreign.manyPickups(ctx)
	facilities, driver := w.manyPickups(ctx)
	account, patient, requester := w.describe(ctx)
	must(w.owner.Exec(ctx, "UPDATE pickups SET submitted_at = created_at WHERE tenant_id = $1 AND status <> 'DRAFT'",
		w.tenant))
	viewers := map[string]db.Viewer{"dispatcher": w.dispatcher, "hub": w.hub, "driver": driver, "stranger": w.stranger,
		"staff of one": {}, "staff of some": {}, "staff of most": {}}
	mine := map[string][]uuid.UUID{"staff of one": facilities[3:4], "staff of some": facilities[2:9],
		"staff of most": facilities[8:]}
	for name, of := range mine {
		viewers[name] = w.staffOf(ctx, of)
	}
	all := w.everySearched(ctx)
	slices.SortFunc(all, func(a, b searched) int { return a.CreatedAt.Compare(b.CreatedAt) })
	found := 0
	for name, p := range searches(all, account, patient, requester.UserID, facilities[3], driver.DriverID) {
		for _, p.Sort = range []string{db.Newest, db.Oldest, db.LongestWaiting} {
			for _, looks := range [][2]int32{{30, 12}, {300, 500}} {
				p.MaxRows, p.MaxLooks, p.MaxFound = 11, looks[0], looks[1]
				for who, v := range viewers {
					want := wanted(all, v, mine[who], p)
					found += len(want)
					if err := w.searchIs(ctx, v, p, want); err != nil {
						t.Errorf("%s by %s: %v", name, who, err)
					}
				}
			}
		}
	}
	if t.Logf("%d found", found); found < 1000 {
		t.Errorf("%d found in all", found)
	}
}

// A range ends before created_to, also for who goes on from a place of another range there.
func TestASearchEndsBeforeCreatedTo(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := openUnchecked(t).fixture(ctx)
	at := scan[time.Time](ctx, w.owner, "SELECT created_at FROM pickups WHERE id = $1", w.pickup(ctx))
	for _, to := range []time.Time{at, at.Add(time.Microsecond)} {
		page, _, err := w.SearchPickups(ctx, db.FindPickupsParams{TenantID: w.tenant, ViewerID: w.admin.UserID,
			ViewerRole: w.admin.Role, Statuses: []string{"DRAFT", "SUBMITTED"}, Sort: db.Newest, CreatedTo: to,
			AfterAt: to, AfterID: uuid.Max, MaxRows: 10})
		w.must(err)
		if (len(page) > 0) != to.After(at) {
			t.Errorf("created at %v, searched before %v: found %d", at, to, len(page))
		}
	}
}

// What a pickup is found by follows each edit of a draft, and no transition.
func TestASearchFollowsEdits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := openUnchecked(t).fixture(ctx)
	id := w.pickup(ctx)
	finds := func(text string) bool {
		page, _, err := w.SearchPickups(ctx, db.FindPickupsParams{TenantID: w.tenant, ViewerID: w.admin.UserID,
			ViewerRole: w.admin.Role, Text: &text, Sort: db.Oldest, CreatedTo: endOfTime, MaxRows: 10})
		w.must(err)
		return slices.ContainsFunc(page, func(p db.Pickup) bool { return p.ID == id })
	}
	note := "Beware of the dög"
	must(w.Store.EditPickup(ctx, w.staff, db.EditPickupParams{ID: id, Version: 1, SetNote: true, Note: &note}))
	if !finds("DOG bew") || finds("cat") {
		t.Error("the new note is not what it is found by")
	}
	must(w.Store.EditPickup(ctx, w.staff, db.EditPickupParams{ID: id, Version: 2, SetNote: true}))
	if finds("dog") {
		t.Error("it is found by a note that it has no more")
	}
	before := scan[string](ctx, w.owner, "SELECT xmin::text || terms FROM pickup_searches WHERE pickup_id = $1", id)
	w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameSubmit, id))
	if after := scan[string](ctx, w.owner, "SELECT xmin::text || terms FROM pickup_searches WHERE pickup_id = $1",
		id); after != before {
		t.Error("a transition wrote what a pickup is found by")
	}
}

// The index of terms reads all that has a word, however many that are. It is asked for what few have: then the list is
// whole at once. A search for what only many have ends its page where its look ended, and goes on there.
func TestASearchAsksTheIndexOfTermsForWhatFewHave(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openUnchecked(t)
	for _, many := range []int{8, 9} { // of every 1,024th pickup
		w := d.fixture(ctx)
		// Their ids are of one machine, with the same number at their ends: see uuid_hash in few_have.
		must(w.owner.Exec(ctx, `INSERT INTO pickups (tenant_id, id, facility_id, account_id, requested_by, price_cents,
				pickup_address, dropoff_address, note, request_digest, created_at)
			SELECT $1, k.id, $2, $3, $4, 0,
				CASE WHEN k.n > $5 THEN 'Newer' ELSE 'Older' END, 'Lab', CASE k.n WHEN 1 THEN 'Scarce ŉabc' END, '',
				now() - (1000 - k.n) * interval '1 second'
			FROM (
				SELECT id, row_number() OVER (ORDER BY id) AS n
				FROM generate_series($6::int, $6 + 50000) AS n
				CROSS JOIN LATERAL (SELECT (lpad(to_hex(n), 8, '0') || '-0000-1000-8000-0000000000ff')::uuid AS id) AS u
				WHERE (uuid_hash(id) & 1023) = 0
			) AS k
			WHERE k.n <= 2 * $5`, w.tenant, w.facility, w.account, w.admin.UserID, many, 1_000_000*many))
		for text, want := range map[string]struct {
			found   int
			isWhole bool
		}{
			"newer older": {0, many == 8}, "older": {many, many == 8}, "older scarce": {1, true},
			"lab older scarce": {1, true}, "older nowhere": {0, true}, "- '": {0, true}, "ŉabc": {1, true},
		} {
			pages := w.searchPages(ctx, text)
			found := 0
			for _, n := range pages {
				found += n
			}
			isWhole := pages[0] == min(want.found, 10) && (want.found > 10 || len(pages) == 1)
			if found != want.found || isWhole != want.isWhole {
				t.Errorf("%d have older, asked for %q: found %v on each page, want %+v", many, text, pages, want)
			}
		}
	}
}

// Of what is asked for beside facilities, everything is looked for among all terms, whatever the tenant's are called:
// the terms of its days may begin like those of facilities.
func TestTheDaysOfEveryTenantAreAskedFor(t *testing.T) {
	t.Parallel()
	owner := openUnchecked(t).owner
	var asked, facilities int
	if err := owner.QueryRow(t.Context(), `SELECT
			count(terms_query(t, f, NULL, NULL, NULL, '2030-01-01', '2030-01-02', false)),
			count(terms_query(t, f, NULL, NULL, NULL, NULL, NULL, false))
		FROM generate_series(1, 100) AS n
		CROSS JOIN LATERAL (
			SELECT md5(n::text)::uuid AS t, CASE WHEN n % 2 = 0 THEN ARRAY[md5('f')::uuid] END AS f) AS k`,
	).Scan(&asked, &facilities); err != nil || asked != 100 || facilities != 0 {
		t.Errorf("of 100 tenants, days are asked for by %d, and facilities alone by %d: %v", asked, facilities, err)
	}
}

// searchPages returns how many pickups each page of a search by a text has, which looks at eleven.
func (w *fixture) searchPages(ctx context.Context, text string) (found []int) {
	p := db.FindPickupsParams{TenantID: w.tenant, ViewerID: w.admin.UserID, ViewerRole: w.admin.Role, Text: &text,
		Sort: db.Newest, CreatedTo: endOfTime, AfterAt: endOfTime, AfterID: uuid.Max, MaxRows: 10, MaxLooks: 10,
		MaxFound: 500}
	for range 50 {
		page, next, err := w.SearchPickups(ctx, p)
		w.must(err)
		if found = append(found, len(page)); next == nil {
			break
		}
		p.AfterAt, p.AfterID = next.At, next.ID
	}
	return found
}
