package bench

import (
	"fmt"
	"strings"
	"time"
)

// httpLine is one line of the result: a workload and a number of callers.
type httpLine struct {
	Work              string   `json:"work"`
	Callers           int      `json:"callers"`
	PerSecond         float64  `json:"per_second"` // in the median round
	OneByOnePerSecond *float64 `json:"one_by_one_per_second"`
	Ratio             *float64 `json:"ratio"`
	P50               float64  `json:"p50_ms"` // over all rounds
	P99               float64  `json:"p99_ms"`
	Max               float64  `json:"max_ms"`
	// The number of pgbench clients: on a hot row, the fastest number.
	OneByOneClients int `json:"one_by_one_clients,omitempty"`
	// The scalar statement with the same effects, one by one.
	ScalarPerSecond *float64    `json:"scalar_per_second"`
	ScalarRatio     *float64    `json:"scalar_ratio"`
	ScalarClients   int         `json:"scalar_clients,omitempty"`
	Operations      int64       `json:"operations"`
	Unexpected      int64       `json:"unexpected"` // unexpected answers
	Rounds          []httpRound `json:"rounds"`
	// CPU seconds per second, during the HTTP load.
	ClientCPU   *float64   `json:"client_cpu,omitempty"`
	ServerCPU   *float64   `json:"server_cpu,omitempty"`
	DatabaseCPU *float64   `json:"database_cpu,omitempty"`
	Compared    *httpOther `json:"compared,omitempty"`
	Rate        float64    `json:"rate,omitempty"`
	Tenants     int        `json:"tenants"`          // among which the operations were spread
	Processes   int        `json:"processes"`        // of the server
	Serve       string     `json:"serve,omitempty"`  // further flags of "waybill serve"
	Failed      string     `json:"failed,omitempty"` // failed measurements with their reasons
	Machine     Machine    `json:"machine"`

	err error // the first unexpected answer or failure
}

// httpRound is one round: neighboring rounds show whether the machine was quiet.
type httpRound struct {
	PerSecond float64 `json:"per_second"`
	OneByOne  float64 `json:"one_by_one_per_second,omitempty"`
	Scalar    float64 `json:"scalar_per_second,omitempty"`
}

// httpOther is the result of the other server.
type httpOther struct {
	PerSecond  float64 `json:"per_second"`
	Ratio      float64 `json:"ratio"` // of our rate to that of the other server
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	Unexpected int64   `json:"unexpected"`
}

// failedLine is the line of a workload of which nothing was measured.
func (b *httpBench) failedLine(w work, callers int, err error) *httpLine {
	l := &httpLine{Work: w.name, Callers: callers, Rate: b.rate, Serve: b.serve, Machine: ThisMachine(),
		Tenants: len(b.fixturesOf(w)), Processes: len(b.servers)}
	l.fail("", err)
	return l
}

// fail records a failed measurement.
func (l *httpLine) fail(what string, err error) {
	l.Failed = strings.TrimPrefix(l.Failed+"; "+what+strings.TrimSpace(err.Error()), "; ")
	if l.err == nil {
		l.err = fmt.Errorf("%s with %d callers: %s%w", l.Work, l.Callers, what, err)
	}
}

func (b *httpBench) line(w work, callers int, sides []*side, yardsticks []*singles, used cpu) *httpLine {
	ours := sides[0]
	latency := ours.all.Latencies.Summary()
	l := &httpLine{
		Work: w.name, Callers: callers, PerSecond: roundSignificant(median(ours.rates)),
		P50: latency.P50, P99: latency.P99, Max: latency.Max,
		Operations: ours.all.done, Unexpected: ours.all.unexpected, Rate: b.rate,
		Serve: b.serve, Machine: ThisMachine(), Tenants: len(ours.fixtures), Processes: len(b.servers),
	}
	for i, rate := range ours.rates {
		round := httpRound{PerSecond: roundSignificant(rate)}
		for j, into := range []*float64{&round.OneByOne, &round.Scalar} {
			if rates := yardsticks[j].rates; i < len(rates) {
				*into = roundSignificant(rates[i])
			}
		}
		l.Rounds = append(l.Rounds, round)
	}
	own, scalar := yardsticks[0].median(median(ours.rates)), yardsticks[1].median(median(ours.rates))
	l.OneByOnePerSecond, l.Ratio, l.OneByOneClients = own.perSecond, own.ratio, own.clients
	l.ScalarPerSecond, l.ScalarRatio, l.ScalarClients = scalar.perSecond, scalar.ratio, scalar.clients
	for into, took := range map[**float64]time.Duration{&l.ClientCPU: used.client,
		&l.ServerCPU: used.server, &l.DatabaseCPU: used.database} {
		if took > 0 {
			*into = new(roundSignificant(took.Seconds() / ours.all.took.Seconds()))
		}
	}
	if len(sides) > 1 {
		other := sides[1]
		summary := other.all.Latencies.Summary()
		l.Compared = &httpOther{
			roundSignificant(median(other.rates)), roundSignificant(median(ours.rates) / median(other.rates)),
			summary.P50, summary.P99, other.all.unexpected,
		}
	}
	for i, s := range sides {
		if s.all.err != nil && l.err == nil {
			l.err = fmt.Errorf("%s with %d callers: %d unexpected answers of %s: %w",
				w.name, callers, s.all.unexpected, []string{"the server", "the other server"}[i], s.all.err)
		}
	}
	for _, y := range yardsticks {
		if y.err != nil {
			l.fail(y.what()+": ", y.err)
		}
	}
	return l
}

const httpHeader = "" +
	"                                                              " +
	"                                 milliseconds     CPU seconds per second\n" +
	"work           callers  per sec.  one by one (clients)  ratio  " +
	"    scalar (clients)  ratio      p50      p99  client  server  database"

func (l *httpLine) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-14s %7d  %8.0f", l.Work, l.Callers, l.PerSecond)
	for _, one := range []rate{
		{l.OneByOnePerSecond, l.Ratio, l.OneByOneClients}, {l.ScalarPerSecond, l.ScalarRatio, l.ScalarClients},
	} {
		if one.ratio != nil {
			fmt.Fprintf(&b, "  %10.0f %9s  %5.2f", *one.perSecond, fmt.Sprintf("(%d)", one.clients), *one.ratio)
		} else {
			fmt.Fprintf(&b, "  %10s %9s  %5s", "-", "", "-")
		}
	}
	fmt.Fprintf(&b, "  %7.2f  %7.2f", l.P50, l.P99)
	for i, used := range []*float64{l.ClientCPU, l.ServerCPU, l.DatabaseCPU} {
		text := "-"
		if used != nil {
			text = fmt.Sprintf("%.2f", *used)
		}
		fmt.Fprintf(&b, "  %*s", []int{6, 6, 8}[i], text)
	}
	if l.Tenants > 1 || l.Processes > 1 {
		fmt.Fprintf(&b, "  tenants %d, processes %d", l.Tenants, l.Processes)
	}
	if c := l.Compared; c != nil {
		fmt.Fprintf(&b, "  other server: %.0f per second, p50 %.2f, p99 %.2f ms; ratio %.2f",
			c.PerSecond, c.P50, c.P99, c.Ratio)
	}
	if l.Unexpected > 0 || l.Compared != nil && l.Compared.Unexpected > 0 {
		fmt.Fprintf(&b, "  %d unexpected answers", l.Unexpected)
	}
	if l.Failed != "" {
		text, _, _ := strings.Cut(l.Failed, "\n")
		fmt.Fprintf(&b, "  failed: %.200s", text)
	}
	return b.String()
}
