// Package pgproxy is a proxy between a client and its PostgreSQL server. It counts round trips, delays the
// client's messages, and can hold them back: tests and benchmarks use it to count the round trips of a
// request, and to act in the middle of one.
package pgproxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Proxy forwards connections from a socket of its own. It speaks no TLS.
type Proxy struct {
	// Delay is how much later the server has what the client sends. It is set before the
	// first connection.
	Delay time.Duration

	url        string
	network    string
	address    string
	listener   net.Listener
	dir        string
	roundTrips atomic.Int64
	before     atomic.Pointer[func()]
	cut        atomic.Pointer[cut]
	open       sync.WaitGroup
	mu         sync.Mutex
	conns      map[net.Conn]bool
}

// Start returns a proxy in front of the server of databaseURL.
func Start(databaseURL string) (*Proxy, error) {
	config, err := pgconn.ParseConfig(databaseURL)
	if err != nil {
		return nil, errors.New("is not a PostgreSQL connection string")
	}
	dir, err := os.MkdirTemp("", "pgproxy")
	if err != nil {
		return nil, err
	}
	p := &Proxy{dir: dir, conns: map[net.Conn]bool{}}
	p.network, p.address = pgconn.NetworkAddress(config.Host, config.Port)
	if p.url, err = throughSocket(databaseURL, dir); err == nil {
		p.listener, err = net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	p.open.Go(p.accept)
	return p, nil
}

func throughSocket(databaseURL, dir string) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", errors.New("is not a URL")
	}
	q := u.Query()
	q.Set("host", dir)
	q.Set("port", "5432")
	u.Host, u.RawQuery = "", q.Encode()
	return u.String(), nil
}

// URL is that of the database, through the proxy.
func (p *Proxy) URL() string { return p.url }

// RoundTrips returns how often a client has waited for the server: its Sync messages, and
// its simple queries.
func (p *Proxy) RoundTrips() int64 { return p.roundTrips.Load() }

// Before has a function called before the first message of each round trip is forwarded;
// nil for none. The connection waits until it returns.
func (p *Proxy) Before(call func()) {
	if call == nil {
		p.before.Store(nil)
		return
	}
	p.before.Store(&call)
}

// Cut has an answer of the server's lost, the first one that comes when it is due: the function is called in its place,
// and the connection ends. Answers before it are forwarded, whosever they are, and that to a pool's check of an idle
// connection does not count.
func (p *Proxy) Cut(due func() bool, call func()) { p.cut.Store(&cut{due, call}) }

type cut struct {
	due  func() bool
	call func()
}

// Close ends all connections.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	for c := range p.conns {
		c.Close()
	}
	p.conns = nil
	p.mu.Unlock()
	p.open.Wait()
	return errors.Join(err, os.RemoveAll(p.dir))
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.open.Go(func() { p.forward(client) })
	}
}

// keep has Close close a connection. It returns false if the proxy is closed.
func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		return false
	}
	for _, c := range conns {
		p.conns[c] = true
	}
	return true
}

func (p *Proxy) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial(p.network, p.address)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(client, server) {
		return
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, client)
		delete(p.conns, server)
	}()
	packets := make(chan packet, 1024)
	var done sync.WaitGroup
	done.Go(func() {
		p.answer(client, server)
		client.Close()
	})
	done.Go(func() {
		for packet := range packets {
			time.Sleep(time.Until(packet.due))
			server.Write(packet.bytes) // the client hears of it from the server
		}
		server.Close()
	})
	p.read(bufio.NewReader(client), packets)
	close(packets)
	done.Wait()
}

// answer forwards the server's messages until one of the two disconnects.
func (p *Proxy) answer(client, server net.Conn) {
	buffer := make([]byte, maxPacket)
	for {
		n, err := server.Read(buffer)
		if n > 0 {
			if isPong := buffer[0] == 'I'; !isPong {
				if c := p.cut.Load(); c != nil && c.due() && p.cut.CompareAndSwap(c, nil) {
					c.call()
					return
				}
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// packet is data to be forwarded at a time.
type packet struct {
	bytes []byte
	due   time.Time
}

// maxPacket is about how much is forwarded at once.
const maxPacket = 1 << 16

// read takes the client's messages apart until it goes away.
func (p *Proxy) read(client *bufio.Reader, packets chan<- packet) {
	var out []byte
	kind, under := 0, false // the first message has no type; under is that a round trip has begun
	for {
		next, err := message(client, kind)
		if err != nil {
			return
		}
		if kind == 1 {
			under = p.see(next, under)
		}
		kind, out = 1, append(out, next...)
		if client.Buffered() == 0 || len(out) > maxPacket {
			packets <- packet{out, time.Now().Add(p.Delay)}
			out = nil
		}
	}
}

// see counts a message, and returns whether the round trip goes on. The empty query with which a pool
// checks a connection that was idle for a second is none of its client's.
func (p *Proxy) see(message []byte, under bool) bool {
	kind := message[0]
	switch {
	case kind == 'X', kind == 'p': // Terminate; what a login sends
		return under
	case kind == 'Q' && bytes.Equal(message[5:], []byte("-- ping\x00")):
		return under
	}
	if call := p.before.Load(); call != nil && !under {
		(*call)()
	}
	if kind == 'S' || kind == 'Q' { // Sync; Query
		p.roundTrips.Add(1)
		return false
	}
	return true
}

// message reads a message, whose type has so many bytes before its length.
func message(r io.Reader, kind int) ([]byte, error) {
	head := make([]byte, kind+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint32(head[kind:]))
	if length < 4 {
		return nil, errors.New("a message shorter than its length")
	}
	whole := append(head, make([]byte, length-4)...)
	_, err := io.ReadFull(r, whole[len(head):])
	return whole, err
}
