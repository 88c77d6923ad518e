package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"waybill/cmd/sqlguard/rules"
)

var update = flag.Bool("update", false, "write the golden files anew")

// guard runs the command and returns its exit code and its output.
func guard(args ...string) (status int, out, problems string) {
	var o, p bytes.Buffer
	status = run(args, &o, &p)
	return status, o.String(), p.String()
}

func TestWaybillHasNoFindingAndNoWaiver(t *testing.T) {
	t.Parallel()
	status, out, problems := guard("--config", "waybill.yaml", "../..")
	if status != clean || !strings.Contains(out, "no findings") {
		t.Errorf("status %d\n%s%s", status, out, problems)
	}
	queries, err := filepath.Glob("../../sql/queries/*.sql")
	if err != nil || len(queries) == 0 {
		t.Fatal("no queries", err)
	}
	for _, path := range queries {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("@write")) {
			t.Errorf("%s has a waiver", path)
		}
	}
}

func TestKennels(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"text.txt":     {"testdata/kennels"},
		"colour.txt":   {"--color", "always", "testdata/kennels"},
		"json.json":    {"--format", "json", "testdata/kennels"},
		"sarif.json":   {"--format", "sarif", "testdata/kennels/sqlc.yaml"},
		"github.txt":   {"--format", "github", "testdata/kennels"},
		"verdicts.tsv": {"--verdicts", "testdata/kennels"},
	} {
		status, out, problems := guard(args...)
		if want := map[bool]int{true: clean, false: found}[name == "verdicts.tsv"]; status != want || problems != "" {
			t.Errorf("%s: status %d, want %d; %s", name, status, want, problems)
		}
		golden(t, "testdata/golden/"+name, out)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it anew):\n%s", path, got)
	}
}

func TestMachineFormatsAreJSON(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "sarif"} {
		_, out, _ := guard("--format", format, "testdata/kennels")
		if !json.Valid([]byte(out)) {
			t.Errorf("%s is not JSON", format)
		}
	}
}

// write makes a small project of a schema and queries.
func write(t *testing.T, schema, queries string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"sqlc.yaml":   "version: '2'\nsql: [{engine: postgresql, schema: schema.sql, queries: queries.sql}]\n",
		"schema.sql":  schema,
		"queries.sql": queries,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const dogs = "CREATE TABLE dogs (id bigint PRIMARY KEY, name text);\n"

func TestUnparsableQueryIsStatusTwoAndTheRestIsJudged(t *testing.T) {
	t.Parallel()
	dir := write(t, dogs, "-- name: Broken :exec\nUPDATE dogs\nSET WHERE id = @id;\n\n-- name: Rename :exec\n"+
		"UPDATE dogs SET name = @name WHERE id = @id;\n")
	for _, args := range [][]string{{dir}, {"--verdicts", dir}} {
		status, out, problems := guard(args...)
		if status != unreadable || !strings.Contains(problems, "queries.sql:3:5: Broken: syntax error") ||
			!strings.Contains(out, "blind") {
			t.Errorf("%q: status %d\n%s%s", args, status, out, problems)
		}
	}
}

func TestUnparsableSchemaIsStatusTwo(t *testing.T) {
	t.Parallel()
	status, _, problems := guard(write(t, dogs+"CREATE TABEL x ();\n", "-- name: One :one\nSELECT 1;\n"))
	if status != unreadable || !strings.Contains(problems, "schema.sql:2:8:") {
		t.Errorf("status %d\n%s", status, problems)
	}
}

func TestWrongUseIsStatusTwo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"nowhere"}, {"--format", "xml", "testdata/kennels"}, {"--write-baseline", "testdata/kennels"}, {"a", "b"},
		{"--nonsense"}, {"--explain", "no-rule"}, {"--config", "nowhere", "testdata/kennels"},
	} {
		if status, _, problems := guard(args...); status != unreadable || problems == "" {
			t.Errorf("%q: status %d, %q", args, status, problems)
		}
	}
}

func TestNotesAloneDoNotFail(t *testing.T) {
	t.Parallel()
	dir := write(
		t, dogs, "-- name: Many :execrows\nUPDATE dogs SET name = name || '!' WHERE id = ANY (@ids::bigint[]);\n")
	if status, out, _ := guard(dir); status != clean || !strings.Contains(out, "1 note in 1 query") {
		t.Errorf("status %d\n%s", status, out)
	}
}

func TestBaselineHoldsBackWhatWasThere(t *testing.T) {
	t.Parallel()
	rename := "-- name: Rename :execrows\nUPDATE dogs SET name = @name WHERE id = @id;\n"
	dir := write(t, dogs, rename)
	file := filepath.Join(dir, "baseline.tsv")
	if status, out, problems := guard("--baseline", file, "--write-baseline", dir); status != clean {
		t.Fatalf("status %d\n%s%s", status, out, problems)
	}
	if status, out, _ := guard("--baseline", file, dir); status != clean ||
		!strings.Contains(out, "1 more in the baseline") {
		t.Errorf("status %d\n%s", status, out)
	}
	moved := "\n\n" + rename + strings.ReplaceAll(rename, "Rename", "RenameToo")
	if err := os.WriteFile(filepath.Join(dir, "queries.sql"), []byte(moved), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := guard("--baseline", file, dir); status != found ||
		!strings.Contains(out, "1 error in 2 queries") {
		t.Errorf("status %d\n%s", status, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "queries.sql"),
		[]byte("-- name: One :one\nSELECT 1;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, out, _ := guard("--baseline", file, dir); !strings.Contains(out,
		"no longer needed in the baseline: blind-overwrite queries.sql Rename dogs") {
		t.Errorf("got\n%s", out)
	}
}

func TestSettingsChangeSeverities(t *testing.T) {
	t.Parallel()
	dir := write(t, dogs, "-- name: Rename :execrows\nUPDATE dogs SET name = @name WHERE id = @id;\n")
	config := filepath.Join(dir, "sqlguard.yaml")
	for text, want := range map[string]int{
		"rules: {blind-overwrite: off}\n": clean, "rules: {blind-overwrite: note}\n": clean, "": found,
		"rules: {no-rule: off}\n": unreadable, "rules: {blind-overwrite: loud}\n": unreadable,
		"unknown: 1\n":       unreadable,
		"isolation: chaos\n": unreadable, "exclude: ['']\n": unreadable, "paths: [{rules: {all: off}}]\n": unreadable,
		"paths: [{path: x, rules: {no-rule: off}}]\n": unreadable, "rules: {all: note}\n": clean,
	} {
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if status, out, problems := guard(dir); status != want {
			t.Errorf("%q: status %d, want %d\n%s%s", text, status, want, out, problems)
		}
	}
}

func TestFlagsMayFollowThePath(t *testing.T) {
	t.Parallel()
	_, want, _ := guard("--format", "json", "--color=never", "testdata/kennels")
	for _, args := range [][]string{
		{"testdata/kennels", "--format", "json"}, {"--color", "never", "testdata/kennels", "--format=json"},
		{"--format", "json", "--", "testdata/kennels"},
	} {
		if status, out, problems := guard(args...); status != found || out != want {
			t.Errorf("%q: status %d, %s", args, status, problems)
		}
	}
}

func TestVersionIsOneLine(t *testing.T) {
	t.Parallel()
	status, out, _ := guard("testdata/kennels", "--version")
	if status != clean || !strings.HasPrefix(out, "sqlguard ") || strings.Count(out, "\n") != 1 {
		t.Errorf("status %d, %q", status, out)
	}
	for want, info := range map[string]*debug.BuildInfo{
		"v1.2.3":  {Main: debug.Module{Version: "v1.2.3"}},
		"(devel)": {Main: debug.Module{Version: "(devel)"}},
		"0123456789ab with changes": {Main: debug.Module{Version: "(devel)"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"},
				{Key: "vcs.modified", Value: "true"}}},
	} {
		if got := versionOf(info); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

const rename = "-- name: Rename :execrows\nUPDATE dogs SET name = @name WHERE id = @id;\n"

func TestProjectsBelowTheFolderAreJudgedWithItsSettings(t *testing.T) {
	t.Parallel()
	root := filepath.Dir(write(t, dogs, rename))
	if err := os.WriteFile(filepath.Join(root, "sqlguard.yaml"),
		[]byte("rules: {blind-overwrite: note}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, out, problems := guard(root); status != clean || !strings.Contains(out, "1 note in 1 query") {
		t.Errorf("status %d\n%s%s", status, out, problems)
	}
}

// putIn writes a file of the project in dir.
func putIn(t *testing.T, dir, name, text string) {
	t.Helper()
	put(t, filepath.Join(dir, name), text)
}

// The file of fixtures increments the version that the other file's guard checks: without it there is no
// guard.
func TestFilesAreExcludedAndHaveSeveritiesOfTheirOwn(t *testing.T) {
	t.Parallel()
	const fence = "-- name: Rename :execrows\nUPDATE dogs SET name = @name WHERE id = @id AND token = @token;\n"
	dir := write(t, "CREATE TABLE dogs (id bigint PRIMARY KEY, name text, token int);\n", fence)
	putIn(t, dir, "sqlc.yaml", "version: '2'\n"+
		"sql: [{engine: postgresql, schema: schema.sql, queries: [queries.sql, more/fixtures]}]\n")
	putIn(t, dir, "more/fixtures/a.sql", "-- name: SetToken :exec\nUPDATE dogs SET token = @token;\n")
	for text, want := range map[string]string{
		"":                             "1 error in 2 queries", // SetToken
		"exclude: [more/fixtures]":     "1 error in 1 query",   // Rename: nobody moves the token
		"exclude: ['**/*tures/*.sql']": "1 error in 1 query",
		"exclude: ['fixtures']":        "1 error in 2 queries",
		"paths: [{path: more, rules: {all: note}}]":                              "1 note in 2 queries",
		"paths: [{path: ['more/**'], rules: {all: off, unbounded-write: note}}]": "1 note in 2 queries",
		"{rules: {all: note}, paths: [{path: more/*/a.sql, rules: {all: off}}]}": "no findings in 2 queries",
		"{rules: {all: off}, paths: [{path: x.sql, rules: {all: warning}}]}":     "no findings in 2 queries",
	} {
		putIn(t, dir, "sqlguard.yaml", text+"\n")
		if _, out, problems := guard(dir); !strings.Contains(out, want+"\n") {
			t.Errorf("%s\nwant %s\n%s%s", text, want, out, problems)
		}
	}
}

func TestIsolationTellsWhatIsMoot(t *testing.T) {
	t.Parallel()
	dir := write(t, dogs, rename+`-- name: Stale :execrows
UPDATE dogs SET name = 'x' WHERE id IN (SELECT id FROM dogs WHERE name IS NULL LIMIT 1);
-- name: Quiet :exec
UPDATE dogs SET name = @name WHERE id = @id AND name = @old;
`)
	for level, want := range map[string]string{
		"read committed": "2 errors, 1 warning", "repeatable read": "1 error, 1 warning", "serializable": "1 warning",
	} {
		putIn(t, dir, "sqlguard.yaml", "isolation: "+level+"\n")
		if _, out, _ := guard(dir); !strings.Contains(out, want+" in 3 queries") {
			t.Errorf("%s: want %s\n%s", level, want, out)
		}
	}
}

func TestProveShowsTheLostWriteAndWhatClosesIt(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("it starts a PostgreSQL of its own; cmd/sqlguard/prove plays many on one")
	}
	t.Parallel()
	status, out, problems := guard("prove", "ReserveKennel", "testdata/kennels")
	lost, closed := strings.Index(out, "LOST: A's write to reserved_by"), strings.Index(out,
		"Nothing is lost: B does not write the row.")
	if status != found || lost < 0 ||
		closed < strings.Index(out, "with the suggestion: … AND (reserved_by IS NULL OR") {
		t.Errorf("status %d\n%s%s", status, out, problems)
	}
}

func TestProveNeedsAQueryThatWrites(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"prove"}, {"prove", "Nobody", "testdata/kennels"},
		{"prove", "ListKennels", "testdata/kennels"}} {
		if status, _, problems := guard(args...); status != unreadable || problems == "" {
			t.Errorf("%q: status %d, %q", args, status, problems)
		}
	}
}

func TestExplainPrintsThePage(t *testing.T) {
	t.Parallel()
	if status, out, _ := guard("--explain", "stale-test"); status != clean ||
		!strings.HasPrefix(out, "# stale-test\n") {
		t.Errorf("status %d\n%s", status, out)
	}
}

// TestAdoptingIsTrue runs the page's commands, in their order, in a project with many mistakes.
func TestAdoptingIsTrue(t *testing.T) {
	page, err := os.ReadFile("ADOPTING.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/kennels")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	ran := 0
	for line := range strings.Lines(string(page)) {
		args := strings.Fields(line)
		if len(args) > 2 && args[0] == "-" && args[1] == "run:" {
			args = args[2:]
		}
		if len(args) == 0 || args[0] != "sqlguard" || !strings.HasPrefix(line, "    ") {
			continue
		}
		ran++
		want := clean
		if len(args) == 1 {
			want = found // at first
		}
		if status, out, problems := guard(args[1:]...); status != want {
			t.Errorf("%q: status %d, want %d\n%s%s", args, status, want, out, problems)
		}
	}
	if ran < 4 {
		t.Errorf("the page has %d commands", ran)
	}
	_, settings, _ := strings.Cut(string(page), "All of it is optional:\n")
	settings, _, _ = strings.Cut(settings, "\nA single write")
	put(t, filepath.Join(dir, "sqlguard.yaml"), strings.ReplaceAll(settings, "\n    ", "\n"))
	if status, _, problems := guard(); status != found {
		t.Errorf("with the page's settings: status %d\n%s", status, problems)
	}
}

// The page's hook runs for the files that a project's findings depend on, and for no others.
func TestPreCommitHook(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("ADOPTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "`.pre-commit-config.yaml`:\n")
	text, _, _ = strings.Cut(text, "\nor in CI")
	var config struct {
		Repos []struct {
			Repo  string
			Hooks []struct {
				ID, Entry, Language, Files string
				PassFilenames              *bool `yaml:"pass_filenames"`
			}
		}
	}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "\n    ", "\n")),
		&config); err != nil || len(config.Repos) != 1 || len(config.Repos[0].Hooks) != 1 {
		t.Fatalf("%+v, %v", config, err)
	}
	h := config.Repos[0].Hooks[0]
	if config.Repos[0].Repo != "local" || !strings.HasPrefix(h.Entry, "sqlguard ") || h.Language != "system" ||
		h.PassFilenames == nil || *h.PassFilenames {
		t.Errorf("got %+v", h)
	}
	files := regexp.MustCompile(h.Files)
	for name, want := range map[string]bool{"db/q.sql": true, "sqlc.yaml": true, "a/sqlc.json": true,
		"sqlguard.yaml": true, "sqlguard.baseline": true, "main.go": false, "q.sql.go": false} {
		if files.MatchString(name) != want {
			t.Errorf("%s: want %v", name, want)
		}
	}
}

func TestReadmeListsEveryRuleAndVerdict(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules.All {
		if !bytes.Contains(readme, []byte("| `"+r.ID+"` | "+string(r.Severity))) {
			t.Errorf("the README lacks %s (%s)", r.ID, r.Severity)
		}
	}
}
