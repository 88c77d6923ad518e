package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// server is a "waybill serve" in another process.
type server struct {
	cmd   *exec.Cmd
	out   io.Reader
	ended chan struct{} // closed when it has ended; err is set by then
	err   error
}

// startServer starts the process from a locked thread: Linux signals the child when that thread ends.
func startServer(program, databaseURL string, log *os.File, args []string) (*server, error) {
	args = append([]string{"serve", "--addr", "127.0.0.1:0", "--admin-addr", "", "--drain", "0"}, args...)
	s := &server{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), "DATABASE_URL="+databaseURL)
	s.cmd.Stderr = log
	guard(s.cmd)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = out
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.err = s.cmd.Wait()
			close(s.ended)
		}
	}()
	return s, <-started
}

// ready waits until the server is ready, which "serve" prints in its only line.
func (s *server) ready(ctx context.Context) (url string, err error) {
	lines := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(s.out).ReadString('\n')
		lines <- line
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case line := <-lines:
		if _, err := fmt.Sscanf(line, "serving %s", &url); err != nil {
			return "", errors.New("the server did not start; see its messages above")
		}
		return url[:len(url)-1], nil // a comma follows the URL
	}
}

// stop asks for a graceful shutdown, and kills the process if that takes too long.
func (s *server) stop() error {
	s.cmd.Process.Signal(os.Interrupt) // fails if it has already ended
	select {
	case <-s.ended:
		return s.err
	case <-time.After(20 * time.Second):
		return errors.Join(errors.New("the server does not stop"), s.cmd.Process.Kill())
	}
}

// serveQuietly is Serve with a log that is shown only if the server does not start: the benchmark itself
// reports rejected requests.
func (e *Env) serveQuietly(ctx context.Context, databaseURL string, args ...string) (url string, err error) {
	log, err := os.CreateTemp("", "waybill-bench-")
	if err != nil {
		return "", err
	}
	e.stops = append(e.stops, func() error { return errors.Join(log.Close(), os.Remove(log.Name())) })
	s, err := e.serve(databaseURL, log, append([]string{"--log-level", "error"}, args...))
	if err != nil {
		return "", err
	}
	if url, err = s.ready(ctx); err != nil && ctx.Err() == nil {
		log.Seek(0, io.SeekStart)
		io.Copy(os.Stderr, log)
	}
	return url, err
}
