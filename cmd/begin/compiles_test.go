package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"waybill/db/dbtest"
)

// What a noun's recipe writes is Go that compiles with what sqlc makes of its statements, in the repository as it is:
// in db and api, with their tests. testdata has what sqlc makes, as a template.
func TestANounCompiles(t *testing.T) {
	t.Parallel()
	root := copied(t)
	if err := run(root, []string{"noun", "delivery_vans"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	generated, err := os.ReadFile("testdata/noun.sql.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNames(root, "delivery_vans")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := parse("=== create db/<<.Name>>.sql.go\n"+string(generated), n)
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]string{}
	if err := steps[0].apply(root, made); err != nil {
		t.Fatal(err)
	}
	for path, text := range made {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	queriesAre(t, root, n, string(generated))
	dbtest.Thorough(t, "whether what a recipe writes compiles")
	// The files of root take the places of the repository's.
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"db", "api"} {
		paths, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			overlay.Replace[filepath.Join(repository, folder, filepath.Base(path))] = path
		}
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	vet := exec.CommandContext(t.Context(), "go", "vet", "-unusedresult", "-overlay", file, "./db", "./api")
	vet.Dir = repository
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// queriesAre fails the test unless the recipe's statements are those of which sqlc made the template, and the races
// that their comments close are run in the recipe's tests.
func queriesAre(t *testing.T, root string, n names, generated string) {
	t.Helper()
	queries, err := os.ReadFile(filepath.Join(root, "sql/queries", n.Name+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(filepath.Join(root, "db", n.Name+"_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	clobbered, err := os.ReadFile("../../db/accounts_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^-- name: (\w+) (:\w+)$`).FindAllStringSubmatch(string(queries), -1) {
		name := strings.ReplaceAll(strings.ReplaceAll(m[1], n.Types, "<<.Types>>"), n.Type, "<<.Type>>")
		if !strings.Contains(generated, "-- name: "+name+" "+m[2]+"\n") {
			t.Errorf("testdata/noun.sql.go.txt lacks %s, which sqlc would make of the recipe", name)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^-- Closes: (.*)$`).FindAllStringSubmatch(string(queries), -1) {
		if !strings.Contains(string(tests)+string(clobbered), `"`+m[1]+`"`) {
			t.Errorf("no race is called %q, which a comment closes", m[1])
		}
	}
}
