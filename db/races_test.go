package db_test

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"waybill/db/dbtest"
	"waybill/sql"
)

// check is a property of one query. Its run returns an error that names what was violated; the mutation
// test runs it on the query with a guard removed.
type check struct {
	query string
	name  string // of a race: the text of the query's "Closes:"
	run   func(context.Context, *fixture) error
}

// races has one for each "Closes:" in sql/queries.
func races() []check {
	return slices.Concat(
		accountRaces, accountFacilityRaces, adjustmentRaces, backfillRaces, driverRaces, facilityRaces,
		feedRaces, feedReportRaces, flagRaces, groupRaces, jobRaces,
		ledgerEntryRaces, loginAttemptRaces, messageRaces, migrationRaces, eventHistoryRaces,
		patientRaces, patientFacilityRaces, phoneNumberRaces, pickupCountRaces, pickupRaces,
		dispatchRaces, rowLockRaces, sessionRaces, tenantRaces, userRaces,
		webhookDeliveryRaces,
		ofNouns(func(n noun) []check { return n.races }))
}

// rules are the guards without a race: permissions, and that another request in the same statement is not
// affected.
func rules() []check {
	return slices.Concat(
		accountFacilityRules, adjustmentRules, appointmentRules, patientAppointmentRules,
		authorityRules, cachedSessionRules, driverRules,
		feedRules, heldRowRules, jobRules,
		ledgerEntryRules, loginAttemptRules, messageRules,
		patientRules, patientFacilityRules, pickupRules, pickupReadRules, dispatchRules,
		rowLockRules, sessionRules, userRules, webhookDeliveryRules,
		ofNouns(func(n noun) []check { return n.rules }))
}

// try runs the check; an error outside the statement under test is a panic.
func (c check) try(ctx context.Context, w *fixture) (err error) {
	if err := c.run(ctx, w); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// run runs each check in a tenant of its own, in one database, several times.
func run(t *testing.T, d *database, checks []check, rounds int) {
	t.Helper()
	byQuery := map[string][]check{}
	for _, c := range checks {
		byQuery[c.query] = append(byQuery[c.query], c)
	}
	for _, query := range slices.Sorted(maps.Keys(byQuery)) {
		t.Run(query, func(t *testing.T) {
			for _, c := range byQuery[query] {
				t.Run(c.name, func(t *testing.T) {
					for range rounds {
						if err := c.try(t.Context(), d.fixture(t.Context())); err != nil {
							t.Fatal(err)
						}
					}
				})
			}
		})
	}
}

func TestRaces(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "SQL decides the races, and TestRacesBatched runs the same with more of Go")
	run(t, open(t), races(), dbtest.Rounds(4))
}

func TestRules(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "SQL has the rules, and TestRulesBatched runs the same with more of Go")
	run(t, open(t), rules(), 1)
}

// TestRacesBatched and TestRulesBatched run them with requests that share statements.
func TestRacesBatched(t *testing.T) {
	t.Parallel()
	run(t, openBatching(t), races(), 1)
}

func TestRulesBatched(t *testing.T) {
	t.Parallel()
	run(t, openBatching(t), rules(), 1)
}

// closes returns the races that the queries' comments say they close, each with the query's name before
// it.
func closes(t *testing.T) (all []string) {
	t.Helper()
	line := regexp.MustCompile(`^-- (Closes|name): (.*)$`)
	paths, err := fs.Glob(sql.Queries, "queries/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := sql.Queries.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var open []string
		for l := range strings.Lines(string(text)) {
			switch m := line.FindStringSubmatch(strings.TrimSpace(l)); {
			case m == nil:
			case m[1] == "Closes":
				open = append(open, m[2])
			default:
				query, _, _ := strings.Cut(m[2], " ")
				for _, race := range open {
					all = append(all, query+": "+race)
				}
				open = nil
			}
		}
	}
	return all
}

func TestEveryRaceThatAQueryClosesIsRun(t *testing.T) {
	t.Parallel()
	var run []string
	for _, r := range races() {
		run = append(run, r.query+": "+r.name)
	}
	closed := closes(t)
	for _, race := range closed {
		if !slices.Contains(run, race) {
			t.Errorf("a comment closes this race, which is not run: %s", race)
		}
	}
	for _, race := range run {
		if !slices.Contains(closed, race) {
			t.Errorf("this race is run, but in no comment: %s", race)
		}
	}
}

func TestEveryWriteHasARace(t *testing.T) {
	t.Parallel()
	closed := closes(t)
	texts := statements(t)
	sources := variants(texts)
	for query, text := range texts {
		query = cmp.Or(sources[query], query) // a variant closes what its source does
		// A read that records itself inserts a row of its own: it races with no other statement.
		text = strings.ReplaceAll(text, "INSERT INTO phi_reads", "")
		if writes.MatchString(text) && !slices.ContainsFunc(closed, func(r string) bool {
			return strings.HasPrefix(r, query+": ")
		}) {
			t.Errorf("%s writes, but names no race that it closes", query)
		}
	}
}
