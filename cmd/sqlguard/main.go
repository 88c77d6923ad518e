// Command sqlguard finds lost updates and other races in the queries of a sqlc project. See README.md.
package main

import (
	"io"
	"os"
)

// Exit statuses.
const (
	clean      = 0
	found      = 1 // errors or warnings; notes do not count
	unreadable = 2 // something could not be read or parsed
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, problems io.Writer) int {
	f, status := parseFlags(args, out, problems)
	if f == nil {
		return status
	}
	if f.proven != "" {
		return f.prove()
	}
	return f.run()
}
