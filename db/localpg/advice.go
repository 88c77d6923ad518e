package localpg

import (
	"fmt"
	"runtime"
	"strings"
)

// nothingFound returns the error for a machine without PostgreSQL, with all remedies.
func nothingFound(seen []string, fetching error) error {
	old := ""
	if len(seen) > 0 {
		old = " (there is " + strings.Join(seen, ", ") + ")"
	}
	return fmt.Errorf(`no PostgreSQL %d or later found%s, and fetching one failed: %w
Do one of these:
  - %s
  - set WAYBILL_PG_BIN to the folder that holds the programs postgres and initdb
  - set DATABASE_URL to a server that runs already`, oldest, old, fetching, installing(runtime.GOOS))
}

func installing(system string) string {
	switch system {
	case "darwin":
		return "brew install postgresql@17"
	case "freebsd", "openbsd", "netbsd":
		return "install PostgreSQL's server package"
	default:
		return "apt-get install postgresql (or your system's package of the PostgreSQL server)"
	}
}

// otherMajor returns the error for data of a major version that no installed PostgreSQL can read.
func otherMajor(major int, seen []string) error {
	return fmt.Errorf(`the data was made by PostgreSQL %d, but found only %s
Do one of these:
  - install PostgreSQL %d, or set WAYBILL_PG_BIN to the folder of its programs
  - move the data folder away, to start with an empty one`, major, strings.Join(seen, ", "), major)
}
