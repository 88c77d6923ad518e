package db_test

import (
	"context"
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

// mutant is a query with one guard taken out.
type mutant struct {
	query    string // its name
	what     string // was taken out
	from, to string
}

// rewriting sends the mutant in the place of the query.
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

// statements reads the generated queries' texts, by their names.
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

// mutants takes every guard out of every write, and of the reads that are guards
// themselves, one at a time.
func mutants(t testing.TB) (all []*mutant) {
	t.Helper()
	texts := statements(t)
	for _, query := range slices.Sorted(maps.Keys(texts)) {
		sql := texts[query]
		if !writes.MatchString(sql) && !guardingReads[query] {
			continue
		}
		for _, p := range guards(sql) {
			all = append(all, &mutant{query, p.what(sql), sql, sql[:p.start] + p.instead(sql) + sql[p.end:]})
		}
	}
	return all
}

// part is a piece of a statement that can be taken out.
type part struct {
	start, end int
	condition  bool
}

func (p part) what(sql string) string { return oneLine(sql[p.start:p.end]) }

// instead keeps a condition's parameters, whose types PostgreSQL would not know
// otherwise.
func (p part) instead(sql string) string {
	if p.condition {
		return "((" + sql[p.start:p.end] + ") OR true)"
	}
	return ""
}

// keys match which rows are meant, not whether they may be written.
var keys = regexp.MustCompile(`^(\w+\.)?(tenant_id|id|\w+_id|token_hash|name|idempotency_key|key) = [\w.$:]+$|` +
	`^true$|^fold_case\(email\) = |^\(\w+\.tenant_id, \w+\.\w+\) IN `)

func guards(sql string) (parts []part) {
	tokens := tokenize(sql)
	for i, t := range tokens {
		switch {
		case t.word == "ON" && tokens[i-1].word == "DISTINCT":
		case t.word == "WHERE", t.word == "ON" && tokens[i+1].word != "CONFLICT":
			for _, p := range conjuncts(sql, tokens[i+1:], t.depth) {
				if !keys.MatchString(p.what(sql)) {
					parts = append(parts, p)
				}
			}
		case t.word == "ON" && !endsIn(tokens[i:], "NOTHING"): // CONFLICT … DO UPDATE, whose condition is one
		case t.word == "ON": // CONFLICT … DO NOTHING
			parts = append(parts, part{t.start, endOfWord(tokens[i:], "NOTHING"), false})
		case t.word == "ORDER":
			parts = append(parts, part{t.start, clauseEnd(sql, tokens[i+2:], t.depth), false})
		case t.word == "FOR":
			parts = append(parts, part{t.start, clauseEnd(sql, tokens[i+1:], t.depth), false})
		case t.word == "SKIP":
			parts = append(parts, part{t.start, endOfWord(tokens[i:], "LOCKED"), false})
		}
	}
	return parts
}

// endsIn tells whether the clause that tokens begin with, up to its DO, does that.
func endsIn(tokens []sqlToken, word string) bool {
	i := slices.IndexFunc(tokens, func(t sqlToken) bool { return t.word == "DO" })
	return tokens[i+1].word == word
}

func endOfWord(tokens []sqlToken, word string) int {
	i := slices.IndexFunc(tokens, func(t sqlToken) bool { return t.word == word })
	return tokens[i].end
}

// enders begin the clause that follows a condition, an order or a lock.
var enders = map[string]bool{
	"WHERE": true, "ON": true, "JOIN": true, "LEFT": true, "GROUP": true, "ORDER": true, "LIMIT": true,
	"FOR": true, "RETURNING": true, "UNION": true, "WINDOW": true,
}

func ends(t sqlToken, depth int) bool { return t.depth < depth || t.depth == depth && enders[t.word] }

func clauseEnd(sql string, tokens []sqlToken, depth int) int {
	last := len(strings.TrimSpace(sql))
	for i, t := range tokens {
		if ends(t, depth) {
			if i > 0 {
				return tokens[i-1].end
			}
			return t.start
		}
		last = t.end
	}
	return last
}

// conjuncts splits a condition at the ANDs of its own depth.
func conjuncts(sql string, tokens []sqlToken, depth int) (parts []part) {
	begin, between := 0, false
	end := len(tokens)
	for i, t := range tokens {
		if ends(t, depth) {
			end = i
			break
		}
	}
	cut := func(i int) {
		parts = append(parts, part{tokens[begin].start, tokens[i-1].end, true})
		begin = i + 1
	}
	for i, t := range tokens[:end] {
		switch {
		case t.depth != depth:
		case t.word == "BETWEEN":
			between = true
		case t.word == "AND" && between:
			between = false
		case t.word == "AND":
			cut(i)
		}
	}
	cut(end)
	return parts
}

// sqlToken is a word, a string or a sign. What stands in parentheses, or between
// CASE and END, is one deeper; what closes it is not.
type sqlToken struct {
	word       string // in capitals; "" for what is none
	start, end int
	depth      int
}

var lexemes = regexp.MustCompile(`--[^\n]*|'(?:[^']|'')*'|[A-Za-z_]\w*|\S`)

func tokenize(sql string) (tokens []sqlToken) {
	depth := 0
	for _, at := range lexemes.FindAllStringIndex(sql, -1) {
		text := sql[at[0]:at[1]]
		if strings.HasPrefix(text, "--") {
			continue
		}
		t := sqlToken{start: at[0], end: at[1]}
		if text[0] == '_' || text[0] >= 'A' && text[0] <= 'Z' {
			t.word = text // keywords are in capitals, names are not
		}
		if text == ")" || text == "END" {
			depth--
		}
		t.depth = depth
		if text == "(" || text == "CASE" {
			depth++
		}
		tokens = append(tokens, t)
	}
	return tokens
}

var comment = regexp.MustCompile(`--[^\n]*`)

func oneLine(s string) string {
	return strings.Join(strings.Fields(comment.ReplaceAllString(s, "")), " ")
}
