package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"waybill/cmd/waybill/jobs"
	"waybill/cmd/waybill/texts"
	"waybill/cmd/waybill/webhooks"
	"waybill/db"
)

// workerSettings are the number of workers, and the gateway.
type workerSettings struct {
	workers        int32
	gatewayURL     string
	gatewaySecret  string
	gatewayTimeout time.Duration
	allowHTTP      bool
	// webhookPrivate allows webhook endpoints of plain http, and at addresses that are not public.
	webhookPrivate bool
	// logTexts logs the texts if there is no gateway.
	logTexts bool
}

// longestGatewayTimeout leaves a job the time to store the answer.
const longestGatewayTimeout = 15 * time.Second

func (w *workerSettings) register(env *environment, workers int32) {
	env.number(&w.workers, "workers", "WAYBILL_WORKERS", workers,
		"number of text workers; 0 for none in this process")
	env.secret(&w.gatewayURL, "gateway-url", "WAYBILL_GATEWAY_URL", "", "http or https URL of the gateway for texts")
	env.secret(&w.gatewaySecret, "gateway-secret", "WAYBILL_GATEWAY_SECRET", "",
		"secret that signs requests to the gateway: whsec_ and base64 of 24 to 64 bytes; several, separated by "+
			"spaces, sign "+
			"each request")
	env.choice(&w.allowHTTP, "gateway-allow-http", "WAYBILL_GATEWAY_ALLOW_HTTP", false,
		"allow plain http to a gateway on another machine")
	env.duration(&w.gatewayTimeout, "gateway-timeout", "WAYBILL_GATEWAY_TIMEOUT",
		10*time.Second, "timeout of a request to the gateway")
	env.choice(&w.webhookPrivate, "webhook-allow-private", "WAYBILL_WEBHOOK_ALLOW_PRIVATE", w.webhookPrivate,
		"allow webhook endpoints of plain http and at private addresses, which a tenant then reaches: for development")
}

func (w *workerSettings) check() error {
	switch {
	case w.workers < 0 || w.workers > 10_000:
		return errors.New("--workers (WAYBILL_WORKERS) must be between 0 and 10000")
	case w.gatewayTimeout <= 0 || w.gatewayTimeout > longestGatewayTimeout:
		return fmt.Errorf("--gateway-timeout (WAYBILL_GATEWAY_TIMEOUT) must be between 0 and %v", longestGatewayTimeout)
	case w.workers > 0 && w.gatewayURL == "" && !w.logTexts:
		return errors.New("the workers need a gateway: set WAYBILL_GATEWAY_URL and WAYBILL_GATEWAY_SECRET")
	case w.workers > 0 && w.gatewayURL != "":
		_, err := w.gateway()
		return err
	}
	return nil
}

func (w *workerSettings) gateway() (*texts.Gateway, error) {
	return texts.NewGateway(texts.GatewayOptions{URL: w.gatewayURL, Secret: w.gatewaySecret,
		Timeout: w.gatewayTimeout, AllowHTTP: w.allowHTTP})
}

func (w *workerSettings) sender(log *slog.Logger) (texts.Sender, error) {
	if w.gatewayURL == "" {
		return texts.Log{Logger: log}, nil
	}
	return w.gateway()
}

// workerPool is a running set of workers with a connection pool of its own: a backlog of jobs takes no
// connection from the requests.
type workerPool struct {
	*jobs.Workers
	store *db.System
}

// startWorkers starts the workers.
func startWorkers(ctx context.Context, s *settings, log *slog.Logger, m *metrics) (*workerPool, error) {
	sender, err := s.sender(log)
	if err != nil {
		return nil, err
	}
	own := s.store
	own.OnTexts = m.countTexts
	own.MaxConns = min(4+s.workers/4, own.MaxConns)
	own.AcquireTimeout = own.LockTimeout // no client waits for a worker
	store, err := openStore(ctx, own, log)
	if err != nil {
		return nil, err
	}
	working, err := jobs.Start(ctx, jobs.Options{
		Store: store, Sender: sender, Workers: int(s.workers), Log: log, Observe: m.observeJob, SoftStop: s.shutdown,
		Webhooks: webhooks.Options{AllowPrivate: s.webhookPrivate},
	})
	if err != nil {
		store.Close()
		return nil, err
	}
	m.watchGateway(working.GatewayDown)
	return &workerPool{working, store}, nil
}

// stop returns unfinished jobs to their queues.
func (c *workerPool) stop() error {
	if c == nil {
		return nil
	}
	defer c.store.Close()
	if err := c.Stop(); err != nil {
		return fmt.Errorf("the workers did not stop: %w", err)
	}
	return nil
}
