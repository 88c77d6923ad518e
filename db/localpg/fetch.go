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

	reachTimeout = 5 * time.Second // to notice an unreachable repository
	fetchTimeout = 3 * time.Minute // for about 30 MB
)

// download downloads a pinned PostgreSQL once, and keeps it in the user's cache folder.
type download struct {
	repository string
	cache      string // the target folder; empty means the user's cache folder
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

// awaitLock lets only one process download at a time; the others then find the result.
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

// fetchTo unpacks into a temporary folder first, so that home is complete.
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

// unpack downloads and unpacks. The library has no separate call for this: its Start continues with
// initdb, which fails at once because of the unknown locale. Its error counts only if the programs are
// missing.
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
