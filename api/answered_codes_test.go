package api_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"waybill/db/dbtest"
)

// The example of an error is made, not recorded. So each problem that a test meets is compared with it, and at the end
// of the package's tests each code must have been met.

// membersOfAll are the members that a problem of every code has, or has where the request was a body or a batch.
var membersOfAll = []string{"type", "title", "status", "code", "detail", "request_id", "field", "item"}

// sometimes are the members that only some problems of a code have, and why.
var sometimes = map[string]string{
	"driver_busy.pickup_id":                  "if the caller sees the pickup, and it is still assigned",
	"driver_user_taken.driver_id":            "if the caller sees the driver",
	"insufficient_funds.missing_cents":       "if the caller sees money",
	"price_below_refunds.refunded_cents":     "if the caller sees money",
	"refund_too_large.refundable_cents":      "if the caller sees money",
	"illegal_transition.allowed":             "a status that has ended, or the caller's role, allows none",
	"illegal_transition.moved_by":            "a draft was not moved; a driver and the hub see some events only",
	"illegal_transition.moved_at":            "like moved_by",
	"not_editable.moved_by":                  "like that of illegal_transition",
	"not_editable.moved_at":                  "like moved_by",
	"stale_version.current_etag":             "the row may have been removed since",
	"message_not_failed.message_status":      "the text may have been removed since",
	"empty_feed.errors":                      "the records that were invalid, if there were any",
	"validation_failed.errors":               "of sync-appointments alone",
	"unknown_field.errors":                   "of sync-appointments alone",
	"request_timeout.errors":                 "of sync-appointments alone",
	"unreadable_body.errors":                 "of sync-appointments alone",
	"mass_cancellation.would_cancel":         "a dry run may meet another state",
	"mass_cancellation.current_appointments": "like would_cancel",
}

// checkMembers: a problem has the members of its code's example.
func checkMembers(code string, p, example object) error {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if example[name] == nil && !slices.Contains(membersOfAll, name) && sometimes[code+"."+name] == "" {
			return fmt.Errorf("%s has %s, and the document's example has not", code, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(example)) {
		if p[name] == nil && sometimes[code+"."+name] == "" {
			return fmt.Errorf("%s lacks %s, which the document's example has", code, name)
		}
	}
	return nil
}

// answeredCodes are the codes that the tests of the package have met.
var answeredCodes = struct {
	sync.Mutex
	all map[string]bool
}{all: map[string]bool{}}

func recordCode(code string) {
	answeredCodes.Lock()
	defer answeredCodes.Unlock()
	answeredCodes.all[code] = true
}

// unanswerable are the codes that no test of this package has a server answer, and why.
var unanswerable = map[string]string{}

// checkAnsweredCodes returns an error if a code was never answered in a run of all tests of the package.
func checkAnsweredCodes() error {
	if !isWholeRun() {
		return nil
	}
	answeredCodes.Lock()
	defer answeredCodes.Unlock()
	schemas := theDocument().root["components"].(object)["schemas"].(object)
	var missing []string
	for _, code := range schemas["ErrorCode"].(object)["enum"].([]any) {
		if code := code.(string); !answeredCodes.all[code] && unanswerable[code] == "" {
			missing = append(missing, code)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no test has a server answer %s", strings.Join(missing, ", "))
	}
	return nil
}

// isWholeRun reports whether all tests of the package run. The race detector leaves out some.
func isWholeRun() bool {
	for _, name := range []string{"run", "skip", "list", "fuzz"} {
		if f := flag.Lookup("test." + name); f == nil || f.Value.String() != "" {
			return false
		}
	}
	return !dbtest.UnderRace && flag.Lookup("test.short").Value.String() == "false"
}
