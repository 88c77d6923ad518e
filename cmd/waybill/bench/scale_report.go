package bench

import (
	"fmt"
	"strings"
)

// scaleLine is a line of the benchmark's output.
type scaleLine struct {
	Operation string        `json:"operation"`
	Viewer    string        `json:"viewer"`
	Which     string        `json:"which,omitempty"`
	Sizes     []scaleFigure `json:"sizes"`
	// Of p50, of the largest to the smallest database, in the fastest round of each.
	Ratio      *float64 `json:"ratio"`
	PagesRatio *float64 `json:"pages_ratio"` // likewise
	MostPages  int      `json:"most_pages,omitempty"`
	Missed     []string `json:"missed,omitempty"` // what it is held to: "ratio", "pages", "answer"
	Machine    Machine  `json:"machine"`
}

// scaleFigure is the result for one database.
type scaleFigure struct {
	Pickups  int      `json:"pickups"`
	P50      float64  `json:"p50_ms"`
	P99      float64  `json:"p99_ms"`
	Pages    *float64 `json:"pages"` // a request, looked at by all its statements
	Items    int      `json:"items"` // of the answer
	Requests int      `json:"requests"`
	Error    string   `json:"error,omitempty"`
}

// mostRatio is the limit of the largest database's cost relative to the smallest one's.
const mostRatio = 1.5

func (l *scaleLine) add(r *scaleRun, counted bool) {
	f := scaleFigure{Pickups: r.database.pickups, Items: r.items}
	if r.err != nil {
		f.Error = failureText(r.err)
		l.Sizes = append(l.Sizes, f)
		return
	}
	s := r.all.Latencies.Summary()
	f.P50, f.P99, f.Requests = s.P50, s.P99, s.Count
	if counted && s.Count > 0 {
		f.Pages = new(roundSignificant(float64(r.pages) / float64(s.Count)))
	}
	l.Sizes = append(l.Sizes, f)
}

// judge compares the largest database with the smallest, if they answer with equally many items, and all
// with their limits.
func (l *scaleLine) judge() {
	least, largest := l.Sizes[0], l.Sizes[len(l.Sizes)-1]
	if l.Ratio != nil && least.Pages != nil && largest.Pages != nil && *least.Pages > 0 {
		l.PagesRatio = new(roundSignificant(*largest.Pages / *least.Pages))
	}
	// An answer of five rows cannot be compared with one of fifty; the limit of pages covers it.
	missed := map[string]bool{"ratio": l.Ratio != nil && *l.Ratio > mostRatio && least.Items == largest.Items}
	for _, f := range l.Sizes {
		missed["answer"] = missed["answer"] || f.Error != ""
		missed["pages"] = missed["pages"] || f.Pages != nil && l.MostPages > 0 && *f.Pages > float64(l.MostPages)
	}
	for _, what := range []string{"answer", "ratio", "pages"} {
		if missed[what] {
			l.Missed = append(l.Missed, what)
		}
	}
}

func (b *scaleBench) header() string {
	var top, below strings.Builder
	fmt.Fprintf(&top, "%-23s  %-21s  %-36s", "", "", "")
	fmt.Fprintf(&below, "%-23s  %-21s  %-36s", "operation", "as", "of")
	for _, d := range b.databases {
		fmt.Fprintf(&top, "  %31s", fmt.Sprintf("%d pickups", d.pickups))
		fmt.Fprintf(&below, "  %8s %8s %7s %5s", "p50 ms", "p99", "pages", "items")
	}
	return top.String() + "\n" + below.String() + "  ratio (pages)"
}

func (l *scaleLine) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-23s  %-21s  %-36s", l.Operation, l.Viewer, l.Which)
	for _, f := range l.Sizes {
		if f.Error != "" {
			fmt.Fprintf(&b, "  %31s", f.short())
			continue
		}
		pages := "-"
		if f.Pages != nil {
			pages = fmt.Sprintf("%.0f", *f.Pages)
		}
		fmt.Fprintf(&b, "  %8.2f %8.2f %7s %5d", f.P50, f.P99, pages, f.Items)
	}
	fmt.Fprintf(&b, "  %5s %7s", times(l.Ratio), "("+times(l.PagesRatio)+")")
	if len(l.Missed) > 0 {
		fmt.Fprintf(&b, "  missed: %s", strings.Join(l.Missed, ", "))
	}
	for _, f := range l.Sizes {
		if f.Error != "" && f.Error != f.short() {
			fmt.Fprintf(&b, "\n  %d pickups: %s", f.Pickups, f.Error)
		}
	}
	return b.String()
}

// short returns a failure in place of figures.
func (f scaleFigure) short() string {
	if len(f.Error) > 20 {
		return "failed"
	}
	return f.Error
}

func times(ratio *float64) string {
	if ratio == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *ratio)
}
