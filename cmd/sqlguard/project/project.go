// Package project loads a sqlc project: the files named by its sqlc.yaml, the statements of its schema,
// and its queries with their annotations.
package project

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"waybill/cmd/sqlguard/sqltext"
)

// Project is the content of one sqlc.yaml.
type Project struct {
	Config    string // the path of the sqlc.yaml
	Databases []*Database
	LeftOut   []string // entries of other engines than PostgreSQL

	root string // file names are relative to this folder
}

// Database is one schema and all queries that the project has for it.
type Database struct {
	Schema  []*Statement
	Queries []*Query
}

// File is a text and the path under which it is reported.
type File struct {
	Path string
	Name string // the path relative to the project's root
	Text string

	lines func() *sqltext.Lines
}

// NewFile returns a file with the given text.
func NewFile(path, text string) *File {
	return &File{path, path, text, sync.OnceValue(func() *sqltext.Lines { return sqltext.NewLines(text) })}
}

// Lines returns the line index of the file.
func (f *File) Lines() *sqltext.Lines { return f.lines() }

// Statement is one statement of the schema.
type Statement struct {
	File   *File
	Offset int // the offset of Text in the file
	Text   string
}

// Query is one annotated query.
type Query struct {
	File     *File
	Name     string // empty without an annotation
	Command  string // ":one", ":many", ":exec" …
	Offset   int    // the offset of Text in the file
	Text     string
	Comments []Comment
}

// Comment is a comment above or inside a query, without its markers.
type Comment struct {
	Offset int // the offset in the file
	Text   string
}

// Place returns the line and column of an offset in the query's text.
func (q *Query) Place(offset int) (line, column int) {
	return q.File.Lines().Position(q.Offset + offset)
}

// Error is a read or parse error with its position.
type Error struct {
	Path    string
	Line    int
	Column  int
	Message string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Message)
}

// Load loads the projects at path: a sqlc.yaml, the folder that contains it, or every sqlc.yaml below
// the folder. With several, file names are relative to that folder, so that they are unique. What could
// be read is returned even when there is an error.
func Load(path string) ([]*Project, error) {
	configs, err := find(path)
	if err != nil {
		return nil, err
	}
	var all []*Project
	var errs []error
	for _, config := range configs {
		root := filepath.Dir(config)
		if len(configs) > 1 {
			root = path
		}
		p, err := load(config, root)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, p)
	}
	return all, errors.Join(errs...)
}

// load loads the project of one sqlc.yaml. File names are relative to root.
func load(config, root string) (*Project, error) {
	entries, err := readConfig(config)
	if err != nil {
		return nil, err
	}
	p := &Project{Config: config, root: root}
	databases := map[string]*Database{}
	for _, e := range entries {
		if e.engine != "postgresql" {
			p.LeftOut = append(p.LeftOut, fmt.Sprintf("%s (engine %s)", strings.Join(e.queries, ", "), e.engine))
			continue
		}
		if err := p.add(databases, e); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// add loads an entry. Entries that share a schema write the same tables and are judged together.
func (p *Project) add(databases map[string]*Database, e entry) error {
	key := strings.Join(e.schema, "\x00")
	d := databases[key]
	if d == nil {
		files, err := p.readFiles(e.schema)
		if err != nil {
			return err
		}
		d = &Database{Schema: schemaStatements(files)}
		databases[key] = d
		p.Databases = append(p.Databases, d)
	}
	files, err := p.readFiles(e.queries)
	if err != nil {
		return err
	}
	before := len(d.Queries)
	for _, f := range files {
		d.Queries = append(d.Queries, Queries(f)...)
	}
	if len(d.Queries) == before { // like sqlc: a wrong path must not pass as a clean project
		return &Error{Path: p.Config, Message: "no queries in " + strings.Join(e.queries, ", ")}
	}
	return nil
}

// Folder returns the folder of the project's sqlc.yaml.
func (p *Project) Folder() string { return filepath.Dir(p.Config) }

// Leave removes the queries of all files that excluded accepts, as if the project did not contain them.
func (p *Project) Leave(excluded func(name string) bool) {
	for _, d := range p.Databases {
		d.Queries = slices.DeleteFunc(d.Queries, func(q *Query) bool { return excluded(q.File.Name) })
	}
}

func schemaStatements(files []*File) []*Statement {
	var all []*Statement
	for _, f := range files {
		all = append(all, Statements(f)...)
	}
	return all
}

// Statements returns the statements of a schema file; of a migration, those of the up part.
func Statements(f *File) []*Statement {
	text := Up(f.Text)
	var all []*Statement
	for _, s := range sqltext.Statements(text) {
		all = append(all, &Statement{f, s.Start, text[s.Start:s.End]})
	}
	return all
}
