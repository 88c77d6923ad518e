package localpg

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// madeIn is a data folder made with this cache.
func madeIn(t *testing.T, cache string) *folder {
	t.Helper()
	as, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	f := &folder{path: keptDir(t)}
	if err := f.prepare(as); err != nil {
		t.Fatal(err)
	}
	p, err := newSearch(as).programs(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.initdb(t.Context(), p, as, cache); err != nil {
		t.Fatal(err)
	}
	return f
}

// identity is the system identifier, different each time that initdb runs.
func identity(t *testing.T, f *folder) []byte {
	t.Helper()
	control, err := os.ReadFile(filepath.Join(f.data(), "global", "pg_control"))
	if err != nil {
		t.Fatal(err)
	}
	return control[:8]
}

func TestInitdbRunsOnceForAllServers(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(t.TempDir(), "cache")
	var identities []string
	for range 2 {
		s, err := start(t.Context(), Options{}, func(as *account) search {
			installed := newSearch(as)
			installed.cache = cache
			return installed
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Stop() })
		identities = append(identities, query(t, s.URL(Superuser, Database), "SELECT system_identifier::text FROM pg_control_system()"))
	}
	if identities[0] != identities[1] {
		t.Errorf("initdb ran for each: %v", identities)
	}
}

func TestABlankThatCannotBeReadIsMadeAnew(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	first := madeIn(t, cache)
	files, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("in the cache: %v, %v", files, err)
	}
	if err := os.Truncate(files[0], 1_000_000); err != nil {
		t.Fatal(err)
	}
	second, third := madeIn(t, cache), madeIn(t, cache)
	if bytes.Equal(identity(t, first), identity(t, second)) {
		t.Error("half a folder was taken")
	}
	if !bytes.Equal(identity(t, second), identity(t, third)) {
		t.Error("it was not made anew")
	}
}

func TestWithoutACacheFolderInitdbDoesAsWell(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cache := range []string{"", filepath.Join(file, "cache")} {
		if f := madeIn(t, cache); f.major() < oldest {
			t.Errorf("with %q the data folder is of version %d", cache, f.major())
		}
	}
}
