package db_test

import (
	"cmp"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
)

// mutant is a query with one guard removed.
type mutant struct {
	query    string // its name
	what     string // the name of the part that was taken out
	from, to string
}

// rewriting sends the mutant in place of the query.
type rewriting struct {
	db.DBTX
	*mutant
}

func (r rewriting) text(sql string) string {
	if sql == r.from {
		return r.to
	}
	return sql
}

func (r rewriting) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return r.DBTX.Exec(ctx, r.text(sql), args...)
}

func (r rewriting) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return r.DBTX.Query(ctx, r.text(sql), args...)
}

func (r rewriting) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return r.DBTX.QueryRow(ctx, r.text(sql), args...)
}

// statements returns the generated queries' texts by name.
func statements(t testing.TB) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("*.sql.go")
	if err != nil || len(paths) == 0 {
		t.Fatal("no generated files: ", err)
	}
	found := map[string]string{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
				if text, ok := spec.Values[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
					sql, _ := strconv.Unquote(text.Value)
					if name, ok := strings.CutPrefix(sql, "-- name: "); ok {
						found[name[:strings.IndexByte(name, ' ')]] = sql
					}
				}
			}
			return true
		})
	}
	return found
}

var writes = regexp.MustCompile(`\b(INSERT INTO|UPDATE \w+|DELETE FROM)\b`)

// variants returns the sources of the statements that cmd/variants writes, by name.
func variants(texts map[string]string) map[string]string {
	sources := map[string]string{}
	for query, sql := range texts {
		for _, m := range variant.FindAllStringSubmatch(sql, -1) {
			sources[m[1]] = query
		}
	}
	return sources
}

// variant matches the mark by which a statement declares a variant: see cmd/variants.
var variant = regexp.MustCompile(`/\* (\w+): (.*?) \*/`)

// mutants removes every guard from every write, and from the reads that are guards themselves, one at a
// time. Mutants of a variant that its source also has are tested with the source.
func mutants(t testing.TB) (all []*mutant) {
	t.Helper()
	texts := statements(t)
	sources := variants(texts)
	for _, query := range slices.Sorted(maps.Keys(texts)) {
		sql := texts[query]
		if !writes.MatchString(sql) && !guardingReads[query] {
			continue
		}
		source := map[string]bool{}
		for _, p := range guards(texts[sources[query]]) {
			source[p.name] = true
		}
		for _, p := range guards(sql) {
			if !source[p.name] {
				all = append(all, &mutant{query, p.name, sql, sql[:p.start] + p.instead + sql[p.end:]})
			}
		}
	}
	return all
}

// part is a piece of a statement that can be removed.
type part struct {
	name       string // where it stands, and which columns it is about
	start, end int
	instead    string // what is left in its place
}

// keys are the columns that identify rows, and do not decide whether they may be written.
var keys = regexp.MustCompile(`^(tenant_id|id|\w+_id|token_hash|name|idempotency_key|key)$`)

// operand matches a parameter or a column, perhaps with its type.
var operand = regexp.MustCompile(`^([$.:]|[0-9a-z_]+)$`)

// isKey reports whether a condition only identifies a row: "true", a key that is equal to a parameter or a
// column, or keys that are IN a subselect.
func isKey(condition []sqlToken) bool {
	equal := slices.IndexFunc(condition, func(t sqlToken) bool { return t.text == "=" })
	in := slices.IndexFunc(condition, func(t sqlToken) bool { return t.word == "IN" })
	switch {
	case len(condition) == 1:
		return condition[0].text == "true"
	case equal > 0:
		return equal <= 3 && keys.MatchString(condition[equal-1].text) &&
			!slices.ContainsFunc(condition[equal+1:], func(t sqlToken) bool { return !operand.MatchString(t.text) })
	case in > 0:
		return condition[0].text == "(" && condition[in].depth == condition[0].depth &&
			!slices.ContainsFunc(condition[:in], func(t sqlToken) bool { return t.column && !keys.MatchString(t.text) })
	}
	return false
}

// guards returns the conditions, orders and locks of a statement. A removed one is replaced by what
// PostgreSQL may do without it: a condition is true (its parameters stay, whose types would not be known
// otherwise), and rows come in any order.
func guards(sql string) (parts []part) {
	tokens := tokenize(sql)
	times := map[string]int{}
	add := func(clause string, in []sqlToken, instead func(text string) string) {
		p := part{start: in[0].start, end: in[len(in)-1].end}
		p.instead = instead(sql[p.start:p.end])
		if p.name = strings.TrimSpace(in[0].cte + " " + clause); strings.HasSuffix(clause, " of") {
			p.name += " " + cmp.Or(strings.Join(columns(in), ", "), "parameters")
		}
		if times[p.name]++; times[p.name] > 1 {
			p.name = fmt.Sprintf("%s (%d)", p.name, times[p.name])
		}
		parts = append(parts, p)
	}
	nothing := func(string) string { return "" }
	for i, t := range tokens {
		switch {
		case t.word == "ON" && tokens[i-1].word == "DISTINCT":
		case t.word == "WHERE", t.word == "ON" && tokens[i+1].word != "CONFLICT":
			for _, c := range conjuncts(clauseOf(tokens[i+1:], t.depth), t.depth) {
				if !isKey(c) {
					add("condition of", c, func(text string) string { return "((" + text + ") OR true)" })
				}
			}
		case t.word == "ON" && !endsIn(tokens[i:], "NOTHING"): // CONFLICT … DO UPDATE, whose condition is one
		case t.word == "ON": // CONFLICT … DO NOTHING
			add("conflict of", upTo(tokens[i:], "NOTHING"), nothing)
		case t.word == "ORDER":
			clause := append(tokens[i:i+2:i+2], clauseOf(tokens[i+2:], t.depth)...)
			distinct := isDistinct(tokens[:i], t.depth)
			add("order of", clause, func(text string) string { return disordered(text, distinct) })
		case t.word == "FOR":
			clause := append(tokens[i:i+1:i+1], clauseOf(tokens[i+1:], t.depth)...)
			add(textOf(sql, clause), clause, nothing)
		case t.word == "SKIP":
			add("SKIP LOCKED", upTo(tokens[i:], "LOCKED"), nothing)
		}
	}
	return parts
}

// anyOrder is the order of rows if none is stated.
const anyOrder = "ORDER BY random()"

// disordered returns an ORDER BY without its effect. SELECT DISTINCT allows no other key: it gets the
// opposite order.
func disordered(order string, distinct bool) string {
	if distinct {
		return order + " DESC"
	}
	return anyOrder
}

// isDistinct reports whether the SELECT that contains the tokens, at a depth, is a SELECT DISTINCT.
func isDistinct(tokens []sqlToken, depth int) bool {
	for i, t := range slices.Backward(tokens) {
		if t.depth == depth && t.word == "SELECT" || t.depth < depth {
			return t.word == "SELECT" && i+1 < len(tokens) && tokens[i+1].word == "DISTINCT"
		}
	}
	return false
}

// columns returns the columns and the tables that a clause names, once each, in its order: of a subselect
// only the tables. They identify a part, however it is written.
func columns(clause []sqlToken) (names []string) {
	subselect := -1 // the depth of the one that is being read
	for i, t := range clause {
		switch {
		case subselect >= 0 && t.depth < subselect:
			subselect = -1
		case subselect < 0 && t.word == "SELECT":
			subselect = t.depth
		}
		name := t.text
		if i >= 2 && clause[i-1].text == "." {
			name = clause[i-2].text + "." + name
		}
		if (t.table || t.column && subselect < 0) && !strings.HasSuffix(name, "tenant_id") &&
			!slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// endsIn reports whether the ON CONFLICT clause at the beginning of tokens ends in DO and the word.
func endsIn(tokens []sqlToken, word string) bool {
	i := slices.IndexFunc(tokens, func(t sqlToken) bool { return t.word == "DO" })
	return tokens[i+1].word == word
}

// upTo returns the tokens up to the word.
func upTo(tokens []sqlToken, word string) []sqlToken {
	return tokens[:slices.IndexFunc(tokens, func(t sqlToken) bool { return t.word == word })+1]
}

// enders begin the clause that follows a condition, an order or a lock.
var enders = map[string]bool{
	"WHERE": true, "ON": true, "JOIN": true, "LEFT": true, "GROUP": true, "ORDER": true, "LIMIT": true,
	"FOR": true, "RETURNING": true, "UNION": true, "WINDOW": true,
}

// clauseOf returns the tokens up to the end of the clause that they begin with, at its depth.
func clauseOf(tokens []sqlToken, depth int) []sqlToken {
	end := slices.IndexFunc(tokens, func(t sqlToken) bool {
		return t.depth < depth || t.depth == depth && (enders[t.word] || t.text == ";")
	})
	if end < 0 {
		return tokens
	}
	return tokens[:end]
}

// conjuncts splits a condition at the ANDs of its own depth.
func conjuncts(condition []sqlToken, depth int) (all [][]sqlToken) {
	begin, between := 0, false
	for i, t := range condition {
		switch {
		case t.depth != depth:
		case t.word == "BETWEEN":
			between = true
		case t.word == "AND" && between:
			between = false
		case t.word == "AND":
			all = append(all, condition[begin:i])
			begin = i + 1
		}
	}
	return append(all, condition[begin:])
}

// sqlToken is a word, a string or a symbol. The text in parentheses, or between CASE and END, is one
// deeper; the closing token is not.
type sqlToken struct {
	text          string
	word          string // its text, if it is a word: keywords are in capitals, names are not
	start, end    int
	depth         int
	cte           string // the common table expression that it stands in, "" for none
	column, table bool   // a name that is one
}

var lexemes = regexp.MustCompile(`--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|[A-Za-z_]\w*|\S`)

func tokenize(sql string) (tokens []sqlToken) {
	depth, cte := 0, ""
	for _, at := range lexemes.FindAllStringIndex(sql, -1) {
		t := sqlToken{text: sql[at[0]:at[1]], start: at[0], end: at[1]}
		if strings.HasPrefix(t.text, "--") || strings.HasPrefix(t.text, "/*") {
			continue
		}
		if t.text[0] == '_' || t.text[0] >= 'A' && t.text[0] <= 'Z' || t.text[0] >= 'a' && t.text[0] <= 'z' {
			t.word = t.text
		}
		if t.text == ")" || t.text == "END" {
			depth--
		}
		if depth == 0 {
			cte = cteBefore(tokens, t, cte)
		}
		t.depth, t.cte = depth, cte
		if t.text == "(" || t.text == "CASE" {
			depth++
		}
		tokens = append(tokens, t)
	}
	for i := range tokens {
		markName(tokens, i)
	}
	return tokens
}

// cteBefore returns the common table expression that t opens ("name AS (") or continues.
func cteBefore(tokens []sqlToken, t sqlToken, cte string) string {
	n := len(tokens)
	if t.text == ")" {
		return cte
	}
	if n > 0 && tokens[n-1].word == "MATERIALIZED" {
		n--
	}
	if t.text == "(" && n > 1 && tokens[n-1].word == "AS" {
		return tokens[n-2].text
	}
	return ""
}

// markName reports whether the i-th token names a column or a table: not a function, a qualifier of
// another name, a type or an alias.
func markName(tokens []sqlToken, i int) {
	t, before, after := &tokens[i], sqlToken{}, sqlToken{}
	if t.word == "" || t.word != strings.ToLower(t.word) {
		return
	}
	if i > 0 {
		before = tokens[i-1]
	}
	if i+1 < len(tokens) {
		after = tokens[i+1]
	}
	switch {
	case after.text == "(", after.text == ".", before.text == ":", before.word == "AS", before.word == "OVER":
	case t.text == "true", t.text == "false", strings.HasPrefix(after.text, "'"): // interval '1 day'
	case before.word == "FROM", before.word == "JOIN":
		t.table = true
	default:
		t.column = true
	}
}

func textOf(sql string, tokens []sqlToken) string {
	return strings.Join(strings.Fields(sql[tokens[0].start:tokens[len(tokens)-1].end]), " ")
}
