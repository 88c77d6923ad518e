package db

import (
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// pgx takes a uuid.UUID for something that can be printed, and sends each by way of its
// text, found out anew for each element of an array. Most of what the statements take
// are such arrays: these plans send and read the sixteen bytes.

// registerUUIDs makes a connection's types know uuid.UUID, pointers to it and slices
// of it.
func registerUUIDs(types *pgtype.Map) {
	types.TryWrapEncodePlanFuncs = append([]pgtype.TryWrapEncodePlanFunc{wrapUUIDs}, types.TryWrapEncodePlanFuncs...)
	types.TryWrapScanPlanFuncs = append([]pgtype.TryWrapScanPlanFunc{wrapUUIDTarget}, types.TryWrapScanPlanFuncs...)
}

// uuidBytes is a uuid.UUID as pgx knows it best.
type uuidBytes uuid.UUID

func (u *uuidBytes) UUIDValue() (pgtype.UUID, error) { return pgtype.UUID{Bytes: *u, Valid: true}, nil }

func (u *uuidBytes) ScanUUID(v pgtype.UUID) error {
	if !v.Valid {
		return errors.New("cannot scan NULL into a uuid.UUID")
	}
	*u = v.Bytes
	return nil
}

// uuidSlice is a []uuid.UUID as an array of PostgreSQL.
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

func wrapUUIDTarget(target any) (pgtype.WrappedScanPlanNextSetter, any, bool) {
	if u, ok := target.(*uuid.UUID); ok {
		return &uuidTargetPlan{}, (*uuidBytes)(u), true
	}
	return nil, nil, false
}

type uuidTargetPlan struct{ next pgtype.ScanPlan }

func (p *uuidTargetPlan) SetNext(next pgtype.ScanPlan) { p.next = next }

func (p *uuidTargetPlan) Scan(src []byte, target any) error {
	return p.next.Scan(src, (*uuidBytes)(target.(*uuid.UUID)))
}
