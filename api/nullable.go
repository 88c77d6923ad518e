package api

import (
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// orNull returns the schema of a value that may be null. huma's keyword for it stands beside a type, and an
// enum is a reference, which has none: there it would be no type or null.
func orNull(s huma.Schema) *huma.Schema {
	if s.Ref == "" {
		s.Nullable = true
		return &s
	}
	either := &huma.Schema{Description: s.Description, AnyOf: []*huma.Schema{
		{Ref: s.Ref},
		// huma knows no type null, and would take any value for it.
		{Type: "null", Enum: []any{nil}},
	}}
	either.PrecomputeMessages()
	return either
}

// describeNulls finds the members that are null where a pointer to an enum or a date is nil, of which
// huma does not know that it may be. A pointer that is omitted if it is nil is never null.
func describeNulls(r huma.Registry) {
	for name, s := range r.Map() {
		if t := r.TypeFromRef("#/components/schemas/" + name); t != nil && t.Kind() == reflect.Struct {
			describeNullsOf(r, s, t)
		}
	}
}

func describeNullsOf(r huma.Registry, s *huma.Schema, t reflect.Type) {
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := s.Properties[name]
		if property == nil || f.Type.Kind() != reflect.Pointer || !isDescribed(r, f.Type.Elem()) {
			continue
		}
		if slices.ContainsFunc(strings.Split(options, ","), func(o string) bool {
			return o == "omitempty" || o == "omitzero"
		}) && f.Tag.Get("nullable") != "true" {
			continue
		}
		property.Nullable = false
		*property = *orNull(*property)
	}
}

// isDescribed reports whether describeTypes describes the type, by an alias under which huma loses that it
// was a pointer.
func isDescribed(r huma.Registry, t reflect.Type) bool {
	return t == reflect.TypeFor[db.Date]() || t.Kind() == reflect.String && r.Map()[t.Name()] != nil &&
		t.PkgPath() == reflect.TypeFor[db.Date]().PkgPath()
}
