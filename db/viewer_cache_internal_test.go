package db

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/uuid"
)

func cached(n byte, until time.Time) *cachedViewer {
	v := Viewer{UserID: uuid.UUID{n}, authority: authority{kind: ofSession, tokenHash: sha256.Sum256([]byte{n})}}
	return &cachedViewer{v, until, time.Hour}
}

func TestAViewerCacheForgetsWhatWasUsedLongestAgo(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := newViewerCache(3)
	has := func(n byte) bool {
		v, ok := c.get(sha256.Sum256([]byte{n}), now)
		return ok && v.UserID == uuid.UUID{n}
	}
	for n := range byte(3) {
		c.put(cached(n, now.Add(time.Minute)))
	}
	if !has(0) { // 1 is now the one used longest ago
		t.Error("0 is gone")
	}
	c.put(cached(2, now.Add(time.Minute))) // replaces itself
	c.put(cached(3, now.Add(time.Minute)))
	for n, want := range []bool{true, false, true, true} {
		if has(byte(n)) != want {
			t.Errorf("%d is there: %t", n, !want)
		}
	}
	for n := range byte(200) {
		c.put(cached(n, now.Add(time.Minute)))
		if len(c.byHash) > 3 || c.recent.Len() != len(c.byHash) {
			t.Fatalf("%d and %d viewers, of 3 at most", len(c.byHash), c.recent.Len())
		}
	}
}

func TestAViewerCacheForgetsWhatIsOverOrDropped(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := newViewerCache(3)
	c.put(cached(1, now))
	c.put(cached(2, now.Add(1)))
	c.put(cached(3, now.Add(1)))
	c.drop(sha256.Sum256([]byte{3}))
	c.drop(sha256.Sum256([]byte{4}))
	for n, want := range map[byte]bool{1: false, 2: true, 3: false} {
		if _, ok := c.get(sha256.Sum256([]byte{n}), now); ok != want {
			t.Errorf("%d is there: %t", n, ok)
		}
	}
	if len(c.byHash) != 1 || c.recent.Len() != 1 {
		t.Errorf("%d and %d viewers are kept, want 1", len(c.byHash), c.recent.Len())
	}
}
