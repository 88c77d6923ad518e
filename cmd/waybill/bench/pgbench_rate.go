package bench

import (
	"fmt"
	"regexp"
	"strconv"
)

var (
	progress = regexp.MustCompile(`(?m)^progress: ([\d.]+) s, ([\d.]+) tps`)
	total    = regexp.MustCompile(`(?m)^tps = ([\d.]+) \(without`)
)

// pgbenchRate returns the operations per second that pgbench printed, without those of the first seconds.
// On a slow machine its reports come late and cover several seconds each: each counts for as long as it
// took. If all of them began too early, the rate of the whole run counts, which is lower.
func pgbenchRate(out string, warm float64) (float64, error) {
	var done, seconds, began float64
	for _, line := range progress.FindAllStringSubmatch(out, -1) {
		ended, err := strconv.ParseFloat(line[1], 64)
		if err != nil {
			return 0, err
		}
		rate, err := strconv.ParseFloat(line[2], 64)
		if err != nil {
			return 0, err
		}
		// Reports are a little late even on a quiet machine, never early.
		if began >= warm && ended > began {
			done, seconds = done+rate*(ended-began), seconds+ended-began
		}
		began = ended
	}
	if seconds > 0 && done > 0 {
		return done / seconds, nil
	}
	found := total.FindStringSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("pgbench printed no rate: %s", out)
	}
	rate, err := strconv.ParseFloat(found[1], 64)
	if err == nil && rate == 0 {
		err = fmt.Errorf("pgbench made no operation: %s", out)
	}
	return rate, err
}
