package db

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// registerTimes makes a connection return times in UTC, whatever the process's time zone (TZ), so that
// all processes return the same bytes for an ETag.
func registerTimes(types *pgtype.Map) {
	utc := &pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID,
		Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}}
	types.RegisterType(utc)
	types.RegisterType(&pgtype.Type{Name: "_timestamptz", OID: pgtype.TimestamptzArrayOID,
		Codec: &pgtype.ArrayCodec{ElementType: utc}})
}
