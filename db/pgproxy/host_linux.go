package pgproxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"syscall"
	"unsafe"

	"github.com/jackc/pgx/v5/pgconn"
)

// Host is an address on the loopback interface that forwards to a PostgreSQL server, and that can vanish
// like a machine without power: its kernel neither answers nor acknowledges anything any more.
type Host struct {
	listener net.Listener
	network  string
	address  string

	mu       sync.Mutex
	sockets  map[syscall.Conn]bool
	vanished bool
	closed   bool
	open     sync.WaitGroup
}

// StartHost returns a host in front of the server of databaseURL.
func StartHost(databaseURL string) (*Host, error) {
	config, err := pgconn.ParseConfig(databaseURL)
	if err != nil {
		return nil, errors.New("is not a PostgreSQL connection string")
	}
	h := &Host{sockets: map[syscall.Conn]bool{}}
	h.network, h.address = pgconn.NetworkAddress(config.Host, config.Port)
	var listen net.ListenConfig
	listen.SetMultipathTCP(false) // its sockets take no filter
	if h.listener, err = listen.Listen(context.Background(), "tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	h.sockets[h.listener.(*net.TCPListener)] = true
	h.open.Go(h.accept)
	return h, nil
}

// Through returns databaseURL with these hosts instead of its own, in this order.
func Through(databaseURL string, hosts ...*Host) string {
	u, err := url.Parse(databaseURL)
	if err != nil {
		panic("a database's URL that is none")
	}
	list := ""
	for _, h := range hosts {
		list += "," + h.listener.Addr().String()
	}
	q := u.Query()
	q.Del("host")
	q.Del("port")
	q.Set("sslmode", "disable")
	u.Host, u.RawQuery = list[1:], q.Encode()
	return u.String()
}

// Vanish lets no packet arrive any more, of open connections and of new ones.
func (h *Host) Vanish() error { return h.set(true) }

// Return undoes Vanish.
func (h *Host) Return() error { return h.set(false) }

func (h *Host) set(vanished bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.vanished = vanished
	var err error
	for s := range h.sockets {
		err = errors.Join(err, filter(s, vanished))
	}
	return err
}

// filter makes the kernel drop what arrives at a socket, before it acknowledges it.
func filter(socket syscall.Conn, drop bool) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	called := raw.Control(func(fd uintptr) {
		if !drop {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_DETACH_FILTER, 0)
			return
		}
		const returnConstant = 0x06 // of how many bytes to keep: none
		program := syscall.SockFprog{Len: 1, Filter: &syscall.SockFilter{Code: returnConstant}}
		_, _, failed := syscall.Syscall6(syscall.SYS_SETSOCKOPT, fd, syscall.SOL_SOCKET, syscall.SO_ATTACH_FILTER,
			uintptr(unsafe.Pointer(&program)), unsafe.Sizeof(program), 0)
		if failed != 0 {
			err = failed
		}
	})
	return errors.Join(called, err)
}

// Close ends all connections.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	err := h.listener.Close()
	for s := range h.sockets {
		s.(io.Closer).Close()
	}
	h.mu.Unlock()
	h.open.Wait()
	return err
}

func (h *Host) accept() {
	for {
		client, err := h.listener.Accept()
		if err != nil {
			return
		}
		h.open.Go(func() { h.forward(client.(*net.TCPConn)) })
	}
}

// keep has Close and Vanish know of a connection. It returns false if the host is closed.
func (h *Host) keep(client *net.TCPConn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.vanished && filter(client, true) != nil {
		return false
	}
	h.sockets[client] = true
	return true
}

func (h *Host) forward(client *net.TCPConn) {
	defer client.Close()
	server, err := net.Dial(h.network, h.address)
	if err != nil {
		return
	}
	defer server.Close()
	if !h.keep(client) {
		return
	}
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.sockets, client)
	}()
	var done sync.WaitGroup
	done.Go(func() {
		io.Copy(client, server)
		client.Close()
	})
	io.Copy(server, client)
	server.Close()
	done.Wait()
}
