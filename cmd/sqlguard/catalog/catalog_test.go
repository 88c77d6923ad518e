//go:build !race

// Sequential code: the race detector checks it in the tests of cmd/sqlguard.

package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"waybill/cmd/sqlguard/catalog"
)

func build(t *testing.T, text string) *catalog.Catalog {
	t.Helper()
	c, errs := catalog.Of(text)
	for _, err := range errs {
		t.Fatal(err)
	}
	return c
}

// keys returns a table's keys, each as its columns and its properties.
func keys(table *catalog.Table) []string {
	var all []string
	for _, k := range table.Keys {
		s := strings.Join(k.Columns, "+")
		if k.Primary {
			s += " primary"
		}
		if k.Partial {
			s += " where " + strings.Join(k.Predicate, "+")
		}
		if k.Exprs {
			s += " expression"
		}
		all = append(all, s)
	}
	return all
}

func TestKeysOfEveryKind(t *testing.T) {
	t.Parallel()
	c := build(t, `
CREATE TABLE kennels (
	id bigint PRIMARY KEY, label text UNIQUE, house text, row int, dog text, open boolean, spare int,
	UNIQUE (house, row), CONSTRAINT gone UNIQUE (spare));
CREATE UNIQUE INDEX ON kennels (dog) WHERE open;
CREATE UNIQUE INDEX ON kennels (lower(dog), house);
CREATE UNIQUE INDEX dropped ON kennels (open);
CREATE INDEX ON kennels (open);
DROP INDEX dropped;
ALTER TABLE kennels DROP CONSTRAINT gone, ADD UNIQUE (dog, spare);
ALTER TABLE ONLY kennels RENAME COLUMN house TO yard;
`)
	want := []string{"id primary", "label", "yard+row", "dog where open", "dog+yard expression", "dog+spare"}
	if got := keys(c.Table("", "kennels")); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestColumnsFollowTheMigrations(t *testing.T) {
	t.Parallel()
	c := build(t, `
CREATE TABLE dogs (id int, name text NOT NULL, born date);
ALTER TABLE dogs ADD COLUMN age int GENERATED ALWAYS AS (2020 - extract(year FROM born)) STORED, DROP COLUMN id;
ALTER TABLE dogs ALTER name DROP NOT NULL, ALTER born SET NOT NULL;
ALTER TABLE dogs RENAME TO hounds;
CREATE TABLE puppies (LIKE hounds, mother text);
`)
	hounds := c.Table("", "hounds")
	if len(hounds.Columns) != 3 || hounds.Column("name").NotNull || !hounds.Column("born").NotNull {
		t.Errorf("got %+v", hounds)
	}
	if got := hounds.Base("age"); !slices.Equal(got, []string{"born"}) {
		t.Errorf("age rests on %q", got)
	}
	if c.Table("", "puppies").Column("mother") == nil || c.Table("", "puppies").Column("born") == nil {
		t.Error("puppies lack a column")
	}
	if c.Table("", "dogs").Known() {
		t.Error("dogs are still known")
	}
}

func TestNamesWithSchemasAndQuotes(t *testing.T) {
	t.Parallel()
	c := build(t, `
CREATE SCHEMA billing CREATE TABLE inside (id int PRIMARY KEY);
CREATE TABLE billing.invoices (id int PRIMARY KEY);
CREATE TABLE "Invoices" ("Id" int PRIMARY KEY);
SET search_path = billing, public;
CREATE TABLE dues (id int);
`)
	for _, table := range []*catalog.Table{
		c.Table("billing", "invoices"), c.Table("", "invoices"), c.Table("", "Invoices"), c.Table("billing", "dues"),
	} {
		if !table.Known() {
			t.Errorf("%s is not known", table)
		}
	}
	if got := c.Table("", "Invoices").String() + " " + c.Table("", "dues").String(); got != "Invoices billing.dues" {
		t.Errorf("got %q", got)
	}
}

func TestViewsLeadToTheirTable(t *testing.T) {
	t.Parallel()
	c := build(t, `
CREATE TABLE dogs (id int PRIMARY KEY, gone boolean);
CREATE VIEW here AS SELECT * FROM dogs WHERE NOT gone;
CREATE VIEW here_too (k) AS SELECT id FROM here;
CREATE VIEW pairs AS SELECT d.id FROM dogs d, dogs e;
`)
	if got := c.Updates(c.Table("", "here_too")); got == nil || got.Name != "dogs" {
		t.Errorf("here_too leads to %v", got)
	}
	if got := c.Updates(c.Table("", "pairs")); got != nil {
		t.Errorf("pairs leads to %v", got)
	}
	if c.Table("", "here").Column("gone") == nil || c.Table("", "here_too").Column("k") == nil {
		t.Error("a view lacks a column")
	}
}

func TestTriggersThatWrite(t *testing.T) {
	t.Parallel()
	c := build(t, `
CREATE TABLE dogs (id int PRIMARY KEY, version int, seen timestamptz, "Tag" text, other int);
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	-- NEW.other := 1;
	IF NEW.other = OLD.other THEN NEW."Tag" := 'x'; END IF;
	NEW.version = OLD.version + 1;
	RETURN NEW;
END $$;
CREATE TRIGGER bump BEFORE UPDATE ON dogs FOR EACH ROW EXECUTE FUNCTION bump();
CREATE TRIGGER seen BEFORE INSERT OR UPDATE ON dogs FOR EACH ROW EXECUTE PROCEDURE moddatetime(seen);
CREATE TRIGGER first BEFORE INSERT ON dogs FOR EACH ROW EXECUTE FUNCTION bump();
`)
	got := c.SetByTriggers(c.Table("", "dogs"))
	if want := []string{"Tag", "version", "seen"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBuildSaysWhereItFails(t *testing.T) {
	t.Parallel()
	_, errs := catalog.Of("CREATE TABLE a ();\nCREATE TABEL b ();\nCREATE TABLE c ();")
	if len(errs) != 1 || errs[0].Error() != `schema.sql:2:8: syntax error at or near "TABEL"` {
		t.Errorf("got %v", errs)
	}
}
