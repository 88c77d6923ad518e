//go:build unix

package programs

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A test that is given up ends with what its shell has started, which says here that it was told to.
func TestATestThatIsGivenUpEndsWithWhatItHasStarted(t *testing.T) {
	t.Parallel()
	const script = `sh -c 'trap "touch ended; exit" TERM; touch begun; for i in $(seq 600); do sleep 0.1; done' & wait`
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		await(t, filepath.Join(folder, "begun"))
		cancel()
	}()
	if _, err := try(ctx, folder, []string{"sh", "-c", script}); err == nil {
		t.Error("a test that was given up has passed")
	}
	await(t, filepath.Join(folder, "ended"))
}

func await(t *testing.T, file string) {
	for range 600 {
		if _, err := os.Stat(file); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%s is not there", filepath.Base(file))
}
