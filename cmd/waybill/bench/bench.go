// Package bench measures. Each benchmark is a file, which registers it in [All]; what
// they share is here: a database and a server that are stopped afterwards (env.go,
// server.go), a tenant to fill (tenant.go), a fixed rate of requests (rate.go), and
// latencies (latency.go).
package bench

import "context"

// Benchmark is one of them.
type Benchmark struct {
	Name    string
	Summary string // one line, for the help
	// Run adds its flags to env.Flags, calls env.Parse with args, measures, and calls
	// env.Report. It need not stop what env started.
	Run func(ctx context.Context, env *Env, args []string) error
}

// All lists the benchmarks, in the order of the help.
func All() []Benchmark {
	return []Benchmark{
		{"jobs", "how fast jobs are enqueued and worked, and how soon they start; beside River's own client",
			benchJobs},
		{"jobs-soak", "texts at a steady rate with spikes: what waits, how long, and what piles up", benchJobsSoak},
		{"http", "requests a second of the whole server, beside pgbench with the same statements one by one", httpWork},
		{"login-storm", "latency of a cheap request, alone and beside a storm of logins", loginStorm},
		{"crowd", "one caller crowds in six ways, and another tenant is measured beside: refusals, latency, lateness " +
			"of events", benchCrowd},
		{"ranges", "reads of a day's appointments, early, in the middle and late in millions", ranges},
		{"scale", "what each operation costs each role on 10,000 pickups, a million, ten million: latency, pages, ratios", benchScale},
		{"sync", "feeds of 10,000 records, beside a loop of upserts", syncFeeds},
	}
}
