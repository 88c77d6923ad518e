package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// runWork runs the workers without the API; it serves only metrics.
func runWork(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := newFlags("work", out)
	env := s.registerProcess(flags, "127.0.0.1:9091", 32)
	env.secret(&s.store.URL, "database-url", "DATABASE_URL", "",
		"database URL, as the role waybill_app or a member of it")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := cmp.Or(env.err, s.checkProcess()); err != nil {
		return err
	}
	switch {
	case s.store.URL == "":
		return errors.New("work needs a database: set DATABASE_URL or --database-url")
	case s.workers == 0:
		return errors.New("--workers (WAYBILL_WORKERS) is 0: nothing to do")
	}
	log, metrics := s.logger(), newMetrics()
	working, err := startWorkers(ctx, &s, log, metrics)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	metrics.watch(working.store)
	if s.adminAddr != "" {
		listener, err := net.Listen("tcp", s.adminAddr)
		if err != nil {
			return errors.Join(fmt.Errorf("cannot listen on the admin port: %w", err), working.stop())
		}
		defer listener.Close()
		admin := &http.Server{Handler: metrics.handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout}
		go admin.Serve(listener) // ends when the listener closes
	}
	fmt.Fprintf(out, "working, with %d text workers\n", s.workers)
	<-ctx.Done()
	log.Info("stopping")
	defer log.Info("stopped")
	return working.stop()
}
