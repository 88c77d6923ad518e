package prove

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// table describes a table of the throwaway database.
type table struct {
	Name     string // quoted and schema-qualified
	Columns  []column
	Parents  []string // the tables it references
	Literals []string // the constants in its checks

	oid    uint32
	checks map[string][]string // the columns of each constraint by its name
	base   []*string           // a row that satisfies its checks
}

type column struct {
	Name     string // quoted
	Kind     kind
	Nullable bool
	Filled   bool // it has a default or is an identity column
	Key      bool // part of the primary key or of a foreign key
	Unique   bool
}

// reader reads the definitions of tables and types from the database.
type reader struct {
	ctx   context.Context
	conn  *pgx.Conn
	kinds map[uint32]kind
}

const columnsOf = `
SELECT quote_ident(a.attname), a.atttypid, NOT a.attnotnull, a.atthasdef OR a.attidentity <> '',
    EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype IN ('p', 'f')
        AND a.attnum = ANY (c.conkey)),
    EXISTS (SELECT FROM pg_index x WHERE x.indrelid = a.attrelid AND x.indisunique AND a.attnum = ANY (x.indkey))
FROM pg_attribute a
WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum`

func (r *reader) table(name string) (*table, error) {
	t := &table{Name: name, checks: map[string][]string{}}
	if err := r.conn.QueryRow(r.ctx, "SELECT $1::regclass::oid", name).Scan(&t.oid); err != nil {
		return nil, err
	}
	rows, err := r.conn.Query(r.ctx, columnsOf, name)
	if err != nil {
		return nil, err
	}
	var types []uint32
	for rows.Next() {
		var c column
		var oid uint32
		if err := rows.Scan(&c.Name, &oid, &c.Nullable, &c.Filled, &c.Key, &c.Unique); err != nil {
			return nil, err
		}
		t.Columns, types = append(t.Columns, c), append(types, oid)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i, oid := range types {
		if t.Columns[i].Kind, err = r.kind(oid); err != nil {
			return nil, err
		}
	}
	return t, r.constraints(t)
}

var literals = regexp.MustCompile(`'((?:[^']|'')*)'|\b\d+\b`)

const constraintsOf = `
SELECT conname, contype::text, coalesce(confrelid::regclass::text, ''), pg_get_constraintdef(oid),
    ARRAY(SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = conrelid
        AND a.attnum = ANY (conkey))::text[]
FROM pg_constraint WHERE conrelid = $1::regclass AND conparentid = 0`

func (r *reader) constraints(t *table) error {
	rows, err := r.conn.Query(r.ctx, constraintsOf, t.Name)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, kind, parent, text string
		var columns []string
		if err := rows.Scan(&name, &kind, &parent, &text, &columns); err != nil {
			return err
		}
		t.checks[name] = columns
		switch {
		case kind == "f" && parent != t.Name && !slices.Contains(t.Parents, parent):
			t.Parents = append(t.Parents, parent)
		case kind == "c":
			t.Literals = append(t.Literals, constants(text)...)
		}
	}
	return rows.Err()
}

// constants returns the literals in a text.
func constants(text string) []string {
	var all []string
	for _, m := range literals.FindAllStringSubmatch(text, -1) {
		v := strings.ReplaceAll(m[1], "''", "'")
		if m[0][0] != '\'' {
			v = m[0]
		}
		if n, err := strconv.Atoi(v); err == nil { // and the next greater value
			all = append(all, strconv.Itoa(n+1))
		}
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

const typeOf = `
SELECT format_type(t.oid, NULL), t.typtype::text, t.typbasetype,
    CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, t.typrelid,
    ARRAY(SELECT e.enumlabel FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)::text[]
FROM pg_type t WHERE t.oid = $1`

// kind reads a type.
func (r *reader) kind(oid uint32) (kind, error) {
	if k, ok := r.kinds[oid]; ok {
		return k, nil
	}
	var k kind
	var class string
	var base, element, relation uint32
	if err := r.conn.QueryRow(r.ctx, typeOf, oid).
		Scan(&k.Name, &class, &base, &element, &relation, &k.Labels); err != nil {
		return k, err
	}
	k.Base = k.Name
	inner := base
	if element != 0 {
		inner, k.Array = element, true
	}
	var err error
	if inner != 0 {
		var of kind
		of, err = r.kind(inner)
		k.Base, k.Labels, k.Columns, k.Array = of.Base, of.Labels, of.Columns, k.Array || of.Array
	}
	if class == "c" && err == nil {
		k.Columns, err = r.fields(relation)
	}
	r.kinds[oid] = k
	return k, err
}

// fields returns the types of a composite type's fields.
func (r *reader) fields(relation uint32) ([]kind, error) {
	rows, err := r.conn.Query(r.ctx,
		"SELECT atttypid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
		relation)
	if err != nil {
		return nil, err
	}
	oids, err := pgx.CollectRows(rows, pgx.RowTo[uint32])
	if err != nil {
		return nil, err
	}
	var all []kind
	for _, oid := range oids {
		k, err := r.kind(oid)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}
