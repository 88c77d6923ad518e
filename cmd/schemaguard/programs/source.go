// Package programs runs the programs of the base: its servers while migrations are applied, its race tests on the
// new schema, and its clients on the new server. How, say the settings of the base.
package programs

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"waybill/cmd/schemaguard/settings"
	"waybill/cmd/schemaguard/tree"
)

// Source is the two states of a project: a commit, and the working tree.
type Source struct {
	root, commit string
	Settings     *settings.Settings // of the commit; empty if it has none
}

// Of returns the source with a commit as its base.
func Of(ctx context.Context, s *settings.Settings, commit string) (*Source, error) {
	file, err := relative(s.Root, s.Path)
	if err != nil {
		return nil, err
	}
	base := &Source{s.Root, commit, &settings.Settings{}}
	if !filepath.IsLocal(file) { // not the project's own, so that there was no other
		base.Settings = s
		return base, nil
	}
	files, err := tree.ReadCommit(ctx, s.Root, commit, []string{filepath.ToSlash(file)})
	if err != nil {
		return nil, err
	}
	if text, ok := files[filepath.ToSlash(file)]; ok {
		base.Settings, err = s.Earlier(text)
	}
	return base, err
}

func relative(root, path string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	return filepath.Rel(root, path)
}

// base makes a folder with the files of the base, some of which are the head's. remove deletes it.
func (s *Source) base(ctx context.Context, some settings.Run) (folder string, remove func() error, err error) {
	return s.mix(ctx, s.export, s.copy, some)
}

// head makes a folder with the files of the head, some of which are the base's.
func (s *Source) head(ctx context.Context, some settings.Run) (folder string, remove func() error, err error) {
	return s.mix(ctx, s.copy, s.export, some)
}

func (s *Source) export(ctx context.Context, folder string) error {
	return tree.Export(ctx, s.root, s.commit, folder)
}

func (s *Source) copy(ctx context.Context, folder string) error {
	return tree.Copy(ctx, s.root, folder)
}

type writer func(ctx context.Context, folder string) error

func (s *Source) mix(ctx context.Context, most, other writer, some settings.Run) (string, func() error, error) {
	parent, err := os.MkdirTemp("", "schemaguard")
	if err != nil {
		return "", nil, err
	}
	remove := func() error { return os.RemoveAll(parent) }
	folder, taken := filepath.Join(parent, "project"), filepath.Join(parent, "other")
	err = most(ctx, folder)
	if err == nil && len(some.Take) > 0 {
		if err = other(ctx, taken); err == nil {
			err = errors.Join(tree.Replace(folder, taken, some.Take, some.Keep), os.RemoveAll(taken))
		}
	}
	if err != nil {
		return "", nil, errors.Join(err, remove())
	}
	return folder, remove, nil
}
