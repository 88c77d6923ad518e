package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"waybill/db"
)

// replicaCollector collects who serves the reads that replicas may serve.
type replicaCollector struct{ store *db.System }

var (
	replicaOutcomes = prometheus.NewDesc("waybill_replica_outcomes_total",
		"Reads that a replica might have served, by outcome: replica; the primary, because no replica was usable "+
			"(unavailable), all were behind, failed, or one was ahead of what the primary shows; or refused.",
		[]string{"outcome"}, nil)
	replicaReads = prometheus.NewDesc("waybill_replica_reads_total", "Reads that the replica has answered.",
		[]string{"replica"}, nil)
	replicaUp = prometheus.NewDesc("waybill_replica_up",
		"1 while the replica serves reads; 0 while it is away or follows another history.", []string{"replica"}, nil)
	replicaLag = prometheus.NewDesc("waybill_replica_lag_bytes",
		"Bytes of the WAL that the replica had not replayed, when this process last looked.", []string{"replica"}, nil)
)

// Describe implements prometheus.Collector.
func (c replicaCollector) Describe(to chan<- *prometheus.Desc) {
	to <- replicaOutcomes
	to <- replicaReads
	to <- replicaUp
	to <- replicaLag
}

// Collect implements prometheus.Collector.
func (c replicaCollector) Collect(to chan<- prometheus.Metric) {
	replicas, outcomes := c.store.Replicas()
	for outcome, n := range outcomes {
		to <- prometheus.MustNewConstMetric(replicaOutcomes, prometheus.CounterValue, float64(n), outcome)
	}
	for _, r := range replicas {
		up := 0.0
		if r.Usable {
			up = 1
		}
		to <- prometheus.MustNewConstMetric(replicaReads, prometheus.CounterValue, float64(r.Reads), r.Name)
		to <- prometheus.MustNewConstMetric(replicaUp, prometheus.GaugeValue, up, r.Name)
		to <- prometheus.MustNewConstMetric(replicaLag, prometheus.GaugeValue, float64(r.Behind), r.Name)
	}
}
