package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// describeTypes registers schemas for the types of package db, which does not depend on huma. Enums are
// components, so that every client has a named type for each, with the values of the database.
func describeTypes(r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[db.Date](), reflect.TypeFor[dateSchema]())
	describeEnum(r, "The status of a pickup", db.AllPickupStatusValues())
	describeEnum(r, "The status of an appointment", db.AllAppointmentStatusValues())
	describeEnum(r, "A transition of a pickup from one status to another", db.AllTransitionNameValues())
	describeEnum(r, "The role of a user, which determines their permissions", db.AllUserRoleValues())
	describeEnum(r, "The kind of a ledger entry", db.AllEntryKindValues())
	describeEnum(r, "The delivery status of a text", db.AllMessageStatusValues())
}

func describeEnum[T ~string](r huma.Registry, description string, values []T) {
	s := &huma.Schema{Type: huma.TypeString, Description: description}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	s.PrecomputeMessages()
	r.Map()[reflect.TypeFor[T]().Name()] = s
	r.RegisterTypeAlias(reflect.TypeFor[T](), reflect.TypeFor[enumSchema[T]]())
}

// enumSchema stands for T when a schema is generated.
type enumSchema[T ~string] struct{}

// Schema implements huma.SchemaProvider: a reference to the component of T.
func (enumSchema[T]) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Ref: "#/components/schemas/" + reflect.TypeFor[T]().Name()}
}

// dateSchema stands for db.Date when a schema is generated.
type dateSchema struct{}

// Schema implements huma.SchemaProvider: a full-date of RFC 3339.
func (dateSchema) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{
		Type: huma.TypeString, Format: "date", Examples: []any{"1990-05-17"},
		Pattern:            `^([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-[0-9]{2}-[0-9]{2}$`,
		PatternDescription: "a date",
	}
	s.PrecomputeMessages()
	return s
}
