package shape

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/sqlguard/syntax"
)

// LockTimeout is the rule that a migration does not wait long for a lock.
var LockTimeout = finding.Rule{
	Name: "missing-lock-timeout",
	Load: "the lock waits behind the longest transaction (a report, a backup), and every caller behind the lock: an " +
		"outage as long as that transaction",
	Safe: "SET lock_timeout = '500ms' (SET LOCAL in a transaction) before the first lock, and run the migration " +
		"again where it gives up",
}

// longestWait is how long callers can wait behind a lock that waits.
const longestWait = 2 * time.Second

// annotated is a comment by which a file asks what runs it for another timeout.
var annotated = regexp.MustCompile(`(?m)^\s*--\s*\+\w+\s+lock_timeout:\s*(\S+)`)

func lockTimeout(f *file) (all []finding.Finding) {
	limited := f.change.RunnerLimitsLocks()
	if m := annotated.FindStringSubmatch(f.Text); m != nil {
		wait, ok := duration(m[1])
		limited = ok && wait > 0 && wait <= longestWait
	}
	for _, s := range f.steps {
		if value, set := settingOf(s.node, "lock_timeout"); set {
			wait, ok := duration(value)
			limited = ok && wait > 0 && wait <= longestWait
			if !limited {
				all = append(all, f.at(LockTimeout, s, "", fmt.Sprintf(
					"lock_timeout is set to %q, where at most %s can be waited", value, longestWait)))
			}
			continue
		}
		if s.used() && s.lock >= ShareUpdateExclusive && s.lock.Waits() && !limited && len(all) == 0 {
			all = append(all, f.at(LockTimeout, s, s.table, fmt.Sprintf(
				"%s of %s is waited for without a lock_timeout", s.lock, s.table)))
		}
	}
	return all
}

// settingOf returns what a statement sets a setting to: by SET, RESET or set_config.
func settingOf(n *pg.Node, name string) (value string, set bool) {
	if v := n.GetVariableSetStmt(); v != nil {
		if v.GetName() != name && v.GetKind() != pg.VariableSetKind_VAR_RESET_ALL {
			return "", false
		}
		for _, a := range v.GetArgs() {
			return literal(a), true
		}
		return "", true
	}
	for _, t := range n.GetSelectStmt().GetTargetList() {
		call := t.GetResTarget().GetVal().GetFuncCall()
		if args := call.GetArgs(); len(args) == 3 && syntax.Last(call.GetFuncname()) == "set_config" &&
			literal(args[0]) == name {
			return literal(args[1]), true
		}
	}
	return "", false
}

func literal(n *pg.Node) string {
	c := syntax.Bare(n).GetAConst()
	if c.GetSval() == nil {
		return strconv.Itoa(int(c.GetIval().GetIval()))
	}
	return c.GetSval().GetSval()
}

// duration reads a time as PostgreSQL does: a number is milliseconds.
func duration(value string) (time.Duration, bool) {
	value = strings.ReplaceAll(value, " ", "")
	if n, err := strconv.Atoi(value); err == nil {
		return time.Duration(n) * time.Millisecond, true
	}
	d, err := time.ParseDuration(strings.Replace(value, "min", "m", 1))
	return d, err == nil
}

// LockTable is the rule that no statement locks a table by name.
var LockTable = finding.Rule{
	Name: "locks-table",
	Load: "callers wait from here to the end of the transaction",
	Safe: "locks of rows, or none: the statements that follow take what they need",
}

func lockTable(f *file) (all []finding.Finding) {
	for _, s := range f.steps {
		if s.node.GetLockStmt() != nil && s.used() && s.lock.Waits() {
			all = append(all, f.at(LockTable, s, s.table, fmt.Sprintf("LOCK TABLE %s IN %s MODE", s.table, s.lock)))
		}
	}
	return all
}
