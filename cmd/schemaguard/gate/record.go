package gate

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"

	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/query"
	"waybill/cmd/schemaguard/settings"
	"waybill/cmd/schemaguard/statements"
	"waybill/cmd/schemaguard/tree"
)

var version = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`)

// record writes the statements of the working tree to the folder of releases. A release's file never changes.
func record(s *settings.Settings, name string) error {
	if s.Releases == "" || !version.MatchString(name) {
		return errors.New("a release needs the setting releases, and a version of numbers like 1.2.0")
	}
	files, err := tree.Read(s.Root, s.Paths())
	if err != nil {
		return err
	}
	queries, err := query.Sent(files, s.Generated, s.Queries)
	if err != nil {
		return err
	}
	path := filepath.Join(s.Root, filepath.FromSlash(s.Releases), name+".sql")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	newest := statements.Newest(migration.Read(files, s.Migrations))
	_, err = f.WriteString(statements.Release{Version: name, Newest: newest, Queries: queries}.Text())
	return errors.Join(err, f.Close())
}
