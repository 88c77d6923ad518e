// Command schemaguard refuses changes of a goose, sqlc and PostgreSQL project that are not safe to deploy.
// See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"waybill/cmd/schemaguard/gate"
)

// Exit statuses.
const (
	refused    = 1
	unreadable = 2 // the change could not be judged
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	f := gate.Flags{Config: "."}
	set := flag.NewFlagSet("schemaguard", flag.ExitOnError)
	f.Define(set)
	_ = set.Parse(os.Args[1:]) // exits
	switch err := f.Run(ctx, os.Stdout); {
	case errors.Is(err, gate.ErrRefused):
		os.Exit(refused)
	case err != nil:
		fmt.Fprintln(os.Stderr, "schemaguard:", err)
		os.Exit(unreadable)
	}
}
