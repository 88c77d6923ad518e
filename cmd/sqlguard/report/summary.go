package report

import (
	"fmt"
	"slices"
	"strings"

	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/verdict"
)

// summary counts the findings and the verdicts:
//
//	3 errors, 1 warning in 12 queries
//	9 writes: 4 conditional (3 cas, 1 lock), 3 blind, 2 relative
func summary(r *Report) string {
	queries, verdicts, kinds := count(r.Databases)
	total := 0
	for _, n := range verdicts {
		total += n
	}
	s := fmt.Sprintf("%s in %s", severities(r.Findings), many(queries, "query", "queries"))
	if r.Baseline > 0 {
		s += fmt.Sprintf(" (%d more in the baseline)", r.Baseline)
	}
	if total == 0 {
		return s
	}
	return s + "\n" + many(total, "write", "writes") + ": " + breakdown(verdicts, kinds)
}

func count(databases []*verdict.Database) (queries int, verdicts map[string]int, kinds map[string]map[string]int) {
	verdicts, kinds = map[string]int{}, map[string]map[string]int{}
	for _, d := range databases {
		queries += len(d.Queries)
		for _, q := range d.Queries {
			for _, w := range q.Writes {
				v := string(w.Verdict)
				verdicts[v]++
				if kinds[v] == nil {
					kinds[v] = map[string]int{}
				}
				kinds[v][string(w.Kind)]++
			}
			verdicts[string(verdict.Opaque)] += len(q.Opaque)
		}
	}
	delete(verdicts, zero(verdicts))
	return queries, verdicts, kinds
}

// zero returns "opaque" if there are no verdicts.
func zero(verdicts map[string]int) string {
	if verdicts[string(verdict.Opaque)] == 0 {
		return string(verdict.Opaque)
	}
	return ""
}

func severities(found []rules.Finding) string {
	counts := map[rules.Severity]int{}
	for _, f := range found {
		counts[f.Severity]++
	}
	var parts []string
	for _, s := range []rules.Severity{rules.Error, rules.Warning, rules.Note} {
		if counts[s] > 0 {
			parts = append(parts, many(counts[s], string(s), string(s)+"s"))
		}
	}
	if len(parts) == 0 {
		return "no findings"
	}
	return strings.Join(parts, ", ")
}

// breakdown lists counts, the largest first.
func breakdown(counts map[string]int, inside map[string]map[string]int) string {
	var names []string
	for n := range counts {
		if n != "" {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	for i, n := range names {
		names[i] = fmt.Sprintf("%d %s", counts[n], n)
		if more := breakdown(inside[n], nil); more != "" {
			names[i] += " (" + more + ")"
		}
	}
	return strings.Join(names, ", ")
}

func many(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}
