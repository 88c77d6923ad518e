package db

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// Date is a calendar date without a time zone: "1990-05-17" in JSON.
type Date struct{ day time.Time }

// ParseDate parses a date of the form 1990-05-17, from 0001-01-01 to 9999-12-31.
func ParseDate(text string) (Date, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil || day.Year() < 1 {
		return Date{}, fmt.Errorf("not a date of the form %s", time.DateOnly)
	}
	return Date{day}, nil
}

// String returns the form that ParseDate parses.
func (d Date) String() string { return d.day.Format(time.DateOnly) }

// Year returns the year.
func (d Date) Year() int { return d.day.Year() }

// After reports whether the date begins, in UTC, after t.
func (d Date) After(t time.Time) bool { return d.day.After(t) }

// MarshalJSON returns the form that ParseDate parses.
func (d Date) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON accepts only that form.
func (d *Date) UnmarshalJSON(data []byte) error {
	var text string
	err := json.Unmarshal(data, &text)
	if err == nil {
		*d, err = ParseDate(text)
	}
	return err
}

// ScanDate implements pgtype.DateScanner.
func (d *Date) ScanDate(v pgtype.Date) error {
	if !v.Valid || v.InfinityModifier != pgtype.Finite {
		return fmt.Errorf("not a day of the calendar")
	}
	d.day = v.Time
	return nil
}

// DateValue implements pgtype.DateValuer.
func (d Date) DateValue() (pgtype.Date, error) {
	return pgtype.Date{Time: d.day, Valid: true}, nil
}
