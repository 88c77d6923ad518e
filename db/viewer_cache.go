package db

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// maxCachedViewers bounds the memory of a viewerCache: some 500 bytes each.
const maxCachedViewers = 8192

// viewerCache is an LRU cache of the viewers of recently used sessions, keyed by the hash of
// their token. It does not hold the token. It may be out of date, since other processes and
// tables change the sessions: an entry admits nobody before the database has confirmed it (see
// claim). It only saves the round trip of a lookup.
type viewerCache struct {
	mu     sync.Mutex
	size   int
	byHash map[tokenHash]*list.Element
	recent list.List // of *cachedViewer, the most recently used first
}

// tokenHash is the SHA-256 of a token.
type tokenHash [sha256.Size]byte

// cachedViewer is an entry. It is immutable.
type cachedViewer struct {
	Viewer    // without a claim
	goodUntil time.Time
	idle      time.Duration
}

func newViewerCache(size int) *viewerCache {
	return &viewerCache{size: size, byHash: make(map[tokenHash]*list.Element, size)}
}

// get returns the viewer of a token's hash, if it is cached and has not expired.
func (c *viewerCache) get(hash tokenHash, now time.Time) (*cachedViewer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byHash[hash]
	if !ok {
		return nil, false
	}
	cached := e.Value.(*cachedViewer)
	if !now.Before(cached.goodUntil) {
		c.remove(e)
		return nil, false
	}
	c.recent.MoveToFront(e)
	return cached, true
}

// put adds or replaces a viewer. If the cache is full, it removes the least recently used one.
func (c *viewerCache) put(v *cachedViewer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hash := v.authority.tokenHash
	if e, ok := c.byHash[hash]; ok {
		e.Value = v
		c.recent.MoveToFront(e)
		return
	}
	if c.recent.Len() >= c.size {
		c.remove(c.recent.Back())
	}
	c.byHash[hash] = c.recent.PushFront(v)
}

// drop removes the viewer of a token's hash, if it is cached.
func (c *viewerCache) drop(hash tokenHash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byHash[hash]; ok {
		c.remove(e)
	}
}

func (c *viewerCache) remove(e *list.Element) {
	delete(c.byHash, c.recent.Remove(e).(*cachedViewer).authority.tokenHash)
}
