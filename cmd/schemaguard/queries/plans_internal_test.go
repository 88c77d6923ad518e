package queries

import "testing"

func TestAnIndexIsSearchedByTheTenantAlone(t *testing.T) {
	t.Parallel()
	for cond, want := range map[string]bool{
		"(tenant_id = $1)":                                           true,
		"((tenant_id = $1) AND (id = $2))":                           false,
		"((tenant_id = $1) AND (ROW(created_at, id) < ROW($2, $3)))": false,
		"(id = $1)": false,
		"((tenant_id = a.tenant_id) AND (status = ANY ($2)))": false,
	} {
		if got := onlyTenant(cond, []string{"tenant_id"}); got != want {
			t.Errorf("%s: got %v", cond, got)
		}
	}
}
