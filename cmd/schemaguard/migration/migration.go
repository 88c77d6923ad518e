// Package migration reads the files of goose.
package migration

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/memo"
	"waybill/cmd/schemaguard/tree"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
)

// Migration is one file. Nobody changes it once it is read.
type Migration struct {
	Path          string
	Number        int64 // 0 if the name has none
	Text          string
	UpText        string // Text, with all but Up replaced by spaces
	NoTransaction bool   // each statement runs by itself
	Up, Down      []*Statement
	DownLine      int // of the annotation; 0 without one
}

// Statement is a statement of a migration.
type Statement struct {
	Text   string
	Line   int
	Last   int // its last line
	Node   *pg.Node
	Err    error      // why there is no node
	Inside []*pg.Node // the statements in its body, where it is a DO block
}

var (
	number     = regexp.MustCompile(`^(\d+)_.+\.sql$`)
	annotation = regexp.MustCompile(`(?i)^\s*--\s*\+goose\s+(.*?)\s*$`)
)

// Read reads the migrations of a folder, in the order of their numbers.
func Read(t tree.Tree, folder string) (all []*Migration) {
	for _, p := range t.Below(folder, ".sql") {
		all = append(all, Parse(p, t[p]))
	}
	slices.SortStableFunc(all, func(a, b *Migration) int { return int(a.Number - b.Number) })
	return all
}

var parsed memo.Of[memo.File, *Migration]

// Parse reads a migration.
func Parse(name, text string) *Migration {
	return parsed.Get(memo.File{Name: name, Text: text}, func() *Migration { return parse(name, text) })
}

func parse(name, text string) *Migration {
	m := &Migration{Path: name, Text: text}
	if parts := number.FindStringSubmatch(path.Base(name)); parts != nil {
		m.Number, _ = strconv.ParseInt(parts[1], 10, 64)
	}
	up, down := m.split()
	m.UpText = up
	m.Up, m.Down = statements(up, text), statements(down, text)
	return m
}

// split returns the text with all but the up part, and all but the down part, replaced by spaces.
func (m *Migration) split() (up, down string) {
	var ups, downs strings.Builder
	inUp, inDown, line := false, false, 0
	for l := range strings.Lines(m.Text) {
		line++
		if a := annotation.FindStringSubmatch(strings.TrimRight(l, "\r\n")); a != nil {
			switch strings.ToLower(strings.Join(strings.Fields(a[1]), " ")) {
			case "up":
				inUp, inDown = true, false
			case "down":
				inUp, inDown, m.DownLine = false, true, line
			case "no transaction":
				m.NoTransaction = true
			}
		}
		ups.WriteString(keep(l, inUp))
		downs.WriteString(keep(l, inDown))
	}
	return ups.String(), downs.String()
}

func keep(line string, yes bool) string {
	if yes {
		return line
	}
	end := strings.TrimRight(line, "\r\n")
	return strings.Repeat(" ", len(end)) + line[len(end):]
}

func statements(part, text string) (all []*Statement) {
	lines := sqltext.NewLines(text)
	for _, span := range sqltext.Statements(part) {
		s := &Statement{Text: strings.TrimSpace(part[span.Start:span.End])}
		s.Line, _ = lines.Position(span.Start)
		s.Last = s.Line + strings.Count(s.Text, "\n")
		nodes, err := syntax.Parse(s.Text)
		if s.Err = err; len(nodes) == 1 {
			s.Node = nodes[0]
			s.Inside = inside(s.Node)
		}
		all = append(all, s)
	}
	return all
}

// SameStatements reports whether two migrations do the same: they differ by nothing but comments, spaces, and how
// words are written.
func SameStatements(a, b *Migration) bool {
	same := func(a, b *Statement) bool {
		return a.Text == b.Text || a.Node != nil && b.Node != nil && syntax.Key(a.Node) == syntax.Key(b.Node)
	}
	return a.NoTransaction == b.NoTransaction && slices.EqualFunc(a.Up, b.Up, same) &&
		slices.EqualFunc(a.Down, b.Down, same)
}

// Ends returns the last line of the statement, of Up or Down, that begins at a line or below it.
func (m *Migration) Ends(line int) int {
	for _, s := range slices.Concat(m.Up, m.Down) {
		if s.Last >= line {
			return s.Last
		}
	}
	return line
}

// StatementEnd returns the last line of the statement of a text that begins at a line or below it.
func StatementEnd(text string, line int) int {
	lines := sqltext.NewLines(text)
	for _, span := range sqltext.Statements(text) {
		if last, _ := lines.Position(span.End); last >= line {
			return last
		}
	}
	return line
}
