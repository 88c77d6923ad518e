// Package localpg runs a PostgreSQL of its own, for development and for tests:
// a throwaway one that vanishes at Stop, or a kept one that finds its data again.
//
// It uses an installed PostgreSQL 15 or later, or downloads one. The server
// never outlives the process that started it, not even when that is killed.
// Root may start it too: the server then runs as another user, because
// PostgreSQL refuses to run as root.
//
// A new server has three roles, the superuser "postgres", [Owner] and [App],
// and a database [Database], which Owner owns.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

const (
	// Superuser is the role that PostgreSQL is set up with.
	Superuser = "postgres"
	// Owner owns the databases and runs migrations: CREATEDB, CREATEROLE, no superuser.
	Owner = "waybill_owner"
	// App is the role that the application connects as. It has no rights but those granted.
	App = "waybill_app"
	// Database is the database that every new server has.
	Database = "waybill"
)

// ErrInUse means that another process, or a server that runs already, uses the folder.
var ErrInUse = errors.New("in use")

// Options says what kind of server to start. The zero value is a throwaway
// one, reached through a unix socket only.
type Options struct {
	// Dir is the folder that keeps the data, made if it does not exist.
	// Empty means a temporary one, removed by Stop; where Linux offers
	// /dev/shm, TMPDIR is not set and Durable neither, it is in memory.
	Dir string
	// Port is the TCP port on 127.0.0.1; 0 picks a free one. Used only with TCP.
	Port int
	// TCP makes the server listen on 127.0.0.1 as well, with passwords.
	TCP bool
	// Durable keeps PostgreSQL's default durability. Without it a crash of the
	// machine (not of the process) loses the data, and commits are much faster.
	Durable bool
	// Settings are further lines of postgresql.conf; they win over the package's own.
	Settings map[string]string
	// Log receives the server's log as well; the folder keeps it in any case.
	Log io.Writer

	pick func() (int, error) // a free port; nil: freePort
}

// Server is a running PostgreSQL. Its methods may be called concurrently.
type Server struct {
	folder    *folder
	account   *account
	programs  programs
	process   *process // nil until it was started
	log       *os.File
	port      int
	passwords map[string]string // by role; nil without TCP
	stop      func() error
}

// Start starts a server and returns when it answers. ctx limits the starting,
// not the server's life. The caller must call Stop.
//
// It returns an error that says what to install or to set if there is no
// PostgreSQL, one that matches [ErrInUse] if the folder is taken, and one with
// the end of the server's log if the server does not start.
func Start(ctx context.Context, o Options) (*Server, error) {
	return start(ctx, o, newSearch)
}

func start(ctx context.Context, o Options, find func(*account) search) (*Server, error) {
	as, err := serverAccount()
	if err != nil {
		return nil, fmt.Errorf("localpg: %w", err)
	}
	f, err := openFolder(o, as)
	if err != nil {
		return nil, fmt.Errorf("localpg: %w", err)
	}
	s := &Server{folder: f, account: as}
	s.stop = sync.OnceValue(s.shutdown)
	if err := s.launch(ctx, o, find(as)); err != nil {
		return nil, fmt.Errorf("localpg: %w", errors.Join(err, s.Stop()))
	}
	return s, nil
}

// launch brings the server of a folder, which this process has locked, to the
// point where its roles and databases can be used.
func (s *Server) launch(ctx context.Context, o Options, find search) (err error) {
	if err := s.folder.awaitFree(ctx); err != nil {
		return err
	}
	if s.programs, err = find.programs(ctx, s.folder.major()); err != nil {
		return err
	}
	if err := s.folder.initdb(ctx, s.programs, s.account, find.cache); err != nil {
		return err
	}
	if err := s.listen(ctx, o); err != nil {
		return err
	}
	return s.setUp(ctx)
}

// listen runs the server, and again at another port where somebody took the free one
// before the server could: any connection out of this machine may.
func (s *Server) listen(ctx context.Context, o Options) (err error) {
	for range 5 {
		if err = s.choosePort(o); err != nil {
			return err
		}
		if err = s.folder.configure(s.settings(o), s.account); err != nil {
			return err
		}
		if err = s.run(ctx, o.Log); err == nil || o.Port != 0 || !strings.Contains(err.Error(), "could not bind") {
			return err
		}
	}
	return err
}

// Done is closed when the server has ended, whatever the reason.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// LogFile is the server's log, of this start.
func (s *Server) LogFile() string { return s.folder.log() }

// Dir is the folder that holds the server's data, log and socket.
func (s *Server) Dir() string { return s.folder.path }
