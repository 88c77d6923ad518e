package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"waybill/cmd/waybill/jobs"
	"waybill/cmd/waybill/texts"
	"waybill/db"
)

// workerSettings say how many work the jobs, and where the texts go.
type workerSettings struct {
	workers        int32
	gatewayURL     string
	gatewaySecret  string
	gatewayTimeout time.Duration
	allowHTTP      bool
	// logTexts shows the texts in the log where there is no gateway.
	logTexts bool
}

// longestGatewayTimeout leaves a job the time to write what came of it.
const longestGatewayTimeout = 15 * time.Second

func (w *workerSettings) register(env *environment, workers int32) {
	env.number(&w.workers, "workers", "WAYBILL_WORKERS", workers,
		"how many texts are sent at once; 0 for none by this process")
	env.secret(&w.gatewayURL, "gateway-url", "WAYBILL_GATEWAY_URL", "", "where the texts go: http or https")
	env.secret(&w.gatewaySecret, "gateway-secret", "WAYBILL_GATEWAY_SECRET", "",
		"signs the requests to the gateway: whsec_ and base64 of 24 to 64 bytes; several, with spaces between, sign "+
			"each request")
	env.choice(&w.allowHTTP, "gateway-allow-http", "WAYBILL_GATEWAY_ALLOW_HTTP", false,
		"let texts go by plain http to a gateway on another machine")
	env.duration(&w.gatewayTimeout, "gateway-timeout", "WAYBILL_GATEWAY_TIMEOUT",
		10*time.Second, "how long the gateway may take")
}

func (w *workerSettings) check() error {
	switch {
	case w.workers < 0 || w.workers > 10_000:
		return errors.New("--workers (WAYBILL_WORKERS) is not between 0 and 10000")
	case w.gatewayTimeout <= 0 || w.gatewayTimeout > longestGatewayTimeout:
		return fmt.Errorf("--gateway-timeout (WAYBILL_GATEWAY_TIMEOUT) is not between 0 and %v", longestGatewayTimeout)
	case w.workers > 0 && w.gatewayURL == "" && !w.logTexts:
		return errors.New("workers need a gateway for the texts: set WAYBILL_GATEWAY_URL and WAYBILL_GATEWAY_SECRET")
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

// crew is at work on connections of its own: a backlog of jobs takes none from the
// requests.
type crew struct {
	*jobs.Crew
	store *db.System
}

// startCrew puts the workers to work.
func startCrew(ctx context.Context, s *settings, log *slog.Logger, m *metrics) (*crew, error) {
	sender, err := s.sender(log)
	if err != nil {
		return nil, err
	}
	own := s.store
	own.OnTexts = m.countTexts
	own.MaxConns = min(4+s.workers/4, own.MaxConns)
	own.AcquireTimeout = own.LockTimeout // nobody waits for a worker
	store, err := openStore(ctx, own)
	if err != nil {
		return nil, err
	}
	working, err := jobs.Start(ctx, jobs.Options{
		Store: store, Sender: sender, Workers: int(s.workers), Log: log, Observe: m.observeJob, SoftStop: s.shutdown,
	})
	if err != nil {
		store.Close()
		return nil, err
	}
	m.watchGateway(working.GatewayDown)
	return &crew{working, store}, nil
}

// stop hands back what is not done in time.
func (c *crew) stop() error {
	if c == nil {
		return nil
	}
	defer c.store.Close()
	if err := c.Stop(); err != nil {
		return fmt.Errorf("the workers did not stop: %w", err)
	}
	return nil
}
