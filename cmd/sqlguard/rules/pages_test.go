//go:build !race

// Sequential code: the race detector checks it in the tests of cmd/sqlguard.

package rules_test

import (
	"slices"
	"strings"
	"testing"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/verdict"
)

// check judges queries against a schema and returns the ids of the findings.
func check(t *testing.T, schema, queries string, o *rules.Options) []string {
	t.Helper()
	db, errs := verdict.Judge(&project.Database{
		Schema:  project.Statements(project.NewFile("schema.sql", schema)),
		Queries: project.Queries(project.NewFile("queries.sql", queries)),
	}, verdict.Options{Scopes: o.Tenant})
	for _, err := range errs {
		t.Error(err)
	}
	var ids []string
	for _, f := range rules.Check(db, o) {
		ids = append(ids, f.Rule.ID)
	}
	return ids
}

var tenants = &rules.Options{Tenant: []string{"tenant_id"}}

func TestPageExamples(t *testing.T) {
	t.Parallel()
	for _, r := range rules.All {
		t.Run(r.ID, func(t *testing.T) {
			t.Parallel()
			schema := r.Block("sql schema")
			if got := check(t, schema, r.Block("sql fails"), tenants); !slices.Contains(got, r.ID) {
				t.Errorf("the failing example gives %q", got)
			}
			if got := check(t, schema, r.Block("sql passes"), tenants); len(got) > 0 {
				t.Errorf("the passing example gives %q", got)
			}
		})
	}
}

func TestPagesHaveEveryPart(t *testing.T) {
	t.Parallel()
	for _, r := range rules.All {
		for _, part := range []string{"# " + r.ID + "\n", "## Problem\n", "## Race\n",
			"## Solution\n", "```race lost\n", "```race closed\n"} {
			if !strings.Contains(r.Page(), part) {
				t.Errorf("the page of %s lacks %q", r.ID, part)
			}
		}
	}
}
