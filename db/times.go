package db

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// registerTimes makes a connection's times UTC, whatever the time zone of the process
// (TZ): what one process answers, and names by an ETag, another one answers byte for byte.
func registerTimes(types *pgtype.Map) {
	utc := &pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID,
		Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}}
	types.RegisterType(utc)
	types.RegisterType(&pgtype.Type{Name: "_timestamptz", OID: pgtype.TimestamptzArrayOID,
		Codec: &pgtype.ArrayCodec{ElementType: utc}})
}
