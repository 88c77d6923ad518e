package prove

import (
	"fmt"
	"io"
)

// Fault is the result of one fault under load.
type Fault struct {
	Fault        string `json:"fault"`
	Acknowledged int    `json:"acknowledged"` // requests, or texts owed
	Lost         int    `json:"lost"`         // of those
	Doubled      int    `json:"doubled"`      // of those
	ServerErrors int    `json:"server_errors"`
	Failed       int    `json:"failed"` // requests without an answer, or with one from the proxy
	// Unavailable is the longest time without an answer, or until a text was sent, in seconds.
	Unavailable float64 `json:"unavailable_s"`
	Control     bool    `json:"control"` // it is known to fail
}

// Held reports whether nothing was lost, and nothing failed; for a control, whether something did.
func (f Fault) Held() bool { return (f.Lost+f.Doubled+f.ServerErrors+f.Failed == 0) != f.Control }

// FaultHead writes the header of the table of faults.
func FaultHead(out io.Writer) {
	fmt.Fprintf(out, "%-44s %12s %6s %8s %6s %7s %12s\n", "FAULT", "ACKNOWLEDGED", "LOST", "DOUBLED", "5XX", "FAILED",
		"UNAVAILABLE")
}

// Line writes the fault as a row of the table.
func (f Fault) Line(out io.Writer) {
	name := f.Fault
	if f.Control {
		name += " (control)"
	}
	fmt.Fprintf(out, "%-44s %12d %6d %8d %6d %7d %10.2f s\n", name, f.Acknowledged, f.Lost, f.Doubled, f.ServerErrors,
		f.Failed, f.Unavailable)
}
