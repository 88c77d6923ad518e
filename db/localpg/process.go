package localpg

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// startTimeout includes crash recovery.
const startTimeout = time.Minute

// process is a running program, watched by a goroutine.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended; err is set by then
	err  error
}

// spawn starts a program that ends with this process.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		release, err := startGuarded(cmd)
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			release()
			close(p.done)
		}
	}()
	return p, <-started
}

// run configures the server, starts it and waits until it accepts connections.
func (s *Server) run(ctx context.Context) error {
	if err := s.configure(); err != nil {
		return err
	}
	if err := s.openLog(); err != nil {
		return err
	}
	cmd := exec.Command(s.programs.path("postgres"), "-D", s.folder.data())
	cmd.Dir, cmd.Env = s.folder.path, environment()
	cmd.Stderr = s.log // a file, not a pipe: the server can write after this process has ended
	if s.options.Log != nil {
		cmd.Stderr = io.MultiWriter(s.log, s.options.Log)
		cmd.WaitDelay = time.Second
	}
	s.account.runs(cmd)
	p, err := spawn(cmd)
	if err != nil {
		return err
	}
	s.process.Store(p)
	return s.awaitReady(ctx, p)
}

func (s *Server) openLog() (err error) {
	if s.log != nil { // of an earlier start
		s.log.Close()
	}
	if s.log, err = os.Create(s.folder.log()); err != nil {
		return err
	}
	return s.account.own(s.log.Name(), 0o600)
}

func (s *Server) awaitReady(ctx context.Context, started *process) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		// A postmaster.pid left by a crash may say ready too, but has another pid.
		if p, ok := s.folder.postmaster(); ok && p.ready && p.pid == started.cmd.Process.Pid {
			return nil
		}
		select {
		case <-time.After(3 * time.Millisecond):
		case <-started.done:
			return fmt.Errorf("PostgreSQL ended at its start: %w\n%s", started.err, s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not get ready: %w\n%s", ctx.Err(), s.logTail())
		}
	}
}

// logTail returns the end of the server's log.
func (s *Server) logTail() string {
	text, err := os.ReadFile(s.folder.log())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
