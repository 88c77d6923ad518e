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
	describeEnum(r, db.AllPickupStatusValues())
	describeEnum(r, db.AllAppointmentStatusValues())
	describeEnum(r, db.AllTransitionNameValues())
	describeEnum(r, db.AllUserRoleValues())
	describeEnum(r, db.AllEntryKindValues())
	describeEnum(r, db.AllMessageStatusValues())
	describeEnum(r, db.AllFeedOutcomeValues())
	describeEnum(r, db.AllWebhookDeliveryStatusValues())
}

// describeEnum registers the schema of an enum, which has its descriptions from the database.
func describeEnum[T ~string](r huma.Registry, values []T) {
	enum := snake(reflect.TypeFor[T]().Name())
	s := &huma.Schema{Type: huma.TypeString, Description: db.Comments[enum]}
	descriptions := make([]string, len(values))
	for i, v := range values {
		s.Enum = append(s.Enum, string(v))
		descriptions[i] = db.Comments[enum+"."+string(v)]
	}
	s.Extensions = map[string]any{"x-enum-descriptions": descriptions}
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

// Day is a date as a parameter.
type Day struct{ db.Date }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Day) UnmarshalText(text []byte) (err error) {
	d.Date, err = db.ParseDate(string(text))
	return err
}

// Schema implements huma.SchemaProvider.
func (Day) Schema(r huma.Registry) *huma.Schema { return dateSchema{}.Schema(r) }
