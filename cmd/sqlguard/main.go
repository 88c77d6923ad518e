// Command sqlguard reads a sqlc project and says of each write what two callers at
// once can do to each other through it. See README.md.
package main

import (
	"io"
	"os"
)

// Exit statuses.
const (
	clean      = 0
	found      = 1 // errors or warnings; notes alone do not count
	unreadable = 2 // something could not be read: nothing is known of it
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
