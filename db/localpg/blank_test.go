package localpg

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// countingInitdb makes programs whose initdb makes a little, and another each time.
func countingInitdb(t *testing.T) programs {
	t.Helper()
	dir := fakePrograms(t, "17.1")
	const script = `#!/bin/sh
for option; do
	case $option in --pgdata=*) data=${option#--pgdata=} ;; esac
done
umask 077
mkdir -p "$data/base/1" && echo 17 >"$data/PG_VERSION" && : >"$data/postgresql.conf" &&
: >"$data/base/1/empty" && mktemp -u >"$data/base/1/identity"
`
	if err := os.WriteFile(filepath.Join(dir, "initdb"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return programs{dir: dir, version: "17.1", major: 17}
}

// madeBy is a data folder made with this cache, and what is different in each that initdb makes.
func madeBy(t *testing.T, p programs, cache string) (f *folder, identity string) {
	t.Helper()
	as, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	f = &folder{path: keptDir(t)}
	if err := f.prepare(as); err != nil {
		t.Fatal(err)
	}
	if err := f.initdb(t.Context(), p, as, cache); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(f.data(), "base", "1", "identity"))
	if err != nil {
		t.Fatal(err)
	}
	return f, string(text)
}

// ownersAndModes of all that is in a folder.
func ownersAndModes(t *testing.T, dir string) map[string][2]any {
	t.Helper()
	all := map[string][2]any{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		name, outside := filepath.Rel(dir, path)
		all[name] = [2]any{uidOf(info), info.Mode()}
		return errors.Join(err, outside)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestInitdbRunsOnceForAllFolders(t *testing.T) {
	t.Parallel()
	p, cache := countingInitdb(t), filepath.Join(t.TempDir(), "cache")
	first, made := madeBy(t, p, cache)
	second, unpacked := madeBy(t, p, cache)
	if made != unpacked {
		t.Error("initdb ran twice")
	}
	want, got := ownersAndModes(t, first.data()), ownersAndModes(t, second.data())
	if len(got) != len(want) || len(want) != 7 {
		t.Errorf("%d files and folders, want %d", len(got), len(want))
	}
	for name, is := range want {
		if got[name] != is {
			t.Errorf("%s has owner and mode %v, want %v", name, got[name], is)
		}
	}
	p.version = "17.2"
	if _, made := madeBy(t, p, cache); made == unpacked {
		t.Error("another version's was taken")
	}
}

func TestABlankThatCannotBeReadIsMadeAnew(t *testing.T) {
	t.Parallel()
	p, cache := countingInitdb(t), t.TempDir()
	_, first := madeBy(t, p, cache)
	if err := os.Truncate(blankOf(p, cache).path, 2000); err != nil {
		t.Fatal(err)
	}
	_, second := madeBy(t, p, cache)
	_, third := madeBy(t, p, cache)
	if second == first || second == "" {
		t.Errorf("of half a file came %q", second)
	}
	if third != second {
		t.Error("it was not made anew")
	}
}

func TestWithoutACacheFolderInitdbDoesAsWell(t *testing.T) {
	t.Parallel()
	p, file := countingInitdb(t), filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cache := range []string{"", filepath.Join(file, "cache")} {
		_, first := madeBy(t, p, cache)
		if _, second := madeBy(t, p, cache); first == second {
			t.Errorf("with %q initdb ran once", cache)
		}
	}
}
