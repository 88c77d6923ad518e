package squawk

import "waybill/cmd/schemaguard/finding"

// ours are squawk's rules that package shape, or the statements of the base, judge: they know which tables have
// rows, what the change itself has made, and what runs the migrations.
var ours = map[string]bool{
	"adding-field-with-default": true, "adding-foreign-key-constraint": true, "adding-not-nullable-field": true,
	"adding-required-field": true, "adding-serial-primary-key-field": true, "changing-column-type": true,
	"constraint-missing-not-valid": true, "disallowed-unique-constraint": true,
	"ban-concurrent-index-creation-in-transaction": true, "require-concurrent-index-creation": true,
	"require-concurrent-index-deletion": true, "require-concurrent-reindex": true, "prefer-robust-stmts": true,
	"require-lock-timeout": true, "require-statement-timeout": true, "require-timeout-settings": true,
	"ban-drop-column": true, "ban-drop-table": true, "renaming-column": true, "renaming-table": true,
	"ban-drop-not-null": true, "prefer-repack": true, "syntax-error": true, "require-table-schema": true,
	"require-enum-value-ordering": true, "prefer-bigint-over-smallint": true,
}

// tastes are told: what they find is right for many columns.
var tastes = map[string]bool{"prefer-bigint-over-int": true, "prefer-text-field": true, "prefer-identity": true}

// words are the rules for what squawk alone knows, by its names.
var words = map[string]finding.Rule{
	"ban-char-field": {
		Name: "blank-padded-text",
		Load: "values are padded with blanks, and comparisons ignore them: two keys that differ for the program are " +
			"one",
		Safe: "text, with a CHECK of its length",
	},
	"prefer-timestamp-tz": {
		Name: "time-without-zone",
		Load: "PostgreSQL drops the offset of what the program sends: times are wrong by hours, from another " +
			"session's zone",
		Safe: "timestamptz",
	},
	"prefer-text-field": {
		Name: "varying-text",
		Load: "another limit is another type of the column, under ACCESS EXCLUSIVE",
		Safe: "text, with a CHECK of its length: it changes by NOT VALID and VALIDATE",
	},
	"prefer-bigint-over-int": {
		Name: "number-may-overflow",
		Load: "after 2,147,483,647 each insert fails (SQLSTATE 22003), and another type writes the table anew",
		Safe: "bigint for what is counted on; a waiver where the values are few",
	},
	"prefer-identity": {
		Name: "serial-column",
		Load: "the sequence has grants of its own, which a GRANT on the table does not give: inserts fail",
		Safe: "GENERATED ALWAYS AS IDENTITY",
	},
	"ban-create-domain-with-constraint": {
		Name: "domain-constraint",
		Load: "another CHECK reads each table with a column of the domain, all of them locked",
		Safe: "the base type, with a CHECK on the column",
	},
	"ban-alter-domain-with-add-constraint": {
		Name: "domain-constraint",
		Load: "each table with a column of the domain is read, all of them locked",
		Safe: "a CHECK on the columns, NOT VALID, then VALIDATE",
	},
	"ban-truncate-cascade": {
		Name: "rewrites-table",
		Load: "all tables that refer to it are emptied too",
		Safe: "deletes in batches",
	},
	"transaction-nesting": {
		Name: "transaction-in-migration",
		Load: "goose's own transaction ends in the middle: what follows is not undone when it fails",
		Safe: "-- +goose NO TRANSACTION, and statements that can run again",
	},
	"ban-uncommitted-transaction": {
		Name: "transaction-in-migration",
		Load: "the transaction stays open with its locks",
		Safe: "-- +goose NO TRANSACTION, and statements that can run again",
	},
	"require-concurrent-partition-detach": {
		Name: "detach-blocks",
		Load: "everybody who reads or writes the table waits (ACCESS EXCLUSIVE)",
		Safe: "-- +goose NO TRANSACTION; ALTER TABLE … DETACH PARTITION … CONCURRENTLY",
	},
	"identifier-too-long": {
		Name: "name-too-long",
		Load: "PostgreSQL cuts the name at 63 bytes: programs that look for it, as for a constraint's code, find none",
		Safe: "a shorter name",
	},
	"ban-drop-database": {
		Name: "drops-database",
		Load: "everything is gone",
		Safe: "an operator's command, by hand",
	},
}
