package dbtest

import (
	"os"
	"path/filepath"
	"testing"

	"waybill/db"
	"waybill/db/localpg"
)

// WithClock returns the URLs of a migrated database on a server of its own, whose clock is ahead of this process's by
// "+1h", or behind it by "-1h". The runtime of Go cannot be given another clock from outside, but PostgreSQL can. It
// skips the test without libfaketime, or fails it in CI.
func WithClock(t *testing.T, ahead string) (ownerURL, appURL string) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if len(found) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("libfaketime is not installed")
		}
		t.Skip("libfaketime is not installed; .ci/run installs it")
	}
	for name, value := range map[string]string{"LD_PRELOAD": found[0], "FAKETIME": ahead,
		"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DISABLE_SHM": "1"} {
		t.Setenv(name, value)
	}
	server, err := localpg.Start(t.Context(), localpg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	ownerURL, appURL = server.URL(localpg.Owner, localpg.Database), server.URL(localpg.App, localpg.Database)
	if err := db.Migrate(t.Context(), ownerURL); err != nil {
		t.Fatal(err)
	}
	return ownerURL, appURL
}
