package bench

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Latencies keeps every sample: percentiles are exact, and a minute at 10,000 per second takes 5 MB.
// The zero value is ready to use; its methods may be called concurrently.
type Latencies struct {
	mu      sync.Mutex
	samples []time.Duration
}

// Record adds a sample.
func (l *Latencies) Record(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, d)
}

// Add adds the samples of another, which must not be in use any more.
func (l *Latencies) Add(other *Latencies) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, other.samples...)
}

// Summary summarizes latencies, in milliseconds.
type Summary struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// Summary returns the summary of the samples so far; all zero without any.
func (l *Latencies) Summary() Summary {
	l.mu.Lock()
	sorted := slices.Sorted(slices.Values(l.samples))
	l.mu.Unlock()
	if len(sorted) == 0 {
		return Summary{}
	}
	return Summary{
		Count: len(sorted), P50: milliseconds(quantile(sorted, 0.50)),
		P99: milliseconds(quantile(sorted, 0.99)), Max: milliseconds(sorted[len(sorted)-1]),
	}
}

// quantile returns the smallest sample that at least the fraction q of the samples do not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[max(0, rank-1)]
}

// milliseconds converts with microsecond precision.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
