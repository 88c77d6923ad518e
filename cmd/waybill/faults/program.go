package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// program is a waybill serve, in a process of its own.
type program struct {
	command []string
	env     []string
	log     io.Writer
	address string
	admin   string    // "" without
	cmd     *exec.Cmd // nil if it does not run
}

func newProgram(o Options, databaseURL string, hasAdmin bool) (p *program, err error) {
	p = &program{log: o.Log}
	if p.address, err = freeAddress(); err != nil {
		return nil, err
	}
	if hasAdmin {
		if p.admin, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	p.command = append(append(p.command, o.Program...), "serve", "--addr", p.address, "--admin-addr", p.admin,
		"--log-level", "error")
	p.env = append([]string{"DATABASE_URL=" + databaseURL, "PATH=" + os.Getenv("PATH")}, o.Env...)
	return p, nil
}

// freeAddress returns an address of this machine whose port is free.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func (p *program) url() string { return "http://" + p.address }

// start starts the server, and returns when it is ready.
func (p *program) start(ctx context.Context) error {
	p.cmd = exec.Command(p.command[0], p.command[1:]...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.env, p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !p.ready(ctx) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waybill serve does not get ready: %w", ctx.Err())
		}
	}
	return nil
}

func (p *program) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url()+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// kill ends the server with SIGKILL.
func (p *program) kill() error {
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = p.cmd.Wait() // killed
	p.cmd = nil
	return nil
}
