package faults

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// link is a network between the server and its database: a TCP proxy that is slow, slices what it passes
// on, stops, and breaks connections.
type link struct {
	listener net.Listener
	target   string
	delay    atomic.Int64 // of each chunk, in nanoseconds
	slice    atomic.Int64 // the longest chunk, in bytes; 0 for any
	open     sync.WaitGroup

	mu     sync.Mutex
	conns  map[*net.TCPConn]bool
	frozen chan struct{} // closed when it thaws; nil if it is not frozen
	closed bool
}

// newLink returns a link to a port of this machine.
func newLink(port string) (*link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &link{listener: listener, target: net.JoinHostPort("127.0.0.1", port), conns: map[*net.TCPConn]bool{}}
	l.open.Go(l.accept)
	return l, nil
}

func (l *link) port() string { return strconv.Itoa(l.listener.Addr().(*net.TCPAddr).Port) }

func (l *link) slow(delay time.Duration) { l.delay.Store(int64(delay)) }

func (l *link) sliceTo(bytes int) { l.slice.Store(int64(bytes)) }

func (l *link) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = make(chan struct{})
}

func (l *link) thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.frozen != nil {
		close(l.frozen)
		l.frozen = nil
	}
}

// cut closes all connections, with a reset if so.
func (l *link) cut(reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if reset {
			_ = c.SetLinger(0)
		}
		c.Close()
	}
}

func (l *link) close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	err := l.listener.Close()
	l.thaw()
	l.cut(false)
	l.open.Wait()
	return err
}

func (l *link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.open.Go(func() { l.carry(client.(*net.TCPConn)) })
	}
}

func (l *link) carry(client *net.TCPConn) {
	defer client.Close()
	l.wait()
	c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.target)
	if err != nil {
		return
	}
	server := c.(*net.TCPConn)
	defer server.Close()
	if !l.keep(client, server) {
		return
	}
	defer l.drop(client, server)
	var both sync.WaitGroup
	both.Go(func() { l.pass(client, server) })
	both.Go(func() { l.pass(server, client) })
	both.Wait()
}

func (l *link) keep(conns ...*net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.conns[c] = true
	}
	return !l.closed
}

func (l *link) drop(conns ...*net.TCPConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		delete(l.conns, c)
	}
}

// pass passes on what one side sends, until either ends.
func (l *link) pass(to, from *net.TCPConn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		for chunk := buffer[:n]; len(chunk) > 0; {
			size := len(chunk)
			if most := int(l.slice.Load()); most > 0 {
				size = min(size, 1+rand.IntN(most))
			}
			l.wait()
			time.Sleep(time.Duration(l.delay.Load()))
			if _, err := to.Write(chunk[:size]); err != nil {
				return
			}
			chunk = chunk[size:]
		}
		if err != nil {
			return
		}
	}
}

// wait waits while the link is frozen.
func (l *link) wait() {
	l.mu.Lock()
	frozen := l.frozen
	l.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}
