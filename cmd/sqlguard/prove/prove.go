// Package prove demonstrates the race of a finding on a throwaway PostgreSQL: it builds the project's
// schema, generates rows that the query writes, and runs the query from two concurrent sessions.
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

// Race is the outcome of two concurrent calls.
type Race struct {
	A, B           string // the statements of the two callers
	Before         string // the table's rows as JSON before the race
	AfterA, AfterB string
	Waited, WroteB bool
	Refused        error    // the error of the second caller
	Lost           []string // the columns in which A's value was lost
	BothTook       bool     // both passed a test that only one should have passed
}

// Loses reports whether A's write was lost, or its effect happened twice.
func (r *Race) Loses() bool { return len(r.Lost) > 0 || r.BothTook }

// Proof is the race of the query as it is, and with its suggestion applied.
type Proof struct {
	Plain   *Race
	Advised *Race // nil without an applicable suggestion
	Advice  *rules.Advice
	LeftOut error // the first statement of the schema that failed
}

// Write runs the race of a write: of the query with itself, or with the other query of the finding. f
// is a finding about the write, or nil.
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

// advised runs the race again on the same rows, with the suggestion applied.
func (v *sandbox) advised(c choice, advice *rules.Advice) (*Race, error) {
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

// known returns a caller's argument for a parameter: the one it had before, or for a new parameter the
// value that it read from the row.
func (v *sandbox) known(name string, advice *rules.Advice, given []*string) (*string, error) {
	if i := slices.IndexFunc(v.params, func(p param) bool { return p.name == name }); i >= 0 {
		return given[i], nil
	}
	expression, ok := advice.Seen[name]
	if !ok {
		return nil, fmt.Errorf("no value for the parameter %s", name)
	}
	var value *string
	err := v.pool.QueryRow(v.ctx, "SELECT ("+expression+")::text FROM "+v.target.Name+" LIMIT 1").Scan(&value)
	return value, err
}

// race runs two calls of a query concurrently, or one call against the other query.
func (v *sandbox) race(text string, params []param, c choice) (*Race, error) {
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

// place is the key under which contents reports a row's physical location, which every write changes.
const place = "(place)"

// contents returns the target's rows as JSON, each with its location.
func (v *sandbox) contents() string {
	return "SELECT coalesce(json_agg(to_jsonb(t) || jsonb_build_object('" + place +
		"', tableoid::text || ctid::text) ORDER BY tableoid, ctid)::text, '[]') FROM " + v.target.Name + " AS t"
}

type row = map[string]any

func rowsOf(text string) ([]row, error) {
	var rows []row
	err := json.Unmarshal([]byte(text), &rows)
	return rows, err
}

// judge determines what was lost: an overwritten column that A changed and B changed again. If both
// wrote and nothing was overwritten, both passed the same test.
func (v *sandbox) judge(r *Race) error {
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

// String formats the proof for the terminal.
func (p *Proof) String() string {
	var out strings.Builder
	if p.LeftOut != nil {
		fmt.Fprintf(&out, "skipped in the throwaway database: %v\n\n", p.LeftOut)
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
		fmt.Fprintf(out, "PostgreSQL refuses B's write: %v\n", r.Refused)
	case len(r.Lost) > 0:
		fmt.Fprintf(out, "LOST: A's write to %s, although A's statement succeeded.\n",
			strings.Join(r.Lost, ", "))
	case r.BothTook:
		fmt.Fprintln(out, "LOST: both callers passed a test that only one should pass.")
	case !r.WroteB:
		fmt.Fprintln(out, "Nothing is lost: B does not write the row.")
	default:
		fmt.Fprintln(out, "No lost write was found.")
	}
}

// shown removes the locations from the rows.
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
