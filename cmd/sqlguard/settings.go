package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"waybill/cmd/sqlguard/rules"
)

// settings are a project's settings from its sqlguard.yaml.
type settings struct {
	TenantColumns []string `yaml:"tenant_columns"`
	Viewer        struct {
		Tables     []string `yaml:"tables"`
		Parameters []string `yaml:"parameters"`
	} `yaml:"viewer"`
	Isolation rules.Isolation           `yaml:"isolation"`
	Exclude   []string                  `yaml:"exclude"`
	Rules     map[string]rules.Severity `yaml:"rules"`
	Paths     []pathSettings            `yaml:"paths"`

	excluded patterns
}

// pathSettings override severities for the files that match.
type pathSettings struct {
	Path  oneOrMore                 `yaml:"path"`
	Rules map[string]rules.Severity `yaml:"rules"`
}

// oneOrMore is a string or a list of strings.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}

const settingsName = "sqlguard.yaml"

// readSettings reads the given file, or else the first sqlguard.yaml found in the folders.
func readSettings(path string, folders ...string) (*settings, error) {
	given := path != ""
	for i := 0; !given && i < len(folders); i++ {
		path = filepath.Join(folders[i], settingsName)
		if _, err := os.Stat(path); err == nil {
			break
		}
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !given {
		return &settings{}, nil
	}
	if err != nil {
		return nil, err
	}
	s := &settings{}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(s); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *settings) check() error {
	if err := checkSeverities("rules", s.Rules); err != nil {
		return err
	}
	for _, p := range s.Paths {
		if err := checkSeverities("paths: "+fmt.Sprint([]string(p.Path)), p.Rules); err != nil {
			return err
		}
		if _, err := newPatterns(p.Path); err != nil || len(p.Path) == 0 {
			return errors.Join(errors.New("paths: path must name at least one file or pattern"), err)
		}
	}
	if !s.Isolation.Known() {
		return fmt.Errorf("isolation: %q is none of read committed, repeatable read and serializable", s.Isolation)
	}
	if len(s.Viewer.Tables) > 0 && len(s.Viewer.Parameters) == 0 {
		return errors.New("viewer: tables are listed without parameters")
	}
	var err error
	s.excluded, err = newPatterns(s.Exclude)
	return err
}

// checkSeverities returns an error for an unknown severity or rule.
func checkSeverities(where string, severities map[string]rules.Severity) error {
	for id, severity := range severities {
		switch severity {
		case rules.Off, rules.Note, rules.Warning, rules.Error:
		default:
			return fmt.Errorf("%s: %s: %q is none of off, note, warning and error", where, id, severity)
		}
		if id != rules.EveryRule && rules.ByID(id) == nil {
			return fmt.Errorf("%s: unknown rule %s", where, id)
		}
	}
	return nil
}

func (s *settings) options() *rules.Options {
	o := &rules.Options{Tenant: s.TenantColumns, Viewed: s.Viewer.Tables,
		Viewer: s.Viewer.Parameters, Isolation: s.Isolation}
	o.Severities = append(o.Severities, rules.Severities{Rules: s.Rules})
	for _, p := range s.Paths {
		matches, _ := newPatterns(p.Path) // validated before
		o.Severities = append(o.Severities, rules.Severities{Files: matches.match, Rules: p.Rules})
	}
	return o
}
