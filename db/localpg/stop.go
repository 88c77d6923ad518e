package localpg

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Stop stops the server and removes a temporary folder. Connections are closed. Further calls return
// the result of the first.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) shutdown() error {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGQUIT, os.Kill}
	if !s.folder.kept() { // temporary data needs no checkpoint
		signals = signals[1:]
	}
	ended := s.end(signals...)
	if s.log != nil {
		s.log.Close()
	}
	return errors.Join(ended, s.folder.close())
}

// end stops the server, with increasingly strong signals.
func (s *Server) end(signals ...os.Signal) error {
	p := s.process.Load()
	if p == nil || p.ended() {
		return nil
	}
	_ = s.Resume() // a paused one hears nothing; fails if it has ended
	for _, signal := range signals {
		_ = p.cmd.Process.Signal(signal) // fails if it has ended
		select {
		case <-p.done:
			return nil
		case <-time.After(10 * time.Second):
		}
	}
	return fmt.Errorf("localpg: PostgreSQL (process %d) does not end", p.cmd.Process.Pid)
}

// Keep makes Stop, and later starts, keep a temporary folder. [Server.Control] can restart the server.
func (s *Server) Keep() error {
	return os.WriteFile(s.folder.file("keep"), nil, 0o600)
}
