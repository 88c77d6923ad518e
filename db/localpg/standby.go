package localpg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// replicationTimeout limits each wait for another server.
const replicationTimeout = time.Minute

// Standby starts a throwaway server that streams from this one under the given name, made by
// pg_basebackup, with this one's options and settings. It serves reads, and is asynchronous until
// [Server.Synchronous] names it. The caller must call its Stop.
//
// Without [Options.Durable], PostgreSQL's synchronous_commit is off, and no commit waits for anybody:
// clusters set it to on.
func (s *Server) Standby(ctx context.Context, name string) (*Server, error) {
	o := s.options
	o.Dir, o.Port = "", 0
	return open(o, func(standby *Server) error { return standby.copyAndRun(ctx, s, name) })
}

// Rejoin makes this server a standby of another one: its own data is replaced by a copy. It is how a
// former primary returns, whether it still runs or not.
func (s *Server) Rejoin(ctx context.Context, primary *Server, name string) error {
	if err := s.Crash(); err != nil {
		return err
	}
	if err := os.RemoveAll(s.folder.data()); err != nil {
		return err
	}
	if err := s.copyAndRun(ctx, primary, name); err != nil {
		return fmt.Errorf("localpg: %w", err)
	}
	return nil
}

// copyAndRun starts the server of an empty folder as a standby, on its former port if it had one.
func (s *Server) copyAndRun(ctx context.Context, primary *Server, name string) error {
	// A standby that was down for a while finds what it missed.
	if err := primary.Set(ctx, map[string]string{"wal_keep_size": "512MB"}); err != nil {
		return err
	}
	conninfo := fmt.Sprintf("host='%s' port=%d user=%s application_name='%s'",
		primary.folder.socket, primary.port, Superuser, name)
	s.programs, s.passwords = primary.programs, maps.Clone(primary.passwords)
	if err := s.baseBackup(ctx, conninfo); err != nil {
		return err
	}
	if s.options.Settings == nil {
		s.options.Settings = map[string]string{}
	}
	s.options.Settings["primary_conninfo"] = conninfo
	delete(s.options.Settings, "synchronous_standby_names")
	if s.port != 0 {
		return s.run(ctx)
	}
	return s.listen(ctx)
}

// baseBackup copies a primary's data, for a standby.
func (s *Server) baseBackup(ctx context.Context, conninfo string) error {
	program := s.programs.path("pg_basebackup")
	if _, err := os.Stat(program); err != nil { // the server's programs may be links in a folder of their own
		if program, err = FindProgram("pg_basebackup"); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, program, "--dbname="+conninfo,
		"--pgdata="+s.folder.data(), "--checkpoint=fast", "--wal-method=stream", "--no-sync")
	cmd.Dir, cmd.Env = s.folder.path, environment()
	s.account.runs(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	return s.folder.write("standby.signal", "", s.account)
}

// Promote makes a standby a primary of its own, on a new timeline, and returns when it accepts writes.
func (s *Server) Promote(ctx context.Context) error {
	const promote = "SELECT pg_promote(wait => true, wait_seconds => 60)"
	promoted, err := ask[bool](ctx, s, promote)
	if err == nil && !promoted {
		err = errors.New("the standby did not become a primary")
	}
	if err != nil {
		return fmt.Errorf("localpg: %w", err)
	}
	delete(s.options.Settings, "primary_conninfo")
	return nil
}

// Synchronous lets every commit wait until all standbys of these names have it, and returns when they
// stream; without names no commit waits any more. Other rules are set with [Server.Set].
func (s *Server) Synchronous(ctx context.Context, names ...string) error {
	rule := ""
	if len(names) > 0 {
		rule = fmt.Sprintf(`FIRST %d ("%s")`, len(names), strings.Join(names, `", "`))
	}
	if err := s.Set(ctx, map[string]string{"synchronous_standby_names": rule}); err != nil {
		return err
	}
	// The checkpointer tells the others whether commits wait, before it begins with a checkpoint.
	if err := s.execute(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	const streaming = `SELECT count(DISTINCT application_name) FROM pg_stat_replication
		WHERE application_name = ANY($1) AND state = 'streaming' AND sync_state = 'sync'`
	return s.await(ctx, "the standbys stream", func(ctx context.Context) (bool, error) {
		n, err := ask[int](ctx, s, streaming, names)
		return n == len(names), err
	})
}

// AwaitReplay waits until a standby has replayed all that this server has written by now.
func (s *Server) AwaitReplay(ctx context.Context, standby *Server) error {
	written, err := ask[string](ctx, s, "SELECT pg_current_wal_flush_lsn()::text")
	if err != nil {
		return fmt.Errorf("localpg: %w", err)
	}
	return s.await(ctx, "the standby has replayed", func(ctx context.Context) (bool, error) {
		return ask[bool](ctx, standby, "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", written)
	})
}

// Set adds settings, or changes them, and returns when new connections have them. Those that take
// effect at the start only need a [Server.Restart]. On a server that is down they wait for its start.
func (s *Server) Set(ctx context.Context, settings map[string]string) error {
	if s.options.Settings == nil {
		s.options.Settings = map[string]string{}
	}
	maps.Copy(s.options.Settings, settings)
	if s.process.Load() == nil {
		return nil
	}
	p, err := s.running()
	if err != nil {
		return nil
	}
	const loaded = "SELECT pg_conf_load_time()::text"
	before, err := ask[string](ctx, s, loaded)
	if err := errors.Join(err, s.configure()); err != nil {
		return fmt.Errorf("localpg: %w", err)
	}
	if err := p.cmd.Process.Signal(reload); err != nil {
		return fmt.Errorf("localpg: %w", err)
	}
	return s.await(ctx, "the settings are loaded", func(ctx context.Context) (bool, error) {
		now, err := ask[string](ctx, s, loaded)
		return now != before, err
	})
}

func (s *Server) await(ctx context.Context, what string, holds func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, replicationTimeout)
	defer cancel()
	for {
		ok, err := holds(ctx)
		if err != nil {
			return fmt.Errorf("localpg: until %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("localpg: until %s: %w", what, ctx.Err())
		}
	}
}

// ask runs a query of one value as the superuser, on a connection of its own.
func ask[T any](ctx context.Context, s *Server, sql string, args ...any) (value T, err error) {
	conn, err := pgx.Connect(ctx, s.socketURL(Superuser, "postgres"))
	if err != nil {
		return value, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return value, conn.QueryRow(ctx, sql, args...).Scan(&value)
}

func (s *Server) execute(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.socketURL(Superuser, "postgres"))
	if err != nil {
		return fmt.Errorf("localpg: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("localpg: %w", err)
	}
	return nil
}
