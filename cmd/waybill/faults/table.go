package faults

import (
	"fmt"
	"io"
)

// Head writes the header of the table.
func Head(out io.Writer) {
	fmt.Fprintf(out, "%-26s %12s %6s %8s %6s %6s %6s %12s\n",
		"FAULT", "ACKNOWLEDGED", "LOST", "DOUBLED", "STALE", "5XX", "500", "UNAVAILABLE")
}

// Line writes a result as a row of the table.
func (r Result) Line(out io.Writer) {
	if r.Skipped != "" {
		fmt.Fprintf(out, "%-26s %s\n", r.Fault, r.Skipped)
		return
	}
	fmt.Fprintf(out, "%-26s %12d %6d %8d %6d %6d %6d %10.2f s%s\n", r.Fault, r.Acknowledged, r.Lost, r.Doubled,
		r.Stale, r.ServerErrors, r.Internal, r.Unavailable, r.remark())
}

// remark tells what is wrong, or what the row is for.
func (r Result) remark() string {
	switch {
	case r.Control && r.Lost == 0:
		return "  the control LOST NOTHING: the others prove nothing"
	case r.Control:
		return "  (control: must lose)"
	case r.Lost > 0 || r.Doubled > 0:
		return "  NOT HELD"
	case r.Stale > 0:
		return fmt.Sprintf("  NOT HELD: %d of %d reads were too old", r.Stale, r.Reads)
	case r.Refused > 0:
		return fmt.Sprintf("  NOT HELD: %d refused", r.Refused)
	case r.Internal > 0:
		return "  NOT HELD: internal errors"
	case r.Acknowledged == 0:
		return "  NOT HELD: nothing was acknowledged"
	case !r.Held():
		return "  NOT HELD: the replicas served nothing"
	case r.hasReplicas:
		return fmt.Sprintf("  %d reads, %d of them by replicas", r.Reads, r.ReplicaReads)
	}
	return ""
}
