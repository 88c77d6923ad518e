package queries

import (
	"testing"

	"waybill/cmd/schemaguard/query"
)

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

// A scan by a bitmap asks what its parts ask: of two that must hold both, of two of which one must hold the lesser.
func TestABitmapAsksWhatItsPartsAsk(t *testing.T) {
	t.Parallel()
	const tenant, narrow = "(tenant_id = $1)", "((tenant_id = $1) AND (id = $2))"
	scan := func(kind string, conds ...string) node {
		parts := node{Type: kind}
		for _, cond := range conds {
			parts.Plans = append(parts.Plans, node{Type: "Bitmap Index Scan", Index: "x", Cond: cond})
		}
		return node{Type: "Bitmap Heap Scan", Relation: "t", Filter: "(note = $3)", Plans: []node{parts}}
	}
	for name, c := range map[string]struct {
		n    node
		want bool
	}{
		"one of the tenant":       {scan("BitmapAnd", tenant), true},
		"the tenant, and an id":   {scan("BitmapAnd", tenant, narrow), false},
		"an id, or the tenant":    {scan("BitmapOr", narrow, tenant), true},
		"the tenant, or an id":    {scan("BitmapOr", tenant, narrow), true},
		"one id, or another":      {scan("BitmapOr", narrow, narrow), false},
		"without a node of parts": {scan("Bitmap Index Scan", narrow), false},
	} {
		p := &planner{tables: []string{"t"}, tenant: []string{"tenant_id"}}
		if f, got := p.fault(query.Query{}, c.n); got != c.want || got && f.Rule != WholeTenant.Name {
			t.Errorf("%s: got %v, %s", name, got, f.Message)
		}
	}
	p := &planner{tables: []string{"t"}}
	if f, got := p.fault(query.Query{},
		node{Type: "Index Scan", Relation: "t", Index: "x", Filter: "(a = $1)"}); !got ||
		f.Rule != WholeTable.Name {
		t.Errorf("an index that is read from end to end: %v", f)
	}
}
