package db

import (
	"regexp"
	"strings"
)

var (
	comments = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/`)
	// Statements that keep no request waiting, neither while they run nor while they wait for their
	// lock: SHARE UPDATE EXCLUSIVE conflicts with no read and no write.
	concurrently = regexp.MustCompile(
		`(?is)^(CREATE\s+(UNIQUE\s+)?INDEX|DROP\s+INDEX|REINDEX\s+(\([^)]*\)\s*)?(INDEX|TABLE|SCHEMA))` +
			`\s+CONCURRENTLY\b`)
	validates = regexp.MustCompile(
		`(?is)^ALTER\s+TABLE\s+(IF\s+EXISTS\s+)?(ONLY\s+)?\S+\s+VALIDATE\s+CONSTRAINT\s+\S+;?$`)
	makes = regexp.MustCompile(`(?is)^CREATE\s+(UNIQUE\s+)?INDEX\s+CONCURRENTLY\b`)
)

// withoutComments returns SQL without its comments. It takes what looks like one in a literal for one,
// too: what it returns is looked at, and never run.
func withoutComments(sql string) string {
	return strings.TrimSpace(comments.ReplaceAllString(sql, " "))
}

// blocksNobody reports whether requests go on beside the statement, where it is not in a transaction
// that holds other locks.
func blocksNobody(statement string) bool {
	return concurrently.MatchString(statement) || validates.MatchString(statement)
}

// makesConcurrentIndex reports whether the statement leaves an invalid index behind if it fails.
func makesConcurrentIndex(statement string) bool { return makes.MatchString(statement) }

// summary returns the beginning of a statement, in one line.
func summary(statement string) string {
	const most = 72
	text := strings.TrimSuffix(strings.Join(strings.Fields(statement), " "), ";")
	if letters := []rune(text); len(letters) > most {
		return strings.TrimSpace(string(letters[:most])) + " …"
	}
	return text
}
