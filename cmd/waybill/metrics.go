package main

import (
	"net/http"
	"net/http/pprof"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"waybill/api"
	"waybill/db"
	"waybill/db/batch"
)

// metrics are pulled from the admin port, so that a failing collector does not affect the server.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	refusals *prometheus.CounterVec
	texts    *prometheus.CounterVec
	runs     *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "waybill_request_seconds",
			Help:    "Latency of requests, by operation and status; event streams excluded.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}, []string{"operation", "status"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_refusals_total", Help: "Refused requests, by operation and error code.",
		}, []string{"operation", "code"}),
		texts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_texts_owed_total",
			Help: "Texts owed by transitions, by whether the tenant's flag pickup_texts was on.",
		}, []string{"pickup_texts"}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_job_runs_total", Help: "Runs of jobs: done, again (snoozed), failed (permanently).",
		}, []string{"kind", "outcome"}),
	}
	for _, flag := range []string{"on", "off"} { // present from the start, for rates
		m.texts.WithLabelValues(flag)
	}
	m.register(
		m.requests, m.refusals, m.texts, m.runs,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		// Includes the scheduler latency: how long a runnable goroutine waits.
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(
			collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/sched/latencies:seconds`)})),
	)
	return m
}

func (m *metrics) register(all ...prometheus.Collector) {
	labels := prometheus.Labels{"service": "waybill", "release": api.Version, "host": hostname()}
	prometheus.WrapRegistererWith(labels, m.registry).MustRegister(all...)
}

// watch registers collectors for the store's connections and the queues.
func (m *metrics) watch(store *db.System) {
	m.register(
		pool("acquired", "Connections in use.", func() float64 { return float64(store.Stat().AcquiredConns()) }),
		pool("idle", "Connections idle.", func() float64 { return float64(store.Stat().IdleConns()) }),
		pool("max", "Maximum number of connections.", func() float64 { return float64(store.Stat().MaxConns()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "waybill_pool_waited_total",
			Help: "Acquisitions that had to wait."},
			func() float64 { return float64(store.Stat().EmptyAcquireCount()) }),
		newQueueCollector(store),
		sharing{store.Stats},
	)
	if store.HasReplicas() {
		m.register(replicaCollector{store})
	}
}

// watchStreams registers collectors for the process's event streams.
func (m *metrics) watchStreams(open func() int, lag func() time.Duration) {
	m.register(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "waybill_event_streams", Help: "Open event streams."},
			func() float64 { return float64(open()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "waybill_event_stream_lag_seconds",
			Help: "Maximum delay of events: the age of the time up to which all committed events have been sent. " +
				"0 while no stream is open.",
		}, func() float64 { return lag().Seconds() }),
	)
}

func pool(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "waybill_pool_" + name, Help: help}, read)
}

// sharing collects how concurrent requests share statements, by kind.
type sharing struct{ stats func() map[string]batch.Stats }

var (
	flushRequests = prometheus.NewDesc("waybill_flush_requests",
		"Number of requests per shared statement.",
		[]string{"kind"}, nil)
	flushWaiting = prometheus.NewDesc("waybill_flush_waiting",
		"Requests waiting for the next shared statement.", []string{"kind"}, nil)
	flushRefused = prometheus.NewDesc("waybill_flush_refused_total",
		"Requests refused because too many were waiting.", []string{"kind"}, nil)
)

func (s sharing) Describe(to chan<- *prometheus.Desc) {
	to <- flushRequests
	to <- flushWaiting
	to <- flushRefused
}

func (s sharing) Collect(to chan<- prometheus.Metric) {
	for kind, n := range s.stats() {
		to <- prometheus.MustNewConstSummary(flushRequests, uint64(n.Flushes), float64(n.Requests), nil, kind)
		to <- prometheus.MustNewConstMetric(flushWaiting, prometheus.GaugeValue, float64(n.Waiting), kind)
		to <- prometheus.MustNewConstMetric(flushRefused, prometheus.CounterValue, float64(n.Refused), kind)
	}
}

// streaming is the operation whose duration depends on the client: it has no latency metric.
const streaming = "stream-pickups"

func (m *metrics) observe(operation string, status int, code string, took time.Duration) {
	if operation != streaming {
		m.requests.WithLabelValues(operation, strconv.Itoa(status)).Observe(took.Seconds())
	}
	if code != "" {
		m.refusals.WithLabelValues(operation, code).Inc()
	}
}

// handler serves metrics and profiles. It leaves out pprof's cmdline page: a flag may hold the
// database's password, or the gateway's secret.
func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
