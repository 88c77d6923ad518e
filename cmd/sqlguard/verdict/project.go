package verdict

import (
	"errors"
	"runtime"
	"slices"
	"sync"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
)

// Options are the settings of a project.
type Options struct {
	Scopes []string // tenant columns: they never change, whatever a query sets
}

// Judge classifies each write of a database's queries. The errors state what could not be read; the
// rest is judged all the same.
func Judge(d *project.Database, o Options) (*Database, []error) {
	c, errs := catalog.Build(d.Schema)
	out := &Database{Catalog: c, Facts: newFacts(c, o.Scopes)}
	out.Queries = make([]*Query, len(d.Queries))
	parsed := make([][]*pg.Node, len(d.Queries))
	failed := make([]error, len(d.Queries))
	parallel(len(d.Queries), func(i int) {
		out.Queries[i] = &Query{Query: d.Queries[i]}
		parsed[i], failed[i] = parse(d.Queries[i])
	})
	for i, q := range out.Queries {
		if failed[i] != nil {
			errs = append(errs, failed[i])
		}
		for _, n := range parsed[i] {
			q.Statements = append(q.Statements, reading.Read(c, n))
		}
	}
	out.learn()
	parallel(len(out.Queries), func(i int) { out.Queries[i].judge(out.Facts) })
	return out, errs
}

// parallel calls do for 0 to n-1, on all processors.
func parallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), n)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				do(i)
			}
		})
	}
	wg.Wait()
}

// parse parses the statements of a query, keeping their offsets in the text.
func parse(q *project.Query) ([]*pg.Node, error) {
	text, _ := sqltext.Number(q.Text)
	nodes, err := syntax.Parse(text)
	if err == nil {
		return nodes, nil
	}
	offset, message := 0, err.Error()
	var where *syntax.Error
	if errors.As(err, &where) {
		offset, message = where.Offset, where.Message
	}
	if q.Name != "" {
		message = q.Name + ": " + message
	}
	line, column := q.Place(offset)
	return nil, &project.Error{Path: q.File.Path, Line: line, Column: column, Message: message}
}

// learn records what all queries and all functions of the schema set.
func (d *Database) learn() {
	for _, q := range d.Queries {
		for _, s := range q.Statements {
			for _, w := range s.Writes {
				d.Facts.learn(q, w)
			}
		}
	}
	for _, f := range d.Catalog.AllFunctions() {
		b := d.Facts.readBody(f)
		d.Facts.bodies[f] = b
		for _, s := range b.statements {
			for _, w := range s.Writes {
				d.Facts.learn(nil, w)
			}
		}
	}
}

func (q *Query) judge(f *Facts) {
	for _, s := range q.Statements {
		for _, w := range s.Writes {
			q.add(judged(f, s, w), "")
		}
		q.calls(f, s.Calls, map[*catalog.Function]bool{})
	}
	slices.SortStableFunc(q.Writes, func(a, b *Write) int {
		if a.Function != "" || b.Function != "" {
			return 0
		}
		return a.Location - b.Location
	})
}

// add adds a write. The clauses of one MERGE share the worst verdict among them.
func (q *Query) add(w *Write, function string) {
	w.Query, w.Function = q, function
	if w.Clause > 0 {
		for i, other := range q.Writes {
			if other.Node == w.Node && other.Clause > 0 {
				if worse(w.Verdict, other.Verdict) {
					q.Writes[i] = w
				}
				return
			}
		}
	}
	q.Writes = append(q.Writes, w)
}

// ranking orders verdicts from the worst.
var ranking = []Verdict{Unbounded, DeleteUnbounded, Blind, DeleteOwner, Relative,
	Constant, DeleteKey, Conditional, DeleteConditional}

func worse(a, b Verdict) bool { return slices.Index(ranking, a) < slices.Index(ranking, b) }
