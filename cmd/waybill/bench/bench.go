// Package bench has the benchmarks. Each benchmark is a file that is listed in [All]. Shared are the
// database and the server, which are stopped afterwards (env.go, server.go), a tenant to fill
// (tenant.go), load at a fixed rate (rate.go), and latencies (latency.go).
package bench

import "context"

// Benchmark is one benchmark of the command "waybill bench".
type Benchmark struct {
	Name    string
	Summary string // one line, for the help
	// Run adds its flags to env.Flags, calls env.Parse with args, measures, and calls env.Report. It
	// need not stop what env started.
	Run func(ctx context.Context, env *Env, args []string) error
}

// All lists the benchmarks in the order of the help text.
func All() []Benchmark {
	return []Benchmark{
		{"jobs", "rates of enqueueing and working jobs, and their delay; compared with River's own client",
			benchJobs},
		{"jobs-soak", "texts at a steady rate with spikes: backlog, delay, and table bloat", benchJobsSoak},
		{"backfill", "latency of requests, alone and beside a backfill whose worker is killed again and again",
			benchBackfill},
		{"http", "requests per second of the whole server, compared with pgbench sending the same statements, and " +
			"scalar ones, one by one", httpWork},
		{"login-storm", "latency of a cheap request, alone and during a login storm", loginStorm},
		{"crowd", "one caller crowds in six ways, and another tenant is measured beside: refusals, latency, lateness " +
			"of events", benchCrowd},
		{"held", "latency of writes beside a row that another session holds, and without: a pickup, an account, a slot",
			benchHeld},
		{"replicas", "CPU time that a read costs the primary, without a replica and with one", benchReplicas},
		{"ranges", "reads of a day's appointments, early, in the middle and late among millions", ranges},
		{"scale", "cost of each operation for each role on 10 thousand to 10 million pickups: latency, pages, " +
			"ratios", benchScale},
		{"sync", "feeds of 10,000 records, compared with a loop of upserts", syncFeeds},
	}
}
