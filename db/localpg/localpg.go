// Package localpg runs a PostgreSQL server for development and tests: a throwaway one that is deleted
// by Stop, or a persistent one.
//
// It uses an installed PostgreSQL 15 or later, or downloads one. The server never outlives the process
// that started it, even if that is killed. Root may start it too: the server then runs as another user,
// because PostgreSQL refuses to run as root.
//
// Several servers make a cluster: [Server.Standby] adds a standby that streams from a primary,
// [Server.Synchronous] lets commits wait for it, [Server.Promote] makes it the primary. [Server.Kill],
// [Server.Crash] and [Server.Pause] do to a server what happens to real ones.
//
// A new server has three roles, the superuser "postgres", [Owner] and [App], and a database [Database]
// owned by Owner.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// Superuser is the initial superuser.
	Superuser = "postgres"
	// Owner owns the databases and runs migrations: CREATEDB and CREATEROLE, but no superuser.
	Owner = "waybill_owner"
	// App is the role of the application. It has only granted privileges.
	App = "waybill_app"
	// Database is the database that every new server has.
	Database = "waybill"
)

// ErrInUse means that another process, or a running server, uses the folder.
var ErrInUse = errors.New("in use")

// Options configure the server. The zero value is a throwaway server with only a Unix socket.
type Options struct {
	// Dir is the data folder, created if necessary. Empty means a temporary one, removed by Stop; it is
	// in memory where /dev/shm exists, unless TMPDIR or Durable is set.
	Dir string
	// Port is the TCP port on 127.0.0.1; 0 picks a free one. Used only with TCP.
	Port int
	// TCP makes the server listen on 127.0.0.1 as well, with passwords.
	TCP bool
	// Durable keeps PostgreSQL's default durability. Without it a crash of the machine (not of the
	// process) loses the data, and commits are much faster.
	Durable bool
	// Settings are additional lines of postgresql.conf, which override the package's own.
	Settings map[string]string
	// Initdb runs initdb, where the data would be a copy of an archive: the copies share a system
	// identifier.
	Initdb bool
	// Log also receives the server's log, which is always written to the folder too.
	Log io.Writer

	pick func() (int, error) // returns a free port; nil for freePort
}

// Server is a running PostgreSQL. Its methods may be called concurrently.
type Server struct {
	folder    *folder
	account   *account
	programs  programs
	options   Options
	log       *os.File
	port      int               // 0 before the first start
	passwords map[string]string // by role; nil without TCP
	stop      func() error

	process atomic.Pointer[process] // of the last start; nil before the first
}

// Start starts a server and returns when it accepts connections. ctx limits the start, not the lifetime
// of the server. The caller must call Stop.
//
// Without a PostgreSQL it returns an error that says what to install or set; it returns one that
// matches [ErrInUse] if the folder is in use, and one with the end of the server's log if the server
// does not start.
func Start(ctx context.Context, o Options) (*Server, error) {
	return start(ctx, o, newSearch)
}

func start(ctx context.Context, o Options, find func(*account) search) (*Server, error) {
	return open(o, func(s *Server) error { return s.launch(ctx, find(s.account)) })
}

// open returns a server in the options' folder that launch has started.
func open(o Options, launch func(*Server) error) (*Server, error) {
	as, err := serverAccount()
	if err != nil {
		return nil, fmt.Errorf("localpg: %w", err)
	}
	f, err := openFolder(o, as)
	if err != nil {
		return nil, fmt.Errorf("localpg: %w", err)
	}
	o.Settings = maps.Clone(o.Settings)
	s := &Server{folder: f, account: as, options: o}
	s.stop = sync.OnceValue(s.shutdown)
	if err := launch(s); err != nil {
		return nil, fmt.Errorf("localpg: %w", errors.Join(err, s.Stop()))
	}
	return s, nil
}

// launch starts the server of a locked folder, until its roles and databases can be used.
func (s *Server) launch(ctx context.Context, find search) (err error) {
	if err := s.folder.awaitFree(ctx); err != nil {
		return err
	}
	if s.programs, err = find.programs(ctx, s.folder.major()); err != nil {
		return err
	}
	cache := find.cache
	if s.options.Initdb {
		cache = ""
	}
	if err := s.folder.initdb(ctx, s.programs, s.account, cache); err != nil {
		return err
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	return s.setUp(ctx)
}

// listen runs the server, and retries with another port if the free one was taken before the server
// could use it: any outgoing connection may take it.
func (s *Server) listen(ctx context.Context) (err error) {
	for range 5 {
		if err = s.choosePort(); err != nil {
			return err
		}
		err = s.run(ctx)
		if err == nil || s.options.Port != 0 || !strings.Contains(err.Error(), "could not bind") {
			return err
		}
	}
	return err
}

// Done is closed when the server has ended for any reason. After [Server.Restart] it is another channel.
func (s *Server) Done() <-chan struct{} { return s.process.Load().done }

// LogFile returns the path of the server's log since this start.
func (s *Server) LogFile() string { return s.folder.log() }

// Dir returns the folder with the server's data, log and socket.
func (s *Server) Dir() string { return s.folder.path }
