package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Clearable is a member of an edit that can be omitted (unchanged), null (cleared) or set.
type Clearable[T any] struct {
	Sent  bool
	Value *T // nil for null
}

// UnmarshalJSON is called only for members that were sent.
func (c *Clearable[T]) UnmarshalJSON(data []byte) error {
	c.Sent = true
	return json.Unmarshal(data, &c.Value)
}

// MarshalJSON returns the value, or null.
func (c Clearable[T]) MarshalJSON() ([]byte, error) { return json.Marshal(c.Value) }

// IsZero lets omitzero omit what was not sent.
func (c Clearable[T]) IsZero() bool { return !c.Sent }

func (Clearable[T]) clears() reflect.Type { return reflect.TypeFor[T]() }

// clearing is a member that null clears; clears returns the type of its value.
type clearing interface{ clears() reflect.Type }

// Schema implements huma.SchemaProvider: a nullable T.
func (c Clearable[T]) Schema(r huma.Registry) *huma.Schema {
	return orNull(*r.Schema(reflect.TypeFor[T](), true, ""))
}
