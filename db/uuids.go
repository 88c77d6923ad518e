package db

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// By default pgx encodes a uuid.UUID through its text, since it is a Stringer, looked up anew for each
// element of an array, and decodes it through its text, since it is a sql.Scanner. Most arguments of
// the statements are such arrays, and a row has several: these plans send and read the sixteen bytes.

// Ids are no secrets, unlike tokens: one read of system randomness serves sixteen of them.
func init() { uuid.EnableRandPool() }

// registerUUIDs registers codecs for uuid.UUID, pointers to it and slices of it.
func registerUUIDs(types *pgtype.Map) {
	types.TryWrapEncodePlanFuncs = append([]pgtype.TryWrapEncodePlanFunc{wrapUUIDs}, types.TryWrapEncodePlanFuncs...)
	types.RegisterType(&pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}})
}

// uuidCodec is consulted before pgx checks whether the target is a sql.Scanner.
type uuidCodec struct{ pgtype.UUIDCodec }

func (c uuidCodec) PlanScan(types *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return uuidScanPlan{}
	}
	return c.UUIDCodec.PlanScan(types, oid, format, target)
}

type uuidScanPlan struct{}

// Scan leaves the target unchanged for NULL, like uuid.UUID's own Scan.
func (uuidScanPlan) Scan(src []byte, target any) error {
	u := target.(*uuid.UUID)
	if src != nil && len(src) != len(u) {
		return fmt.Errorf("a uuid of %d bytes", len(src))
	}
	copy(u[:], src)
	return nil
}

// uuidBytes is a uuid.UUID in the form that pgx supports best.
type uuidBytes uuid.UUID

func (u *uuidBytes) UUIDValue() (pgtype.UUID, error) { return pgtype.UUID{Bytes: *u, Valid: true}, nil }

// uuidSlice is a []uuid.UUID as a PostgreSQL array.
type uuidSlice []uuid.UUID

func (s uuidSlice) Dimensions() []pgtype.ArrayDimension {
	if s == nil {
		return nil
	}
	return []pgtype.ArrayDimension{{Length: int32(len(s)), LowerBound: 1}}
}

func (s uuidSlice) Index(i int) any { return (*uuidBytes)(&s[i]) }

func (s uuidSlice) IndexType() any { return (*uuidBytes)(nil) }

func wrapUUIDs(value any) (pgtype.WrappedEncodePlanNextSetter, any, bool) {
	switch value := value.(type) {
	case uuid.UUID:
		return &uuidPlan{}, (*uuidBytes)(&value), true
	case []uuid.UUID:
		return &uuidSlicePlan{}, uuidSlice(value), true
	}
	return nil, nil, false
}

type uuidPlan struct{ next pgtype.EncodePlan }

func (p *uuidPlan) SetNext(next pgtype.EncodePlan) { p.next = next }

func (p *uuidPlan) Encode(value any, buf []byte) ([]byte, error) {
	u := value.(uuid.UUID)
	return p.next.Encode((*uuidBytes)(&u), buf)
}

type uuidSlicePlan struct{ next pgtype.EncodePlan }

func (p *uuidSlicePlan) SetNext(next pgtype.EncodePlan) { p.next = next }

func (p *uuidSlicePlan) Encode(value any, buf []byte) ([]byte, error) {
	return p.next.Encode(uuidSlice(value.([]uuid.UUID)), buf)
}
