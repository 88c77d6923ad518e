package db

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// maxCachedViewers bounds the memory of a viewerCache: some 500 bytes each.
const maxCachedViewers = 8192

// viewerCache holds the viewers of the sessions that were used last, by the hash of their
// token; the token itself is not kept. What is in it lets nobody in: it spares a request the
// round trip in which its session is looked up, since the first statement that it sends is
// sent behind RequireSessions. So it may be out of date, also by what another process did.
type viewerCache struct {
	mu     sync.Mutex
	size   int
	byHash map[tokenHash]*list.Element
	recent list.List // of *cachedViewer; the one used last is first
}

// tokenHash is what is known of a token.
type tokenHash [sha256.Size]byte

// cachedViewer is an entry. It is never changed.
type cachedViewer struct {
	Viewer    // without a claim
	goodUntil time.Time
	idle      time.Duration
}

func newViewerCache(size int) *viewerCache {
	return &viewerCache{size: size, byHash: make(map[tokenHash]*list.Element, size)}
}

// get returns the viewer of a token's hash, if there is one and it is good still.
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

// put adds or replaces a viewer, in the place of the one that was used longest ago where
// there is no room.
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

// drop removes the viewer of a token's hash, if there is one.
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
