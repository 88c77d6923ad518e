package dbtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
)

// ahead is the number of clones that wait in the channel; one more is being made.
const ahead = 2

// stock creates databases before they are requested, and drops used ones, both in the background.
type stock struct {
	cluster *cluster
	fresh   chan clone
	stop    chan struct{}
	made    sync.WaitGroup // the creating goroutine

	dropping sync.Mutex // one at a time: each ends with a checkpoint
	dropped  sync.WaitGroup
}

type clone struct {
	name string
	err  error
}

func newStock(c *cluster) *stock {
	s := &stock{cluster: c, fresh: make(chan clone, ahead), stop: make(chan struct{})}
	s.made.Go(s.make)
	return s
}

// make is the only goroutine of the process that clones: two at once are no faster.
func (s *stock) make() {
	run := strings.ToLower(rand.Text()[:8])
	for n := 1; ; n++ {
		name := fmt.Sprintf("waybill_test_%s_%d", run, n)
		c := clone{name, s.cluster.clone(context.Background(), name, s.cluster.seeded)}
		select {
		case s.fresh <- c:
		case <-s.stop:
			s.discard(c)
			return
		}
	}
}

func (s *stock) take() (name string, err error) {
	c := <-s.fresh
	return c.name, c.err
}

// drop returns at once; close waits for it. Databases that are deleted with their server are not
// dropped.
func (s *stock) drop(name string) {
	s.dropped.Go(func() {
		s.dropping.Lock()
		defer s.dropping.Unlock()
		select {
		case <-s.stop:
			if !s.cluster.lasts() {
				return
			}
		default:
		}
		_, err := s.cluster.admin.Exec(context.Background(), fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name))
		if err != nil {
			fmt.Fprintf(os.Stderr, "dbtest: the database %s stays: %v\n", name, err)
		}
	})
}

// close drops the unused databases.
func (s *stock) close() {
	close(s.stop)
	s.made.Wait()
	close(s.fresh)
	for c := range s.fresh {
		s.discard(c)
	}
	s.dropped.Wait()
}

func (s *stock) discard(c clone) {
	if c.err == nil && s.cluster.lasts() {
		s.drop(c.name)
	}
}
