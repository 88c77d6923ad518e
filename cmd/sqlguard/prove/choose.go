package prove

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// choice holds a value for each column and parameter; nil is NULL.
type choice struct {
	rows [][][]*string // by table, the target last
	args [2][]*string  // the arguments of the two callers
	open []*string     // the arguments of the other query, which runs first, if there is one
}

// choose generates rows and arguments: the first try uses default values that satisfy all references,
// later ones vary more and more of them.
func (v *sandbox) choose(random *rand.Rand, try int) choice {
	asked := v.asked()
	var c choice
	for _, t := range v.tables() {
		one := make([]*string, len(t.Columns))
		two := make([]*string, len(t.Columns))
		for i, col := range t.Columns {
			all := col.Kind.candidates(append(slices.Clone(v.consts), t.Literals...))
			chance := 0.1
			if asked[unquote(col.Name)] {
				chance = 0.6
			}
			one[i], two[i] = t.base[i], t.base[i]
			if col.Unique {
				two[i] = &all[min(1, len(all)-1)]
			}
			if try > 0 && !(col.Key && random.Float64() < 0.8) && random.Float64() < chance {
				one[i] = pick(random, all, col.Nullable)
				if named := col.Kind.named(v.consts); asked[unquote(col.Name)] && len(named) > 0 &&
					random.Float64() < 0.5 {
					one[i] = &named[random.IntN(len(named))]
				}
			}
		}
		rows := [][]*string{one}
		if t != v.target {
			rows = append(rows, two)
		}
		c.rows = append(c.rows, rows)
	}
	for i, p := range v.params {
		all := p.kind.candidates(v.consts)
		a := &all[0]
		if try > 0 && random.Float64() < 0.3 {
			a = pick(random, all, true)
		}
		b := a
		switch {
		case p.varied:
			a, b = v.two(p.kind, all, try)
			if try > 6 && random.Float64() < 0.5 { // the table may refuse these
				n := random.IntN(len(all))
				a, b = &all[n], &all[(n+1+random.IntN(max(1, len(all)-1)))%len(all)]
			}
		case try%2 == 1 && try/2%(len(v.params)+1) == i: // the second caller omits it
			b = nil
		}
		c.args[0], c.args[1] = append(c.args[0], a), append(c.args[1], b)
	}
	for _, p := range v.opening {
		all := p.kind.candidates(v.consts)
		value := &all[0]
		if try > 0 && random.Float64() < 0.3 {
			value = pick(random, all, true)
		}
		c.open = append(c.open, value)
	}
	return c
}

// two returns different values for the two callers. Neither is the row's initial value unless there are
// no others.
func (v *sandbox) two(k kind, all []string, try int) (a, b *string) {
	at := func(i int) *string { return &all[min(i, len(all)-1)] }
	switch {
	case v.later:
		return at(2), at(1)
	case k.isTime() && !k.Array: // an expired lease guards nothing
		return at(2), at(3)
	case try%3 == 1 || len(all) < 3: // only where the third value satisfies no reference
		return at(1), at(0)
	}
	return at(1), at(2)
}

func pick(random *rand.Rand, all []string, nullable bool) *string {
	n := random.IntN(len(all) + 1)
	if n == len(all) {
		if nullable {
			return nil
		}
		n = 0
	}
	return &all[n]
}

func unquote(name string) string { return strings.ReplaceAll(strings.Trim(name, `"`), `""`, `"`) }

// asked returns the columns that the conditions of the statement read.
func (v *sandbox) asked() map[string]bool {
	all := map[string]bool{}
	for _, b := range v.blocks() {
		for _, c := range b.Conditions {
			for _, from := range v.write.Statement.Sources(c.Node, c.Block) {
				all[from.Column] = from.Column != ""
			}
		}
	}
	return all
}
