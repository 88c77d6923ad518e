package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// errDown is returned by what needs a running server.
var errDown = errors.New("localpg: the server is not running")

// Kill ends all processes of the server at once with SIGKILL, as if the machine lost its power, but for
// what the kernel still writes to the disk. It returns when they are gone; [Server.Restart] starts the
// server again.
func (s *Server) Kill() error {
	p, err := s.running()
	if err != nil {
		return err
	}
	// Frozen first: the postmaster starts no more processes, and the others end nothing in between.
	family, err := p.freeze()
	if err != nil {
		return err
	}
	for _, pid := range family {
		kill(pid)
	}
	<-p.done
	return awaitGone(family)
}

// Crash ends the server with an immediate shutdown: its connections break without a checkpoint, and
// the next start recovers. [Server.Restart] starts it again.
func (s *Server) Crash() error { return s.end(syscall.SIGQUIT, os.Kill) }

// Restart starts the server again in the same folder and on the same port, with its last settings. A
// server that still runs is shut down before (fast: open transactions are rolled back).
func (s *Server) Restart(ctx context.Context) error {
	if err := s.end(syscall.SIGINT, syscall.SIGQUIT, os.Kill); err != nil {
		return err
	}
	if err := s.run(ctx); err != nil {
		return fmt.Errorf("localpg: %w", err)
	}
	return nil
}

// Pause freezes all processes of the server with SIGSTOP: connections stay open, and nothing answers,
// until [Server.Resume]. If this process is killed meanwhile, the frozen processes stay.
func (s *Server) Pause() error {
	p, err := s.running()
	if err != nil {
		return err
	}
	_, err = p.freeze()
	return err
}

// Resume lets a paused server go on. It does nothing to one that is not paused.
func (s *Server) Resume() error {
	p, err := s.running()
	if err != nil {
		return err
	}
	return p.thaw()
}

func (s *Server) running() (*process, error) {
	if p := s.process.Load(); p != nil && !p.ended() {
		return p, nil
	}
	return nil, errDown
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// awaitGone waits until no process has one of these pids: as long as one lives, it uses the shared
// memory, and the server cannot start again.
func awaitGone(pids []int) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		for len(pids) > 0 && gone(pids[0]) {
			pids = pids[1:]
		}
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("localpg: process %d does not end", pids[0])
		}
	}
}
