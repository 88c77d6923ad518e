// Package query reads the statements of sqlc's files as PostgreSQL takes them.
package query

import (
	"path"
	"slices"
	"strconv"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/memo"
	"waybill/cmd/schemaguard/tree"
	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
)

// Query is a statement with a name.
type Query struct {
	Name    string
	Command string // ":one" …
	Path    string
	Line    int    // of its first word
	Source  string // as sqlc reads it
	SQL     string // as PostgreSQL does
}

// ID tells the statement from others, by its place: where sqlc writes several packages, some have the same name.
func (q Query) ID() string { return q.Path + ":" + strconv.Itoa(q.Line) }

// nodes are the trees of a text, or why there are none.
type nodes struct {
	all []*pg.Node
	err error
}

var trees memo.Of[string, nodes]

// Nodes returns the trees of a query's text, its Source or its SQL, which nobody changes.
func Nodes(text string) ([]*pg.Node, error) {
	n := trees.Get(text, func() (n nodes) {
		n.all, n.err = syntax.Parse(text)
		return n
	})
	return n.all, n.err
}

// Read returns the statements of the folders' files.
func Read(t tree.Tree, folders []string) (all []Query) {
	for _, p := range t.Under(folders, ".sql") {
		all = append(all, Parse(p, t[p])...)
	}
	return all
}

// Whole returns the files of a folder that are a statement each, by their names.
func Whole(t tree.Tree, folder string) (all []Query) {
	if folder == "" {
		return nil
	}
	for _, p := range t.Below(folder, ".sql") {
		text := strings.TrimSuffix(strings.TrimSpace(t[p]), ";")
		all = append(all, Query{strings.TrimSuffix(path.Base(p), ".sql"), ":exec", p, 1, text, text})
	}
	return all
}

var parsed memo.Of[memo.File, []Query]

// Parse returns the statements of a file.
func Parse(file, text string) []Query {
	return slices.Clone(parsed.Get(memo.File{Name: file, Text: text}, func() []Query { return parse(file, text) }))
}

func parse(file, text string) (all []Query) {
	for _, q := range project.Queries(project.NewFile(file, text)) {
		spans := sqltext.Statements(q.Text)
		if q.Name == "" || len(spans) == 0 {
			continue
		}
		line, _ := q.Place(spans[0].Start)
		source := strings.TrimSpace(q.Text[spans[0].Start:spans[0].End])
		all = append(all, Query{q.Name, q.Command, file, line, source, Plain(source)})
	}
	return all
}

// Plain replaces sqlc's parameters by $1, $2 …, in the order in which their names come, without the numbers that
// the statement has itself, and its macros by what they stand for.
func Plain(source string) string {
	p := plainer{source: source, numbers: map[string]int{}, taken: map[int]bool{}}
	for t := range sqltext.Tokens(source) {
		p.tokens = append(p.tokens, t)
		if n := numberAt(source, t); n > 0 {
			p.taken[n] = true
		}
	}
	for p.at < len(p.tokens) {
		p.next()
	}
	return p.out.String()
}

// numberAt returns n for the token that begins $n, else 0.
func numberAt(source string, t sqltext.Token) (n int) {
	if source[t.Start:t.End] != "$" {
		return 0
	}
	for _, digit := range source[t.End:] {
		if digit < '0' || digit > '9' {
			break
		}
		n = 10*n + int(digit-'0')
	}
	return n
}

type plainer struct {
	source  string
	tokens  []sqltext.Token
	at      int
	numbers map[string]int
	taken   map[int]bool
	out     strings.Builder
}

// text returns the text of the token that is n after the current one.
func (p *plainer) text(n int) string {
	if p.at+n >= len(p.tokens) {
		return ""
	}
	t := p.tokens[p.at+n]
	return p.source[t.Start:t.End]
}

func (p *plainer) next() {
	t := p.tokens[p.at]
	switch {
	case t.Kind == sqltext.Word && strings.EqualFold(p.text(0), "sqlc") && p.text(1) == "." && p.text(3) == "(":
		p.macro()
		return
	case t.Kind == sqltext.Operator && strings.HasSuffix(p.text(0), "@") && p.isName(1):
		p.out.WriteString(strings.TrimSuffix(p.text(0), "@") + p.param(p.text(1)))
		p.at += 2
		return
	}
	p.out.WriteString(p.text(0))
	p.at++
}

func (p *plainer) isName(n int) bool {
	return p.at+n < len(p.tokens) && p.tokens[p.at+n].Kind == sqltext.Word
}

// macro replaces sqlc.arg(x), sqlc.narg('x'), sqlc.slice('x') and sqlc.embed(x).
func (p *plainer) macro() {
	name := strings.Trim(p.text(4), `'"`)
	if strings.EqualFold(p.text(2), "embed") {
		p.out.WriteString(name + ".*")
	} else {
		p.out.WriteString(p.param(name))
	}
	p.at += 6
}

func (p *plainer) param(name string) string {
	n, ok := p.numbers[name]
	if !ok {
		for n = 1; p.taken[n]; n++ {
		}
		p.numbers[name], p.taken[n] = n, true
	}
	return "$" + strconv.Itoa(n)
}
