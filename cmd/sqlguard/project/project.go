// Package project reads a sqlc project: which files its sqlc.yaml names, the
// statements of its schema and its queries with their annotations.
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

// Project is what one sqlc.yaml describes.
type Project struct {
	Config    string // the path of its sqlc.yaml
	Databases []*Database
	LeftOut   []string // entries that are not PostgreSQL, for people to know

	root string // the folder that files are named from
}

// Database is one schema and all queries that the project has for it.
type Database struct {
	Schema  []*Statement
	Queries []*Query
}

// File is a text and the path to show for it.
type File struct {
	Path string
	Name string // the path from the folder of sqlc.yaml, or of several
	Text string

	lines func() *sqltext.Lines
}

// NewFile is a file that is in memory.
func NewFile(path, text string) *File {
	return &File{path, path, text, sync.OnceValue(func() *sqltext.Lines { return sqltext.NewLines(text) })}
}

// Lines is the file's index of lines.
func (f *File) Lines() *sqltext.Lines { return f.lines() }

// Statement is one statement of the schema.
type Statement struct {
	File   *File
	Offset int // where Text begins in the file
	Text   string
}

// Query is one annotated query.
type Query struct {
	File     *File
	Name     string // "" where the annotation is missing
	Command  string // ":one", ":many", ":exec" …
	Offset   int    // where Text begins in the file
	Text     string
	Comments []Comment
}

// Comment is a comment above or in a query, without its markers.
type Comment struct {
	Offset int // in the file
	Text   string
}

// Place is the line and column of a byte of the query's text.
func (q *Query) Place(offset int) (line, column int) {
	return q.File.Lines().Position(q.Offset + offset)
}

// Error is something that could not be read, and where.
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

// Load reads the projects at path: that of a sqlc.yaml, of the folder that it is in,
// or those of every sqlc.yaml below the folder. Where there are several, files are
// named from that folder, so that no two have one name. What can be read is returned
// also beside an error.
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

// load reads the project of one sqlc.yaml; its files are named from the folder root.
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

// add reads an entry. Entries that share a schema write the same tables: they are
// judged together.
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
	if len(d.Queries) == before { // as sqlc has it: a wrong path must not pass for a clean project
		return &Error{Path: p.Config, Message: "no queries in " + strings.Join(e.queries, ", ")}
	}
	return nil
}

// Folder is the folder of the project's sqlc.yaml.
func (p *Project) Folder() string { return filepath.Dir(p.Config) }

// Leave drops the queries of the files whose names excluded accepts: they are judged
// as if the project did not have them.
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

// Statements are the statements that a file of a schema holds. Of a migration
// that is the part that goes up.
func Statements(f *File) []*Statement {
	text := Up(f.Text)
	var all []*Statement
	for _, s := range sqltext.Statements(text) {
		all = append(all, &Statement{f, s.Start, text[s.Start:s.End]})
	}
	return all
}
