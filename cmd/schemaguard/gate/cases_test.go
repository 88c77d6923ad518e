package gate_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/gate"
	"waybill/cmd/schemaguard/load"
	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/settings"
	"waybill/cmd/schemaguard/statements"
	"waybill/cmd/schemaguard/tree"
	"waybill/db/dbtest"
)

// A case is a change of this repository, in a file of testdata: lines that say what the gate answers, and the
// files that it changes.
//
//	Why this is a mistake.
//	refused: RULE: words of the finding
//	note: RULE: words of the note
//	rows: some                      the change is tried on rows, whatever the rules; many: so many that plans count
//	-- write sql/migrations/NEXT_x.sql --   or append, delete, replace; NEXT is the next number, NEXT2 the one after
//	-- base sql/migrations/NEXT_y.sql --    a file that the base has, too
//
// The body of "replace" has the old text, a line "=>", and the new text.
type testCase struct {
	refused, notes []expected
	rows, many     bool // the change is tried on rows, always; on so many that plans are judged
	edits          []edit
}

type expected struct{ rule, words string }

type edit struct{ verb, path, body string }

func readCase(t *testing.T, path string) (c testCase) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if header, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(line, " --\n") {
			if words := strings.Fields(header); slices.Contains([]string{"write",
				"append", "delete", "replace", "base"},
				words[0]) {
				c.edits = append(c.edits, edit{verb: words[0], path: words[1]})
				continue
			}
		}
		if n := len(c.edits); n > 0 {
			c.edits[n-1].body += line
			continue
		}
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), ": ")
		rule, words, _ := strings.Cut(rest, ": ")
		switch kind {
		case "refused":
			c.refused = append(c.refused, expected{rule, words})
		case "rows":
			c.rows, c.many = true, rest == "many"
		case "note":
			c.notes = append(c.notes, expected{rule, words})
		}
	}
	if len(c.edits) == 0 {
		t.Fatal("the case changes nothing")
	}
	return c
}

// needsSquawk skips a test where squawk is not installed, but in CI; task gate installs it.
func needsSquawk(t *testing.T, s *settings.Settings) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(s.Root, s.Squawk)); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("squawk is not installed: npm --prefix cmd/tools/squawk ci")
	}
}

// api reports whether a case changes the API's document.
func (c testCase) api() bool {
	return slices.ContainsFunc(c.edits, func(e edit) bool { return e.path == document })
}

const document = "api/openapi.yaml"

var oasdiff struct {
	once    sync.Once
	program []byte
	err     error
}

// built returns the command that runs oasdiff as the settings' builds it: go looks at all its sources each time, to see
// whether they have changed.
func built(t *testing.T, s *settings.Settings) []string {
	t.Helper()
	if !slices.Equal(s.Oasdiff[:2], []string{"go", "tool"}) {
		t.Fatalf("oasdiff is run by %v, want go tool", s.Oasdiff)
	}
	oasdiff.once.Do(func() {
		tool := exec.Command("go", slices.Concat([]string{"tool", "-n"}, s.Oasdiff[2:])...)
		tool.Dir = s.Root
		oasdiff.program, oasdiff.err = tool.Output()
	})
	if oasdiff.err != nil {
		t.Fatal(oasdiff.err)
	}
	return []string{strings.TrimSpace(string(oasdiff.program))}
}

// withDocument returns a tree with the document of the cases in place of the project's, and nothing declared.
func withDocument(t *testing.T, base tree.Tree) tree.Tree {
	t.Helper()
	text, err := os.ReadFile("testdata/document.yaml")
	if err != nil {
		t.Fatal(err)
	}
	other := maps.Clone(base)
	other[document] = string(text)
	delete(other, "api/breaks.yaml")
	return other
}

// before returns the base of the case.
func (c testCase) before(base tree.Tree, last int64) tree.Tree {
	base = maps.Clone(base)
	for _, e := range c.edits {
		if e.verb == "base" {
			base[numbers(last).Replace(e.path)] = e.body
		}
	}
	return base
}

func numbers(last int64) *strings.Replacer {
	return strings.NewReplacer("NEXT2", fmt.Sprintf("%05d", last+2), "NEXT3", fmt.Sprintf("%05d", last+3),
		"NEXT", fmt.Sprintf("%05d", last+1))
}

// apply returns the tree after the case's edits.
func (c testCase) apply(t *testing.T, base tree.Tree, last int64) tree.Tree {
	t.Helper()
	head := maps.Clone(base)
	for _, e := range c.edits {
		p := numbers(last).Replace(e.path)
		_, there := head[p]
		if e.verb == "base" {
			continue
		}
		if there != (e.verb != "write") {
			t.Fatalf("%s %s: the file is there: %v", e.verb, p, there)
		}
		switch e.verb {
		case "write":
			head[p] = e.body
		case "append":
			head[p] += e.body
		case "delete":
			delete(head, p)
		case "replace":
			before, after, ok := strings.Cut(e.body, "=>\n")
			if !ok || strings.Count(head[p], before) != 1 {
				t.Fatalf("%s has the text to replace %d times", p, strings.Count(head[p], before))
			}
			head[p] = strings.Replace(head[p], before, after, 1)
		}
	}
	return head
}

// today is the day of the cases: their waivers end after it.
var today = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// repository returns this repository's settings and files.
func repository(t *testing.T) (*settings.Settings, tree.Tree) {
	t.Helper()
	s, err := settings.Read("../waybill.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.LockTimeout = "" // the cases set it themselves
	files, err := tree.Read(s.Root, s.Paths())
	if err != nil {
		t.Fatal(err)
	}
	return s, files
}

// judge runs the gate on each case of a folder.
func judge(t *testing.T, folder string, least int, check func(*testing.T, testCase, gate.Depth, []finding.Finding)) {
	s, base := repository(t)
	old := migration.Read(base, s.Migrations)
	files, err := filepath.Glob("testdata/" + folder + "/*.txt")
	if err != nil || len(files) < least {
		t.Fatalf("%d cases, want %d at least; %v", len(files), least, err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			c, base := readCase(t, path), base
			s := *s
			if !strings.HasPrefix(filepath.Base(path), "compatible_") {
				s.Compatible = "" // most say nothing of older programs
			}
			if strings.HasPrefix(filepath.Base(path), "squawk_") {
				needsSquawk(t, &s)
			}
			if c.api() {
				dbtest.Thorough(t, "oasdiff is built for it")
				s.Oasdiff = built(t, &s)
				base = withDocument(t, base)
			}
			last := old[len(old)-1].Number
			base = c.before(base, last)
			head := c.apply(t, base, last)
			r, err := gate.Judge(t.Context(), change.Of(&s, base, head, today), shared(t), nil, c.measure())
			if err != nil {
				t.Fatal(err)
			}
			check(t, c, c.depth(), r.Findings)
		})
	}
}

func TestPlantedMistakesAreRefused(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "sequential code")
	judge(t, "planted", leastPlanted, func(t *testing.T, c testCase, depth gate.Depth, found []finding.Finding) {
		if len(c.refused) == 0 {
			t.Fatal("the case says no rule")
		}
		compare(t, "refused", down(c.refused, depth), found, false)
		compare(t, "note", down(c.notes, depth), found, true)
	})
}

func TestHarmlessChangesPass(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "sequential code")
	judge(t, "harmless", leastHarmless, func(t *testing.T, c testCase, depth gate.Depth, found []finding.Finding) {
		compare(t, "refused", nil, found, false)
		compare(t, "note", down(c.notes, depth), found, true)
	})
}

// compare checks that each expected finding is there with its words, and that no other rule has found
// anything. Notes may be more than are expected.
func compare(t *testing.T, kind string, want []expected, found []finding.Finding, notes bool) {
	t.Helper()
	for _, w := range want {
		if !slices.ContainsFunc(found, func(f finding.Finding) bool {
			return f.Note == notes && f.Rule == w.rule && strings.Contains(f.Message, w.words) &&
				f.File != "" && f.Line > 0 && (notes || f.Load != "" && f.Safe != "")
		}) {
			t.Errorf("%s: no finding of %s with the words %q", kind, w.rule, w.words)
		}
	}
	for _, f := range found {
		if notes {
			break
		}
		expected := slices.ContainsFunc(want, func(w expected) bool {
			return w.rule == f.Rule || w.rule == statements.Old.Name && f.Rule == load.CallerFails.Name // one fault
		})
		if !f.Note && !expected || t.Failed() {
			t.Errorf("%s:%d %s (note %v): %s", f.File, f.Line, f.Rule, f.Note, f.Message)
		}
	}
}
