package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// crowdLine is the printed result of a phase.
type crowdLine struct {
	Benchmark string         `json:"benchmark"`
	Phase     string         `json:"phase"`
	Members   int            `json:"members"`
	Alone     crowdSide      `json:"alone"` // the other tenant without the crowd
	Beside    crowdSide      `json:"beside"`
	Crowd     map[string]int `json:"crowd"`   // its answers by status during the measurement
	Waiting   int            `json:"waiting"` // open requests of the crowd at the end
	Machine   Machine        `json:"machine"`

	what string
}

// crowdSide is the latency of the other tenant, and the server's memory during the measurement.
type crowdSide struct {
	Requests Summary  `json:"requests"`
	Submits  Summary  `json:"submits"`
	Logins   *Summary `json:"logins,omitempty"`
	Late     Summary  `json:"events_late"` // delay after the answer of the reported submit
	Missed   int      `json:"events_missed"`
	Refused  int      `json:"refused"` // of all requests, including the stream
	First    string   `json:"first_refused,omitempty"`
	Peak     float64  `json:"server_peak_mib"` // resident memory; 0 if unknown
}

// measure runs a phase: the other tenant alone, and then next to the crowd.
func (b *crowdBench) measure(ctx context.Context, p crowdPhase) (line *crowdLine, err error) {
	line = &crowdLine{Benchmark: "crowd", Phase: p.name, Members: p.members, Machine: ThisMachine(), what: p.what}
	forgetPeak(b.server.cmd.Process.Pid)
	if line.Alone, err = b.side(ctx, p, func() bool { return true }); err != nil {
		return nil, err
	}
	if p.aside != nil {
		end, err := p.aside(ctx)
		if err != nil {
			return nil, err
		}
		defer end()
	}
	forgetPeak(b.server.cmd.Process.Pid)
	g := startCrowd(ctx, p)
	defer g.stop()
	g.ready(ctx)
	if line.Beside, err = b.side(ctx, p, g.isOver); err != nil {
		return nil, err
	}
	line.Crowd, line.Waiting = g.soFar()
	return line, nil
}

// side runs one measurement of the other tenant.
func (b *crowdBench) side(ctx context.Context, p crowdPhase, isOver func() bool) (crowdSide, error) {
	n := b.newNeighbor()
	if err := n.measure(ctx, p.logins, isOver); err != nil {
		return crowdSide{}, err
	}
	late, missed := n.events.lags()
	s := crowdSide{
		Requests: n.requests.Latencies.Summary(), Submits: n.submits.Latencies.Summary(),
		Late: late.Summary(), Missed: missed,
		Peak: peakOf(b.server.cmd.Process.Pid),
	}
	if p.logins {
		logins := n.logins.Latencies.Summary()
		s.Logins = &logins
	}
	s.Refused = n.requests.Failed + n.submits.Failed + n.logins.Failed
	if n.events.err != nil {
		s.Refused++
	}
	for _, err := range []error{n.events.err, n.requests.Err, n.submits.Err, n.logins.Err} {
		if err != nil && s.First == "" {
			s.First = strings.ReplaceAll(err.Error(), "\n", ": ")
		}
	}
	return s, nil
}

// failed returns an error if a request of the other tenant was refused.
func (l *crowdLine) failed() error {
	for _, s := range []crowdSide{l.Alone, l.Beside} {
		if s.Refused > 0 || s.Missed > 0 {
			return fmt.Errorf("%s: %d requests of the other tenant were refused, and %d events are missing: %s",
				l.Phase, s.Refused, s.Missed, s.First)
		}
	}
	return nil
}

func (l *crowdLine) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d %s\n", l.Phase, l.Members, l.what)
	fmt.Fprintf(&b, "  the other tenant, ms  requests p50    p99  submits p50    p99  events late p50    p99    max")
	if l.Alone.Logins != nil {
		b.WriteString("  logins p50    p99")
	}
	b.WriteString("  refused  missed  server peak MiB\n")
	for _, row := range []struct {
		name string
		crowdSide
	}{{"alone", l.Alone}, {"next to the crowd", l.Beside}} {
		fmt.Fprintf(&b, "  %-20s %13.1f %6.1f %12.1f %6.1f %16.1f %6.1f %6.1f", row.name,
			row.Requests.P50, row.Requests.P99, row.Submits.P50, row.Submits.P99,
			row.Late.P50, row.Late.P99, row.Late.Max)
		if row.Logins != nil {
			fmt.Fprintf(&b, " %11.1f %6.1f", row.Logins.P50, row.Logins.P99)
		}
		fmt.Fprintf(&b, " %8d %7d %16.0f\n", row.Refused, row.Missed, row.Peak)
	}
	fmt.Fprintf(&b, "  answers to the crowd")
	var statuses []string
	for status := range l.Crowd {
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	for _, status := range statuses {
		fmt.Fprintf(&b, " %s: %d,", status, l.Crowd[status])
	}
	fmt.Fprintf(&b, " and %d wait", l.Waiting)
	return b.String()
}
