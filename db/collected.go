package db

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// collected are rows that were read before they are used: until what is sent after them has been answered, they are
// no answer.
type collected struct {
	fields []pgconn.FieldDescription
	rows   [][][]byte
	tag    pgconn.CommandTag
	types  *pgtype.Map
	at     int
	err    error
	end    func() // nil once it was called
}

// collect reads all rows. Their types stay those of the connection, which must be free until they are closed.
func collect(rows pgx.Rows, types *pgtype.Map) (*collected, error) {
	c := &collected{fields: slices.Clone(rows.FieldDescriptions()), types: types, at: -1}
	for rows.Next() {
		row := slices.Clone(rows.RawValues())
		for i, value := range row {
			row[i] = slices.Clone(value) // NULL stays nil
		}
		c.rows = append(c.rows, row)
	}
	c.tag = rows.CommandTag()
	return c, rows.Err()
}

// Close implements pgx.Rows.
func (c *collected) Close() {
	c.at = len(c.rows)
	if c.end != nil {
		c.end()
		c.end = nil
	}
}

// Err implements pgx.Rows.
func (c *collected) Err() error { return c.err }

// CommandTag implements pgx.Rows.
func (c *collected) CommandTag() pgconn.CommandTag { return c.tag }

// FieldDescriptions implements pgx.Rows.
func (c *collected) FieldDescriptions() []pgconn.FieldDescription { return c.fields }

// Next implements pgx.Rows.
func (c *collected) Next() bool {
	c.at++
	if c.at < len(c.rows) && c.err == nil {
		return true
	}
	c.Close()
	return false
}

// Scan implements pgx.Rows.
func (c *collected) Scan(dest ...any) error {
	if err := pgx.ScanRow(c.types, c.fields, c.rows[c.at], dest...); err != nil {
		c.err = err
		c.Close()
	}
	return c.err
}

// Values implements pgx.Rows.
func (c *collected) Values() ([]any, error) {
	values := make([]any, len(c.fields))
	for i, f := range c.fields {
		t, ok := c.types.TypeForOID(f.DataTypeOID)
		if !ok {
			return nil, errors.New("a type that is not known")
		}
		var err error
		if values[i], err = t.Codec.DecodeValue(c.types, f.DataTypeOID, f.Format, c.rows[c.at][i]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// RawValues implements pgx.Rows.
func (c *collected) RawValues() [][]byte { return c.rows[c.at] }

// Conn implements pgx.Rows.
func (c *collected) Conn() *pgx.Conn { return nil }

// TypeMap implements pgx.Rows.
func (c *collected) TypeMap() *pgtype.Map { return c.types }
