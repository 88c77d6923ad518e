// Package prove plays the race of a finding on a throwaway PostgreSQL: it builds the
// project's schema, makes rows that the query writes, and lets two callers run it at once.
package prove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/races"
	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/verdict"
)

// Race is how two callers of one query met.
type Race struct {
	A, B           string // what they ran
	Before         string // the table's rows as JSON
	AfterA, AfterB string
	Waited, WroteB bool
	Refused        error    // PostgreSQL's, of the second
	Lost           []string // the columns in which nothing is left of what A wrote
	BothTook       bool     // both wrote the row by a test that only one should have passed
}

// Loses reports whether A's write was lost, or done twice.
func (r *Race) Loses() bool { return len(r.Lost) > 0 || r.BothTook }

// Proof is a race as the query is, and as its suggestion makes it.
type Proof struct {
	Plain   *Race
	Advised *Race // nil: there is no suggestion that can be carried out
	Advice  *rules.Advice
	LeftOut error // the first statement of the schema that could not be run
}

// Write plays a write of a query: against itself, or where the finding is of two queries
// against the other. f is a finding of it, nil where there is none.
func Write(
	ctx context.Context, pool *pgxpool.Pool, schema []*project.Statement, w *verdict.Write, f *rules.Finding,
) (*Proof, error) {
	var advice *rules.Advice
	var against *verdict.Query
	if f != nil {
		advice, against = f.Advice, f.Against
	}
	p := &Proof{Advice: advice, LeftOut: build(ctx, pool, schema)}
	v, err := open(ctx, pool, w, against)
	if err != nil {
		return p, errors.Join(p.LeftOut, err)
	}
	v.later = advice != nil && advice.Kind == rules.MoveForward
	var c choice
	if c, p.Plain, err = v.find(); err != nil || advice == nil || len(advice.Edits) == 0 {
		return p, err
	}
	p.Advised, err = v.advised(c, advice)
	return p, err
}

// advised plays the race again, on the same rows, with the suggestion carried out.
func (v *world) advised(c choice, advice *rules.Advice) (*Race, error) {
	if advice.Schema != "" {
		if _, err := v.pool.Exec(v.ctx, advice.Schema); err != nil {
			return nil, err
		}
	}
	if err := v.fill(c); err != nil {
		return nil, err
	}
	text := sqltext.Apply(v.query.Text, advice.Edits)
	conn, err := v.pool.Acquire(v.ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	r := &reader{ctx: v.ctx, conn: conn.Conn(), kinds: map[uint32]kind{}}
	params, err := r.params(text, nil)
	if err != nil {
		return nil, err
	}
	next := choice{open: c.open}
	for _, p := range params {
		for caller := range next.args {
			value, err := v.known(p.name, advice, c.args[caller])
			if err != nil {
				return nil, err
			}
			next.args[caller] = append(next.args[caller], value)
		}
	}
	return v.race(text, params, next)
}

// known is what a caller gives for a parameter: what it gave before, or for a new one
// what it has seen in the row.
func (v *world) known(name string, advice *rules.Advice, given []*string) (*string, error) {
	if i := slices.IndexFunc(v.params, func(p param) bool { return p.name == name }); i >= 0 {
		return given[i], nil
	}
	expression, ok := advice.Seen[name]
	if !ok {
		return nil, fmt.Errorf("nothing says what %s is", name)
	}
	var value *string
	err := v.pool.QueryRow(v.ctx, "SELECT ("+expression+")::text FROM "+v.target.Name+" LIMIT 1").Scan(&value)
	return value, err
}

// race lets two callers run a text at once, or one of them what it is against.
func (v *world) race(text string, params []param, c choice) (*Race, error) {
	opens, has, given := text, params, c.args[0]
	if v.against != nil {
		opens, has, given = v.against.Text, v.opening, c.open
	}
	r := &Race{A: v.told(opens, has, given), B: v.told(text, params, c.args[1])}
	if err := v.pool.QueryRow(v.ctx, v.contents()).Scan(&r.Before); err != nil {
		return nil, err
	}
	out, err := races.Duel(v.ctx, v.pool, races.Statement{Query: v.sql(opens, has, given), Then: v.contents()},
		races.Statement{Query: v.sql(text, params, c.args[1])})
	if err != nil {
		return nil, err
	}
	r.AfterA, r.Waited, r.Refused = out.Seen, out.Waited, out.Err
	if err := v.pool.QueryRow(v.ctx, v.contents()).Scan(&r.AfterB); err != nil {
		return nil, err
	}
	return r, v.judge(r)
}

// place is the name under which contents has where a row is: each write moves it.
const place = "(place)"

// contents are the target's rows, each with its place.
func (v *world) contents() string {
	return "SELECT coalesce(json_agg(to_jsonb(t) || jsonb_build_object('" + place +
		"', tableoid::text || ctid::text) ORDER BY tableoid, ctid)::text, '[]') FROM " + v.target.Name + " AS t"
}

type row = map[string]any

func rowsOf(text string) ([]row, error) {
	var rows []row
	err := json.Unmarshal([]byte(text), &rows)
	return rows, err
}

// judge finds what is lost: an overwritten column that A changed, and of which B has made
// something else. Where both wrote and nothing was to be overwritten, both took what was
// there for one.
func (v *world) judge(r *Race) error {
	before, err := rowsOf(r.Before)
	if err != nil {
		return err
	}
	first, err := rowsOf(r.AfterA)
	if err != nil {
		return err
	}
	last, err := rowsOf(r.AfterB)
	if err != nil || len(before) != 1 || len(first) != 1 || len(last) != 1 {
		r.WroteB = len(first) != len(last)
		return err
	}
	r.WroteB = fmt.Sprint(first[0][place]) != fmt.Sprint(last[0][place])
	for _, column := range v.atStake() {
		a, b := fmt.Sprint(first[0][column]), fmt.Sprint(last[0][column])
		if a != fmt.Sprint(before[0][column]) && a != b && !slices.Contains(r.Lost, column) {
			r.Lost = append(r.Lost, column)
		}
	}
	r.BothTook = r.WroteB && r.Waited && len(r.Lost) == 0 && len(v.write.Of(verdict.Stale)) > 0
	return nil
}

// String tells the proof for people.
func (p *Proof) String() string {
	var out strings.Builder
	if p.LeftOut != nil {
		fmt.Fprintf(&out, "not in the throwaway database: %v\n\n", p.LeftOut)
	}
	p.Plain.tell(&out)
	if p.Advised != nil {
		fmt.Fprintf(&out, "\nwith the suggestion: %s\n\n", p.Advice.Text)
		p.Advised.tell(&out)
	}
	return out.String()
}

func (r *Race) tell(out *strings.Builder) {
	fmt.Fprintf(out, "A  BEGIN;\nA  %s;\n", r.A)
	fmt.Fprintf(out, "B  %s;%s\n", r.B, map[bool]string{true: "   -- waits for A"}[r.Waited])
	fmt.Fprintf(out, "A  COMMIT;\n\nbefore   %s\nafter A  %s\nafter B  %s\n",
		shown(r.Before), shown(r.AfterA), shown(r.AfterB))
	switch {
	case r.Refused != nil:
		fmt.Fprintf(out, "PostgreSQL refuses B's: %v\n", r.Refused)
	case len(r.Lost) > 0:
		fmt.Fprintf(out, "LOST: what A wrote to %s, though A was told that it is written.\n",
			strings.Join(r.Lost, ", "))
	case r.BothTook:
		fmt.Fprintln(out, "LOST: both wrote the row by a test that it passed once.")
	case !r.WroteB:
		fmt.Fprintln(out, "Nothing is lost: B does not write the row.")
	default:
		fmt.Fprintln(out, "Nothing is lost that was found.")
	}
}

// shown is rows without their places.
func shown(text string) string {
	rows, err := rowsOf(text)
	if err != nil {
		return text
	}
	for _, r := range rows {
		delete(r, place)
	}
	plain, _ := json.Marshal(rows)
	return strings.Trim(string(plain), "[]")
}
