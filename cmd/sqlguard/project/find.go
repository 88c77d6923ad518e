package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// configNames are the file names that sqlc looks for in a folder, in its order.
var configNames = []string{"sqlc.yaml", "sqlc.yml", "sqlc.json"}

// find returns the configuration files for a path: the file itself, the one in the folder, or all in
// the folders below it.
func find(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	if config, err := configIn(path); config != "" || err != nil {
		return []string{config}, err
	}
	configs, err := below(path)
	if err == nil && len(configs) == 0 {
		err = &Error{Path: path, Message: "no sqlc.yaml, sqlc.yml or sqlc.json here or below"}
	}
	return configs, err
}

// configIn returns the configuration file of a folder, or "".
func configIn(folder string) (string, error) {
	for _, name := range configNames {
		config := filepath.Join(folder, name)
		if _, err := os.Stat(config); !errors.Is(err, fs.ErrNotExist) {
			return config, err
		}
	}
	return "", nil
}

// notLookedInto are folders with third-party code or test data.
var notLookedInto = []string{"node_modules", "vendor", "testdata"}

// below returns the configuration files in all subfolders.
func below(folder string) ([]string, error) {
	var configs []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path != folder && errors.Is(err, fs.ErrPermission):
			return fs.SkipDir
		case err != nil || !d.IsDir() || path == folder:
			return err
		case strings.HasPrefix(d.Name(), ".") || slices.Contains(notLookedInto, d.Name()):
			return fs.SkipDir
		}
		config, err := configIn(path)
		if config != "" && err == nil {
			configs = append(configs, config)
		}
		return err
	})
	return configs, err
}
