package main

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// otherVariables are read by other code than the server's settings: by prove and by package localpg.
var otherVariables = []string{"WAYBILL_URL", "WAYBILL_TENANT", "WAYBILL_EMAIL", "WAYBILL_PASSWORD", "WAYBILL_PG_BIN"}

// knownVariables returns all variables that any command reads.
func knownVariables() []string {
	env := new(settings).register(flag.NewFlagSet("", flag.ContinueOnError), defaults{})
	return slices.Concat(env.variables, otherVariables)
}

// injected matches the variables that Kubernetes and Docker set for a service whose name begins with
// waybill: they are no settings, and no mistake.
var injected = regexp.MustCompile(
	`^WAYBILL_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_[0-9]+_` +
		`(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?|NAME|ENV_[A-Z0-9_]+)$`)

// checkVariables returns an error for an unknown variable that begins like a setting, which would be
// ignored silently. The error does not contain its value, which may be a secret.
func checkVariables(environ []string) error {
	known := knownVariables()
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, _, _ := strings.Cut(entry, "=")
		switch {
		case !strings.HasPrefix(strings.ToUpper(name), "WAYBILL_"), slices.Contains(known, name):
		case strings.HasPrefix(name, "WAYBILL_TEST"), injected.MatchString(name):
		default:
			return fmt.Errorf("the environment variable %s is not a setting%s", name, didYouMean(name, known))
		}
	}
	return nil
}

// didYouMean returns the most similar known name, if fewer than a third of the characters after
// "WAYBILL_" differ, and where the settings are listed.
func didYouMean(name string, known []string) string {
	best, least := "", (len(name)-len("WAYBILL_"))/3+1
	for _, k := range known {
		if d := distance(strings.ToUpper(name), k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return "; for the settings, see: waybill serve -h"
	}
	return ": did you mean " + best + "? For the settings, see: waybill serve -h"
}

// distance returns the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
