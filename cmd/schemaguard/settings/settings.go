// Package settings reads what a project tells schemaguard about itself.
package settings

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Name is the file that a project's settings are in, unless another is named.
const Name = "schemaguard.yaml"

// Settings are a project's. Paths are relative to Root.
type Settings struct {
	Root       string  `yaml:"root"`       // the project's folder, relative to the settings; default: theirs
	Migrations string  `yaml:"migrations"` // a folder of goose's files
	Queries    Folders `yaml:"queries"`    // folders of sqlc's files
	Backfills  string  `yaml:"backfills"`  // a folder of statements that workers send batch by batch
	Requires   string  `yaml:"requires"`   // in which comment a migration says which of them is done before it
	Generated  Folders `yaml:"generated"`  // the folders that sqlc generates Go to; default: the sources are read
	Releases   string  `yaml:"releases"`   // a folder with the statements of releases, a file each
	Compatible string  `yaml:"compatible"` // in which comment a migration says from which one on programs may serve
	Waivers    string  `yaml:"waivers"`    // a file of waivers for what is merged
	Landed     string  `yaml:"landed"`     // a file with the commit that landed last
	Checksums  bool    `yaml:"checksums"`  // the runner of migrations refuses a merged file of which a byte is changed
	Closed     []int64 `yaml:"closed"`     // numbers of migrations that no file may have any more

	Role          string   `yaml:"role"`           // the role that the queries run as; default: the owner of the schema
	Roles         []string `yaml:"roles"`          // further roles that migrations name
	Setup         []string `yaml:"setup"`          // statements of the superuser before the first migration
	Superuser     bool     `yaml:"superuser"`      // a superuser owns the schema, and runs the migrations
	OldFaults     string   `yaml:"old_faults"`     // "told": what the base has already is no reason to refuse a change
	TenantColumns []string `yaml:"tenant_columns"` // one of them is in every table; default: not asked for
	Private       []string `yaml:"private"`        // tables of the people whose data is protected
	Record        string   `yaml:"record"`         // the table that has who read their data
	Libraries     []string `yaml:"libraries"`      // patterns of tables that libraries bring with them
	LockTimeout   string   `yaml:"lock_timeout"`   // the file by which the runner sets it; default: each migration does
	OwnerQueries  []string `yaml:"owner_queries"`  // statements, or files of them, that the schema's owner sends
	Fill          string   `yaml:"fill"`           // SQL that makes rows: a file, or a folder
	Squawk        string   `yaml:"squawk"`         // the program squawk
	Document      string   `yaml:"document"`       // the API's OpenAPI document
	Breaks        string   `yaml:"breaks"`         // a file of declared breaks of it
	Oasdiff       []string `yaml:"oasdiff"`        // the command that runs oasdiff
	Constraints   string   `yaml:"constraints"`    // a Go file that has the name of every constraint
	// Names that need not be in that file, with {table}, and {column} for one of its columns.
	ConstraintNames []string `yaml:"constraint_names"`

	// Commands that are run for the base, as the base's settings have them.
	Callers []string `yaml:"callers"` // serves a database, and calls it: see package programs
	Replay  Run      `yaml:"replay"`  // the base's race tests, on the head's migrations (take)
	Clients []Run    `yaml:"clients"` // tests of the base's clients (take), on the head's server

	Path string `yaml:"-"` // where they were read
}

// Run is a command in a folder that has the files of one state, and in Take those of the other, without Keep.
type Run struct {
	Take []string `yaml:"take"`
	Keep []string `yaml:"keep"`
	Run  []string `yaml:"run"`
}

// Folders are one folder or several, each of which may be a pattern: internal/*/queries.
type Folders []string

// UnmarshalYAML reads one folder, or a list.
func (f *Folders) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return n.Decode((*[]string)(f))
	}
	if n.Value != "" {
		*f = Folders{n.Value}
	}
	return nil
}

// Read reads settings. A path that names a folder means the file [Name] in it.
func Read(path string) (*Settings, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, Name)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := parse(path, text, true)
	if err != nil {
		return nil, err
	}
	if s.Migrations == "" || len(s.Queries) == 0 {
		return nil, fmt.Errorf("%s: migrations and queries must name a folder", path)
	}
	if s.OldFaults != "" && s.OldFaults != "told" {
		return nil, fmt.Errorf("%s: old_faults is told, or not set", path)
	}
	if s.Document != "" && len(s.Oasdiff) == 0 {
		s.Oasdiff = []string{"oasdiff"}
	}
	if !filepath.IsAbs(s.Root) {
		s.Root = filepath.Join(filepath.Dir(path), s.Root)
	}
	return s, nil
}

// Earlier reads the text that the settings had earlier, with fields that are not known any more.
func (s *Settings) Earlier(text string) (*Settings, error) {
	was, err := parse(s.Path, []byte(text), false)
	if err == nil {
		was.Root = s.Root
	}
	return was, err
}

func parse(path string, text []byte, strict bool) (*Settings, error) {
	s := &Settings{Path: path}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(strict)
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// SentByOwner reports whether the owner of the schema sends a statement, and not the application.
func (s *Settings) SentByOwner(name, file string) bool {
	return slices.Contains(s.OwnerQueries, name) ||
		slices.Contains(s.OwnerQueries, strings.TrimSuffix(filepath.Base(file), ".go"))
}

// Paths returns the files and folders that the gate reads.
func (s *Settings) Paths() (paths []string) {
	for _, p := range []string{s.Migrations, s.Backfills, s.Releases, s.Waivers, s.Constraints, s.Fill,
		s.Document, s.Breaks, s.LockTimeout} {
		if p != "" {
			paths = append(paths, p)
		}
	}
	for _, p := range s.Generated {
		paths = append(paths, p+"/*.sql.go")
	}
	return append(paths, s.Queries...)
}
