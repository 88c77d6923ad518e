package prove

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is a running program.
type process struct {
	*exec.Cmd
	ended  chan struct{}
	result error // once it has ended
}

// startProcess starts a program that ends with ctx, with additional variables of its environment.
func startProcess(ctx context.Context, env []string, program string, args ...string) (*process, error) {
	p := &process{Cmd: exec.CommandContext(ctx, program, args...), ended: make(chan struct{})}
	p.Env = append(os.Environ(), env...)
	p.Stderr = os.Stderr
	p.Cancel = func() error { return p.Process.Signal(syscall.SIGTERM) }
	p.WaitDelay = 10 * time.Second
	if err := p.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.result = p.Wait()
		close(p.ended)
	}()
	return p, nil
}

// terminate sends SIGTERM, and waits for the end. It returns an error if the program reports one.
func (p *process) terminate(ctx context.Context) error {
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
		if p.result != nil {
			return fmt.Errorf("%s: %w", p.Path, p.result)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the program, whatever becomes of it.
func (p *process) stop() {
	if p != nil {
		p.Process.Signal(syscall.SIGTERM)
		<-p.ended
	}
}

// freeAddresses returns addresses at which nobody listens.
func freeAddresses(n int) (all []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all, nil
}

// eventually waits until what holds.
func eventually(ctx context.Context, within time.Duration, what func() bool) error {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for !what() {
		select {
		case <-limited.Done():
			return errors.Join(ctx.Err(), fmt.Errorf("it did not happen within %v", within))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
