package project

import (
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"
)

// entry is one database entry of a sqlc.yaml.
type entry struct {
	engine          string
	schema, queries []string
}

// paths is one path or a list of paths.
type paths []string

func (p *paths) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*p = paths{n.Value}
		return nil
	}
	return n.Decode((*[]string)(p))
}

type configEntry struct {
	Engine  string `yaml:"engine"`
	Schema  paths  `yaml:"schema"`
	Queries paths  `yaml:"queries"`
}

// configFile holds the parts of a sqlc.yaml that sqlguard needs, version 1 (packages) or 2 (sql).
type configFile struct {
	Version  string        `yaml:"version"`
	SQL      []configEntry `yaml:"sql"`
	Packages []configEntry `yaml:"packages"`
}

func readConfig(path string) ([]entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var c configFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		return nil, &Error{Path: path, Message: err.Error()}
	}
	var entries []entry
	for i, e := range append(c.SQL, c.Packages...) {
		if len(e.Schema) == 0 || len(e.Queries) == 0 {
			return nil, &Error{Path: path, Message: fmt.Sprintf("entry %d names no schema or no queries", i+1)}
		}
		if e.Engine == "" {
			e.Engine = "postgresql"
		}
		entries = append(entries, entry{e.Engine, e.Schema, e.Queries})
	}
	if len(entries) == 0 {
		return nil, &Error{Path: path,
			Message: "describes no database: neither sql (version 2) nor packages (version 1)"}
	}
	return entries, nil
}
