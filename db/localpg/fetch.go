package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

const (
	mavenCentral   = "https://repo1.maven.org/maven2"
	fetchedVersion = embeddedpostgres.PostgresVersion("17.5.0")

	reachTimeout = 5 * time.Second // to learn that there is no way to the repository
	fetchTimeout = 3 * time.Minute // for some 30 MB
)

// download fetches a pinned PostgreSQL once, and keeps it in the user's cache folder.
type download struct {
	repository string
	cache      string // the folder to keep it in; empty means the user's
}

// fetch returns the folder of the downloaded programs.
func (d download) fetch(ctx context.Context) (string, error) {
	if d.cache == "" {
		cache, err := cacheDir("")
		if err != nil {
			return "", err
		}
		d.cache = cache
	}
	home := filepath.Join(d.cache, "postgresql-"+string(fetchedVersion))
	if err := os.MkdirAll(d.cache, 0o755); err != nil {
		return "", err
	}
	lock, err := awaitLock(ctx, home+".lock")
	if err != nil {
		return "", err
	}
	defer unlock(lock)
	bin := filepath.Join(home, "bin")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	return bin, d.fetchTo(ctx, home)
}

// awaitLock lets one process at a time download; the others then find it done.
func awaitLock(ctx context.Context, path string) (*os.File, error) {
	for {
		lock, err := lockFile(path)
		if !errors.Is(err, ErrInUse) {
			return lock, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fetchTo unpacks into a folder of its own first: what is in home is whole.
func (d download) fetchTo(ctx context.Context, home string) error {
	if err := d.reachable(ctx); err != nil {
		return err
	}
	parts := home + ".part"
	defer os.RemoveAll(parts)
	if err := os.RemoveAll(parts); err != nil {
		return err
	}
	if err := d.unpack(ctx, parts); err != nil {
		return err
	}
	return os.Rename(filepath.Join(parts, "home"), home)
}

func (d download) reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, d.repository+"/", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// unpack downloads and unpacks. The library has no call that does only this:
// its Start goes on to run initdb, which the unknown locale makes fail at once.
// Its error counts only if the programs are not there.
func (d download) unpack(ctx context.Context, parts string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	server := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(fetchedVersion).BinaryRepositoryURL(d.repository).
		CachePath(parts).BinariesPath(filepath.Join(parts, "home")).RuntimePath(filepath.Join(parts, "run")).
		Locale("fetch-only").Port(uint32(port)).Logger(io.Discard))
	done := make(chan error, 1)
	go func() { done <- server.Start() }()
	select {
	case err = <-done:
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(fetchTimeout):
		return fmt.Errorf("no PostgreSQL from %s within %s", d.repository, fetchTimeout)
	}
	if _, missing := os.Stat(filepath.Join(parts, "home", "bin", "initdb")); missing != nil {
		return err
	}
	return nil
}
