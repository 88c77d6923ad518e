package prove

import (
	"regexp"
	"slices"
	"strings"
)

// kind is a PostgreSQL type for which values can be generated.
type kind struct {
	Name    string // from format_type
	Base    string // the base type of a domain, the element type of an array
	Array   bool
	Labels  []string // the labels of an enum
	Columns []kind   // the fields of a composite type
}

// samples are values for each type, as text: the first is the default, which satisfies references; the
// second is the other caller's.
var samples = map[string][]string{
	"smallint": {"1", "2", "0", "7"}, "integer": {"1", "2", "0", "100"}, "bigint": {"1", "2", "0", "100"},
	"numeric": {"1", "2", "0", "100", "0.5", "0.25"}, "real": {"1", "2", "0.5", "0.25"},
	"double precision": {"1", "2", "0.5", "0.25"},
	"boolean":          {"true", "false"},
	"text":             {"x", "y", "", "xxxxxxxx", "x@example.com", "XX", strings.Repeat("a", 64)},
	"uuid":             {"00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"},
	"timestamp with time zone": {"2024-01-01 00:00:00+00", "2024-01-02 00:00:00+00",
		"2999-01-01 00:00:00+00", "2999-01-02 00:00:00+00"},
	"timestamp without time zone": {"2024-01-01 00:00:00", "2024-01-02 00:00:00",
		"2999-01-01 00:00:00", "2999-01-02 00:00:00"},
	"date":                   {"2024-01-01", "2024-01-02", "2999-01-01", "2999-01-02"},
	"time without time zone": {"08:00", "09:00"},
	"interval":               {"1 hour", "2 hours"}, "json": {`{"x": 1}`, `{"y": 2}`, "[]"},
	"jsonb": {`{"x": 1}`, `{"y": 2}`, "[]"},
	"bytea": {`\x01`, `\x02`, `\x` + strings.Repeat("ab", 32)}, "inet": {"10.0.0.1", "10.0.0.2"},
	"cidr":  {"10.0.0.0/8", "192.168.0.0/16"},
	"money": {"1", "2"}, "xml": {"<x/>", "<y/>"}, "bit": {"1", "0"}, "tsvector": {"x", "y"}, "pg_lsn": {"0/1", "0/2"},
}

// isTime reports whether the type is a date or timestamp.
func (k kind) isTime() bool { return strings.HasPrefix(k.Base, "timestamp") || k.Base == "date" }

// candidates returns values for a type as text: those of the two callers first, then the constants from
// queries and checks.
func (k kind) candidates(constants []string) []string {
	var all []string
	switch {
	case len(k.Labels) > 0:
		all = k.Labels
	case len(k.Columns) > 0:
		all = []string{k.record(0), k.record(1)}
	case samples[k.Base] != nil:
		all = samples[k.Base]
	case strings.HasPrefix(k.Base, "character") || k.Base == "citext" || k.Base == "name":
		all = samples["text"]
	case strings.Contains(k.Base, "range"):
		all = []string{"empty"}
	default:
		all = []string{"1", "2", "x"}
	}
	all = slices.Clone(all)
	for _, c := range constants {
		if !slices.Contains(all, c) && k.reads(c) {
			all = append(all, c)
		}
	}
	if k.Array {
		for i, v := range all {
			all[i] = array(v)
		}
		all = append(all, "{}")
	}
	return all
}

// forms match the text form of values of types other than text.
var forms = map[string]*regexp.Regexp{
	"smallint": number, "integer": number, "bigint": number, "numeric": number, "real": number,
	"double precision": number, "money": number,
	"uuid": regexp.MustCompile(`^[0-9a-fA-F-]{36}$`), "boolean": regexp.MustCompile(`^(true|false)$`),
	"timestamp with time zone": date, "timestamp without time zone": date, "date": date,
	"interval": regexp.MustCompile(`^\d+ \w+$`),
	"json":     document, "jsonb": document, "bytea": regexp.MustCompile(`^\\x`),
	"inet": regexp.MustCompile(`^[\d.:/]+$`),
}

var (
	number   = regexp.MustCompile(`^-?\d+(\.\d+)?$`)
	date     = regexp.MustCompile(`^\d{4}-\d\d-\d\d`)
	document = regexp.MustCompile(`^[\[{"]`)
)

// reads reports whether a constant is a valid value of the type.
func (k kind) reads(constant string) bool {
	form := forms[k.Base]
	return len(k.Labels) == 0 && len(k.Columns) == 0 && (form == nil || form.MatchString(constant))
}

// named returns the constants of a query that are valid values of the type.
func (k kind) named(constants []string) []string {
	var all []string
	for _, c := range constants {
		if !k.Array && (k.reads(c) || slices.Contains(k.Labels, c)) {
			all = append(all, c)
		}
	}
	return all
}

// record returns a composite value made of each field's nth candidate.
func (k kind) record(nth int) string {
	var fields []string
	for _, c := range k.Columns {
		all := c.candidates(nil)
		fields = append(fields, quoteIn(all[min(nth, len(all)-1)]))
	}
	return "(" + strings.Join(fields, ",") + ")"
}

func array(v string) string { return "{" + quoteIn(v) + "}" }

// quoteIn quotes a value inside an array or a record.
func quoteIn(v string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
}

// plain formats a value for display.
func (k kind) plain(v *string) string {
	switch {
	case v == nil:
		return "NULL"
	case samples[k.Name] != nil && strings.Trim(*v, "0123456789.") == "" && *v != "" && k.Name != "text":
		return *v
	}
	return "'" + strings.ReplaceAll(*v, "'", "''") + "'"
}

// literal returns a value as an SQL literal; nil is NULL.
func (k kind) literal(v *string) string {
	if v == nil {
		return "NULL::" + k.Name
	}
	return "E'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(*v) + "'::" + k.Name
}
