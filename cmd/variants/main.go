// Command variants writes statements that differ from another one in a few marked places, so that sqlc
// generates their code, and sqlguard and the tests check them, like any other:
//
//	go run ./cmd/variants sql/queries
//
// A comment "/* Name: text */" in a query of that folder declares the variant Name: the same
// statement with the text in the comment's place. The variants of all its files are written to
// variants.sql beside them.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "variants:", err)
		os.Exit(1)
	}
}

// output is the file that run writes in the folder of the queries.
const output = "variants.sql"

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: variants folder")
	}
	text, err := variants(os.DirFS(args[0]))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(args[0], output), []byte(text), 0o644)
}

// head is the comment above a variant, which its Go doc shows.
const head = "-- %s is %s with %s.\n-- Written by cmd/variants: edit that statement, not this one.\n"

var (
	query = regexp.MustCompile(`(?s)-- name: (\w+) (:\w+)\n(.*?;)\n`)
	mark  = regexp.MustCompile(`( *)/\* (\w+): (.*?) \*/`)
)

// variants returns the text of the file that has all variants of the folder's queries. It fails for a
// variant that is declared in two queries, and for a mark outside of a query.
func variants(folder fs.FS) (string, error) {
	files, err := fs.Glob(folder, "*.sql")
	if err != nil {
		return "", err
	}
	out, source := &strings.Builder{}, map[string]string{}
	for _, file := range files {
		if file == output {
			continue
		}
		text, err := fs.ReadFile(folder, file)
		if err != nil {
			return "", err
		}
		if mark.Match(query.ReplaceAll(text, nil)) {
			return "", fmt.Errorf("%s: a variant is declared outside of a query", file)
		}
		for _, q := range query.FindAllStringSubmatch(string(text), -1) {
			for _, name := range declared(q[3]) {
				if source[name] != "" {
					return "", fmt.Errorf("%s: %s and %s both declare the variant %s", file, source[name], q[1], name)
				}
				source[name] = q[1]
				fmt.Fprintf(out, head, name, q[1], strings.Join(texts(q[3], name), ", and with "))
				fmt.Fprintf(out, "-- name: %s %s\n%s\n\n", name, q[2], variant(q[3], name))
			}
		}
	}
	return out.String(), nil
}

// declared returns the names of a statement's variants, in the order of their first marks.
func declared(statement string) (names []string) {
	known := map[string]bool{}
	for _, m := range mark.FindAllStringSubmatch(statement, -1) {
		if name := m[2]; !known[name] {
			known[name] = true
			names = append(names, name)
		}
	}
	return names
}

// texts returns the texts that a variant's marks insert into the statement.
func texts(statement, name string) (all []string) {
	for _, m := range mark.FindAllStringSubmatch(statement, -1) {
		if m[2] == name {
			all = append(all, m[3])
		}
	}
	return all
}

// variant returns the statement with the text of one variant's marks in their places; the marks of other
// variants are removed.
func variant(statement, name string) string {
	return mark.ReplaceAllStringFunc(statement, func(found string) string {
		if m := mark.FindStringSubmatch(found); m[2] == name {
			return m[1] + m[3]
		}
		return ""
	})
}
