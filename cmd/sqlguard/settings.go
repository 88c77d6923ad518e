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

// settings are what a project says of itself in its sqlguard.yaml.
type settings struct {
	TenantColumns []string `yaml:"tenant_columns"`
	Viewer        struct {
		Tables     []string `yaml:"tables"`
		Parameters []string `yaml:"parameters"`
	} `yaml:"viewer"`
	Rules map[string]rules.Severity `yaml:"rules"`
}

// readSettings reads the file, or else the sqlguard.yaml in the folder, if any.
func readSettings(path, folder string) (*settings, error) {
	given := path != ""
	if !given {
		path = filepath.Join(folder, "sqlguard.yaml")
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
	for id, severity := range s.Rules {
		switch severity {
		case rules.Off, rules.Note, rules.Warning, rules.Error:
		default:
			return fmt.Errorf("rules: %s: %q is none of off, note, warning and error", id, severity)
		}
		if rules.ByID(id) == nil {
			return fmt.Errorf("rules: there is no rule %s", id)
		}
	}
	if len(s.Viewer.Tables) > 0 && len(s.Viewer.Parameters) == 0 {
		return errors.New("viewer: tables are named, but no parameters that name the viewer")
	}
	return nil
}

func (s *settings) options() *rules.Options {
	return &rules.Options{Tenant: s.TenantColumns, Viewed: s.Viewer.Tables, Viewer: s.Viewer.Parameters, Severities: s.Rules}
}
