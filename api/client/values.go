package client

import (
	"encoding/json"
	"time"
)

// Meta is what an answer says of its row besides the members of that. The row of a list has none.
type Meta struct {
	// ETag is the version of the row, for IfMatch; edits send it.
	ETag string
	// Replayed says that an earlier request of the same intent had taken effect.
	Replayed bool
	// DryRun says that nothing was written: the row is what the write would answer, and has no ETag.
	DryRun bool
}

func (m *Meta) meta() *Meta { return m }

// Nullable is a member that an edit leaves as it is (the zero value), sets, or clears.
type Nullable[T any] struct {
	value   *T
	isGiven bool
}

// Set returns a member with a value.
func Set[T any](value T) Nullable[T] { return Nullable[T]{&value, true} }

// Null returns a member that clears what was there.
func Null[T any]() Nullable[T] { return Nullable[T]{nil, true} }

// IsZero reports whether the member is left out.
func (n Nullable[T]) IsZero() bool { return !n.isGiven }

// MarshalJSON implements json.Marshaler.
func (n Nullable[T]) MarshalJSON() ([]byte, error) { return json.Marshal(n.value) }

// Date is a day, such as that of a birth.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads a day as in "1990-05-17".
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Date{}, err
	}
	return Date{t.Year(), t.Month(), t.Day()}, nil
}

// String returns a day as in "1990-05-17".
func (d Date) String() string {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// MarshalText implements encoding.TextMarshaler.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDate(string(text))
	return err
}
