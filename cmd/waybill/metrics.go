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

// metrics are pulled from the admin port: whoever collects them can fail without
// the server noticing.
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
			Help:    "How long requests took, by operation and status; without event streams.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}, []string{"operation", "status"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_refusals_total", Help: "Requests refused, by operation and code.",
		}, []string{"operation", "code"}),
		texts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_texts_owed_total",
			Help: "Texts that transitions owed, by whether the tenant's flag pickup_texts let them through.",
		}, []string{"pickup_texts"}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waybill_job_runs_total", Help: "Runs of jobs: done, again (put off: a retry), failed (for good).",
		}, []string{"kind", "outcome"}),
	}
	for _, flag := range []string{"on", "off"} { // there from the first, for rates
		m.texts.WithLabelValues(flag)
	}
	m.register(
		m.requests, m.refusals, m.texts, m.runs,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		// With the scheduler's latency: how long a goroutine that could run had to wait.
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(
			collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/sched/latencies:seconds`)})),
	)
	return m
}

func (m *metrics) register(all ...prometheus.Collector) {
	labels := prometheus.Labels{"service": "waybill", "release": api.Version, "host": hostname()}
	prometheus.WrapRegistererWith(labels, m.registry).MustRegister(all...)
}

// watch reads the store's connections, and the queues, whenever it is asked.
func (m *metrics) watch(store *db.System) {
	m.register(
		pool("acquired", "Connections in use.", func() float64 { return float64(store.Stat().AcquiredConns()) }),
		pool("idle", "Connections idle.", func() float64 { return float64(store.Stat().IdleConns()) }),
		pool("max", "Connections at most.", func() float64 { return float64(store.Stat().MaxConns()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "waybill_pool_waited_total",
			Help: "Acquires that had to wait."},
			func() float64 { return float64(store.Stat().EmptyAcquireCount()) }),
		newQueueCollector(store),
		sharing{store.Stats},
	)
}

// watchStreams reads the event streams of the process, whenever it is asked.
func (m *metrics) watchStreams(open func() int, lag func() time.Duration) {
	m.register(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "waybill_event_streams", Help: "Event streams open."},
			func() float64 { return float64(open()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "waybill_event_stream_lag_seconds",
			Help: "How long ago all events could be told that were committed by then: how late the latest may come. " +
				"0 while no stream is open.",
		}, func() float64 { return lag().Seconds() }),
	)
}

func pool(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "waybill_pool_" + name, Help: help}, read)
}

// sharing tells how concurrent requests share statements, by kind.
type sharing struct{ stats func() map[string]batch.Stats }

var (
	flushRequests = prometheus.NewDesc("waybill_flush_requests",
		"Requests in a statement that they share: how many such statements, and requests in all.",
		[]string{"kind"}, nil)
	flushWaiting = prometheus.NewDesc("waybill_flush_waiting",
		"Requests that wait for the next statement.", []string{"kind"}, nil)
	flushRefused = prometheus.NewDesc("waybill_flush_refused_total",
		"Requests refused because too many wait.", []string{"kind"}, nil)
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

// streaming is the operation that takes as long as its client stays: no latency.
const streaming = "stream-pickups"

func (m *metrics) observe(operation string, status int, code string, took time.Duration) {
	if operation != streaming {
		m.requests.WithLabelValues(operation, strconv.Itoa(status)).Observe(took.Seconds())
	}
	if code != "" {
		m.refusals.WithLabelValues(operation, code).Inc()
	}
}

// handler serves the metrics and the profiles. Of package pprof's pages the command line is
// left out: a flag may hold the database's password, or the gateway's secret.
func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
