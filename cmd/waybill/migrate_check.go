package main

import (
	"context"
	"io"

	"waybill/cmd/schemaguard/gate"
)

// runMigrateCheck judges the migrations, queries and document of the working tree. It needs no database.
func runMigrateCheck(ctx context.Context, args []string, out io.Writer) error {
	flags := newFlags("migrate check", out)
	f := gate.Flags{Config: "cmd/schemaguard/waybill.yaml"}
	f.Define(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	return f.Run(ctx, out)
}
