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
	ended := s.end()
	if s.log != nil {
		s.log.Close()
	}
	return errors.Join(ended, s.folder.close())
}

// end stops the server, with increasingly strong signals. Temporary data needs no checkpoint, so it
// starts with SIGQUIT.
func (s *Server) end() error {
	if s.process == nil {
		return nil
	}
	signals := []os.Signal{syscall.SIGINT, syscall.SIGQUIT, os.Kill}
	if !s.folder.kept() {
		signals = signals[1:]
	}
	for _, signal := range signals {
		_ = s.process.cmd.Process.Signal(signal) // fails if it has ended
		select {
		case <-s.process.done:
			return nil
		case <-time.After(10 * time.Second):
		}
	}
	return fmt.Errorf("localpg: PostgreSQL (process %d) does not end", s.process.cmd.Process.Pid)
}

// Keep makes Stop, and later starts, keep a temporary folder. [Server.Control] can restart the server.
func (s *Server) Keep() error {
	return os.WriteFile(s.folder.file("keep"), nil, 0o600)
}
