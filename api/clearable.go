package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Clearable is a member of an edit that can be left out (stays as it is), null (is
// cleared), or given.
type Clearable[T any] struct {
	Sent  bool
	Value *T // nil for null
}

// UnmarshalJSON is called only for what was sent.
func (c *Clearable[T]) UnmarshalJSON(data []byte) error {
	c.Sent = true
	return json.Unmarshal(data, &c.Value)
}

// MarshalJSON gives the value, or null.
func (c Clearable[T]) MarshalJSON() ([]byte, error) { return json.Marshal(c.Value) }

// IsZero makes omitzero leave out what was not sent.
func (c Clearable[T]) IsZero() bool { return !c.Sent }

func (Clearable[T]) clears() reflect.Type { return reflect.TypeFor[T]() }

// clearing is a member that null clears, of some type else.
type clearing interface{ clears() reflect.Type }

// Schema is that of a nullable T.
func (c Clearable[T]) Schema(r huma.Registry) *huma.Schema {
	s := *r.Schema(reflect.TypeFor[T](), true, "")
	s.Nullable = true
	return &s
}
