package localpg

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Stop ends the server and removes a temporary folder. Connections are cut.
// Further calls return what the first did.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) shutdown() error {
	ended := s.end()
	if s.log != nil {
		s.log.Close()
	}
	return errors.Join(ended, s.folder.close())
}

// end asks the server to end, more and more firmly. Data that nobody keeps needs
// no checkpoint, so it begins with SIGQUIT.
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

// Keep makes Stop, and later starts, leave a temporary folder where it is.
// [Server.Control] then brings the server back.
func (s *Server) Keep() error {
	return os.WriteFile(s.folder.file("keep"), nil, 0o600)
}
