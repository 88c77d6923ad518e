package main

import (
	"context"
	"io"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/schemaguard/gate"
	"waybill/db/scale"
)

// runMigrateCheck judges the migrations, queries and document of the working tree. It needs no database.
func runMigrateCheck(ctx context.Context, args []string, out io.Writer) error {
	flags := newFlags("migrate check", out)
	f := gate.Flags{Config: "cmd/schemaguard/waybill.yaml", Measure: gate.Measure{Fill: fillDatabase}}
	f.Define(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	return f.Run(ctx, out)
}

// pickupsPerFacility keeps the facilities in proportion where there are few pickups: with the default number of them,
// most of the time would go into facilities, accounts and groups.
const pickupsPerFacility = 100

// fillDatabase makes pickups, and the rows that belong to them, by the statements of db/scale at the base.
func fillDatabase(ctx context.Context, conn *pgx.Conn, statements fs.FS, rows int) error {
	_, err := scale.Load(ctx, conn, scale.Size{
		Pickups:    max(rows, scale.Smallest),
		Facilities: min(max(rows/pickupsPerFacility, scale.FewestFacilities), scale.Facilities),
		Parts:      statements,
	}, nil)
	return err
}
