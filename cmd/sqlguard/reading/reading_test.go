//go:build !race

// Sequential code: the race detector checks it in the tests of cmd/sqlguard.

package reading_test

import (
	"slices"
	"strings"
	"testing"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

const schema = `
CREATE TABLE dogs (id int PRIMARY KEY, name text, weight int);
CREATE TABLE kennels (id int PRIMARY KEY, dog_id int, label text);
CREATE VIEW heavy (k, w) AS SELECT id, weight FROM dogs WHERE weight > 40;
`

// read parses one statement against the schema.
func read(t *testing.T, text string) *reading.Statement {
	t.Helper()
	c, errs := catalog.Of(schema)
	nodes, err := syntax.Parse(text)
	if len(errs) > 0 || err != nil {
		t.Fatal(errs, err)
	}
	return reading.Read(c, nodes[0])
}

// outputs returns a block's columns, each with its origin.
func outputs(b *reading.Block) []string {
	var all []string
	for _, o := range b.Outputs {
		from := []string{}
		for _, s := range o.From {
			from = append(from, name(s))
		}
		all = append(all, o.Name+"="+strings.Join(from, "+"))
	}
	return all
}

func name(s reading.Source) string {
	switch s.Origin {
	case reading.FromParam:
		return "param"
	case reading.FromClock:
		return "clock"
	case reading.FromElsewhere:
		return "elsewhere"
	}
	text := s.Relation.Table.Name + "." + s.Column
	if s.Relation.Locked {
		text += "!"
	}
	return text
}

func TestOutputsLeadBackToTheirTables(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT d.id, name AS n, weight + $1 AS w FROM dogs d": "id=dogs.id n=dogs.name w=dogs.weight+param",
		"SELECT * FROM dogs": "id=dogs.id name=dogs.name weight=dogs.weight",
		"WITH l AS (SELECT * FROM dogs FOR UPDATE), m (a, b) AS (SELECT id, weight FROM l) SELECT " +
			"b FROM m": "b=dogs.weight!",
		"SELECT s.label FROM (SELECT label FROM kennels) s FOR NO " +
			"KEY UPDATE": "label=kennels.label!",
		"SELECT k, w " +
			"FROM heavy": "k=dogs.id w=dogs.weight",
		"SELECT u.b FROM unnest($1::int[], $2::int[]) AS " +
			"u (a, b)": "b=param",
		"SELECT now() AS t, random() AS r, " +
			"1 AS one": "t=clock r=elsewhere one=",
		"SELECT (SELECT max(weight) FROM dogs) AS m FROM " +
			"kennels": "m=dogs.weight",
		"SELECT id FROM dogs UNION ALL SELECT dog_id FROM " +
			"kennels": "id=dogs.id+kennels.dog_id",
		"SELECT d.name, label FROM dogs d JOIN kennels k ON k.dog_id = d.id FOR " +
			"UPDATE OF k": "name=dogs.name label=kennels.label!",
		"WITH m AS (UPDATE dogs SET name = $1 RETURNING id, name) SELECT " +
			"* FROM m": "id=dogs.id name=dogs.name",
		"SELECT x.column2 FROM (VALUES (1, $1), (2, " +
			"now())) x": "column2=param+clock",
		"SELECT d.id FROM dogs d, LATERAL (SELECT d.weight " +
			"AS w) l": "id=dogs.id",
		"WITH RECURSIVE r AS (SELECT id FROM dogs UNION SELECT k.dog_id FROM r JOIN kennels k ON k.id = r.id) SELECT " +
			"id FROM r": "id=dogs.id+kennels.dog_id",
		"SELECT unknown_name " +
			"FROM dogs": "unknown_name=elsewhere",
	} {
		if got := strings.Join(outputs(read(t, text).Root), " "); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestWritesAreFoundWhereverTheyStand(t *testing.T) {
	t.Parallel()
	s := read(t, `WITH a AS (UPDATE dogs SET name = 'x' RETURNING id), b AS (DELETE FROM kennels RETURNING id)
INSERT INTO dogs (id, name) SELECT id, 'y' FROM a ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name`)
	var got []string
	for _, w := range s.Writes {
		got = append(got, w.Target.Table.Name)
	}
	if want := []string{"dogs", "kennels", "dogs"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if up := s.Writes[2]; up.Op != reading.Upsert || !slices.Equal(up.Conflict, []string{"id"}) {
		t.Errorf("got %+v", up)
	}
}

func TestUpstreamLeavesTheListOfInputsAlone(t *testing.T) {
	t.Parallel()
	s := read(t, "WITH a AS (SELECT id FROM dogs), b AS (SELECT id FROM a) UPDATE dogs SET name = 'x' FROM b WHERE "+
		"dogs.id = b.id")
	inputs := slices.Clone(s.Root.Inputs)
	for range 2 {
		if got := reading.Upstream(s.Root.Inputs...); len(got) != 2 || !slices.Equal(s.Root.Inputs, inputs) {
			t.Errorf("got %d blocks, and inputs %v, were %v", len(got), s.Root.Inputs, inputs)
		}
	}
}

func TestOuterJoinsAreNoConditions(t *testing.T) {
	t.Parallel()
	s := read(t, "SELECT FROM dogs d LEFT JOIN kennels k ON k.dog_id = d.id AND k.label = 'x' JOIN dogs e USING (id) "+
		"WHERE d.id = 1")
	outer := 0
	for _, c := range s.Root.Conditions {
		if c.Outer {
			outer++
		}
	}
	if outer != 2 || len(s.Root.Conditions) != 4 {
		t.Errorf("%d of %d conditions are outer", outer, len(s.Root.Conditions))
	}
}
