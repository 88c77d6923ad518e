package main

import (
	"bytes"
	"go/format"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// copied returns a copy of the repository's files that recipes read and write.
func copied(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, pattern := range []string{"sql/migrations/*", "sql/queries/*", "db/*.go", "api/*.go", "api/board/src/*.ts"} {
		paths, err := filepath.Glob("../../" + pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range paths {
			copyFile(t, root, path)
		}
	}
	copyFile(t, root, "../../CHANGELOG.md")
	return root
}

// copyFile copies a file, whose path begins with ../../, to the same place below root.
func copyFile(t *testing.T, root, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(root, strings.TrimPrefix(path, "../../"))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Each recipe finds its places in the files as they are, and what it writes is formatted Go.
func TestRecipesFitTheRepository(t *testing.T) {
	t.Parallel()
	root := copied(t)
	for _, args := range [][]string{{"column", "gate_code"}, {"transition", "give_back"}, {"noun", "delivery_vans"}} {
		var out bytes.Buffer
		if err := run(root, args, &out); err != nil {
			t.Fatal(err)
		}
		if args[0] == "noun" && !strings.Contains(out.String(), "create  api/delivery_vans.go") {
			t.Errorf("it says: %s", out.String())
		}
	}
	transition, err := os.ReadFile(newestOf(t, root, "_give_back_pickups.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n-- +waybill compatible_from: 000", "role_sees_event: 000",
		"COMMENT ON TYPE pickup_status: 000"} {
		if !bytes.Contains(transition, []byte(want)) {
			t.Errorf("the transition's migration does not say %q: %s", want, transition)
		}
	}
	texts, err := os.ReadFile(filepath.Join(root, "api/board/src/texts.ts"))
	if err != nil {
		t.Fatal(err)
	}
	// The records of texts.ts that are asked to have every transition.
	records := bytes.Count(texts, []byte("satisfies Record<Transition,")) +
		bytes.Count(texts, []byte("satisfies Record<`${Transition}-"))
	if n := bytes.Count(texts, []byte("\"UNFINISHED(give_back)")); records == 0 || n != records {
		t.Errorf("%d of %d records of texts.ts have the transition", n, records)
	}
	unfinished := 0
	for _, file := range []string{"api/delivery_vans.go", "db/delivery_vans.go", "db/delivery_vans_test.go",
		"api/delivery_vans_test.go", "api/pickup_test.go", "db/constraints.go", "api/transitions.go"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		unfinished += bytes.Count(text, []byte("UNFINISHED"))
		if formatted, err := format.Source(text); err != nil {
			t.Errorf("%s: %v", file, err)
		} else if strings.HasPrefix(string(text), "package") && !bytes.Equal(formatted, text) {
			t.Errorf("%s is not formatted", file)
		}
	}
	if unfinished < 5 {
		t.Errorf("only %d places say what is to be done", unfinished)
	}
	// The migrations follow each other.
	names, err := filepath.Glob(filepath.Join(root, "sql/migrations/*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"_pickups_gate_code.sql", "_give_back_pickups.sql", "_delivery_vans.sql"} {
		if got := names[len(names)-3+i]; !strings.HasSuffix(got, want) {
			t.Errorf("%s is where %s should be", got, want)
		}
	}
}

// newestOf returns the migration whose name ends in suffix.
func newestOf(t *testing.T, root, suffix string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "sql/migrations/*"+suffix))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	return names[0]
}

// What cannot be written as a whole is not begun.
func TestARecipeIsWrittenWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	root := copied(t)
	if err := os.WriteFile(filepath.Join(root, "api/api.go"), []byte("package api\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := run(root, []string{"noun", "vans"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "api/api.go") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "api/vans.go")); err == nil {
		t.Error("a file was written")
	}
	for _, args := range [][]string{nil, {"noun"}, {"verb", "go"}, {"noun", "Vans"}, {"noun", "../vans"},
		{"noun", "groups"}} {
		if err := run(root, args, io.Discard); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}

func TestSingular(t *testing.T) {
	t.Parallel()
	for plural, want := range map[string]string{"vans": "van", "deliveries": "delivery", "boxes": "box",
		"addresses": "address", "gate_code": "gate_code"} {
		if got := singular(plural); got != want {
			t.Errorf("%s: %s", plural, got)
		}
	}
}
