package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"waybill/cmd/waybill/jobs"
	"waybill/db"
)

// countTexts counts the texts that transitions owed, and those that the tenants' flags let through.
func (m *metrics) countTexts(owed, enqueued int) {
	m.texts.WithLabelValues("on").Add(float64(enqueued))
	m.texts.WithLabelValues("off").Add(float64(owed - enqueued))
}

func (m *metrics) observeJob(kind string, o jobs.Outcome, _ string) {
	m.runs.WithLabelValues(kind, string(o)).Inc()
}

func (m *metrics) watchGateway(down func() bool) {
	m.register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "waybill_gateway_down", Help: "1 while the gateway's circuit breaker is open in this process.",
	}, func() float64 {
		if down() {
			return 1
		}
		return 0
	}))
}

// queueCollector reads the queues on each scrape. All processes report the same figures: they share the
// database.
type queueCollector struct {
	store       *db.System
	depth, ages *prometheus.Desc
	dead, bytes *prometheus.Desc
	paused      *prometheus.Desc
}

// queueTimeout is shorter than a scrape's timeout. If counting takes longer, the queues' metrics are
// missing: so only so many jobs are counted.
const queueTimeout = 3 * time.Second

func newQueueCollector(store *db.System) queueCollector {
	labels := []string{"queue", "state"}
	return queueCollector{
		store,
		prometheus.NewDesc("waybill_jobs",
			"Unfinished jobs, by queue and state; of each, 100,000 at most are counted.", labels, nil),
		prometheus.NewDesc("waybill_jobs_oldest_seconds", "Age of the oldest unfinished job.", labels, nil),
		prometheus.NewDesc("waybill_jobs_dead_rows", "Dead rows of the jobs table.", nil, nil),
		prometheus.NewDesc("waybill_jobs_table_bytes", "Size of the jobs table including its indexes.", nil, nil),
		prometheus.NewDesc("waybill_jobs_paused", "1 while the queue is paused.",
			[]string{"queue"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (q queueCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- q.depth
	descs <- q.ages
	descs <- q.dead
	descs <- q.bytes
	descs <- q.paused
}

// Collect implements prometheus.Collector.
func (q queueCollector) Collect(collected chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), queueTimeout)
	defer cancel()
	rows, err := q.store.CountJobs(ctx)
	if err != nil {
		return // the other metrics are still reported
	}
	for _, r := range rows {
		collected <- prometheus.MustNewConstMetric(q.depth, prometheus.GaugeValue, float64(r.Jobs), r.Queue, r.State)
		collected <- prometheus.MustNewConstMetric(q.ages, prometheus.GaugeValue, r.OldestSeconds, r.Queue, r.State)
	}
	q.collectPaused(ctx, collected)
	table, err := q.store.GetJobTable(ctx)
	if err != nil {
		return
	}
	if table.DeadRows != nil && table.TableBytes != nil && table.IndexBytes != nil {
		collected <- prometheus.MustNewConstMetric(q.dead, prometheus.GaugeValue, float64(*table.DeadRows))
		collected <- prometheus.MustNewConstMetric(q.bytes, prometheus.GaugeValue,
			float64(*table.TableBytes+*table.IndexBytes))
	}
}

func (q queueCollector) collectPaused(ctx context.Context, collected chan<- prometheus.Metric) {
	rows, err := q.store.ListPausedQueues(ctx)
	if err != nil {
		return
	}
	paused := map[string]float64{jobs.Texts: 0, jobs.Dispatches: 0}
	for _, r := range rows {
		paused[r.Name] = 1
	}
	for queue, value := range paused {
		collected <- prometheus.MustNewConstMetric(q.paused, prometheus.GaugeValue, value, queue)
	}
}
