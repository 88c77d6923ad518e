package catalog

import "waybill/cmd/schemaguard/finding"

// The rules, each of which has a statement of its name in sql.
var rules = []finding.Rule{Keyless, Tenantless, Exposed, Invalid, Unvalidated, Unindexed, Unmapped}

// tail ends the message of a rule.
var tail = map[string]string{"constraint-without-code": " has no error code"}

var (
	// Keyless is the rule that each table has a key.
	Keyless = finding.Rule{
		Name: "table-without-key",
		Load: "no row can be told from its copy: replication cannot update it, and a write in batches cannot go on " +
			"from where it was",
		Safe: "PRIMARY KEY, with the tenant first",
	}
	// Tenantless is the rule that each row has its tenant.
	Tenantless = finding.Rule{
		Name: "table-without-tenant",
		Load: "no statement can be kept to one tenant, no foreign key holds across tenants, and the table cannot be " +
			"distributed by tenant",
		Safe: "a tenant column that is NOT NULL, first in the primary key and in every foreign key; or a waiver that " +
			"says why the rows are of no tenant",
	}
	// Exposed is the rule that data of people is under row-level security.
	Exposed = finding.Rule{
		Name: "private-without-row-security",
		Load: "a query that forgets its viewer shows everybody's data, and PostgreSQL's log repeats the values of " +
			"refused rows",
		Safe: "ALTER TABLE … ENABLE ROW LEVEL SECURITY, and CREATE POLICY … in the transaction that creates the table",
	}
	// Invalid is the rule that each index is used.
	Invalid = finding.Rule{
		Name: "invalid-index",
		Load: "each write pays for the index and no read uses it; a unique one refuses nobody's rows of before",
		Safe: "DROP INDEX CONCURRENTLY IF EXISTS x before CREATE INDEX CONCURRENTLY x, without IF NOT EXISTS",
	}
	// Unvalidated is the rule that a constraint holds for all rows.
	Unvalidated = finding.Rule{
		Name: "unvalidated-constraint",
		Load: "rows of before break the constraint, and the planner does not rely on it",
		Safe: "ALTER TABLE … VALIDATE CONSTRAINT …, in a later statement without a transaction around both",
	}
	// Unindexed is the rule that each foreign key has an index.
	Unindexed = finding.Rule{
		Name: "foreign-key-without-index",
		Load: "each DELETE of a referenced row, and each UPDATE of its key, reads the whole referencing table",
		Safe: "CREATE INDEX CONCURRENTLY on the columns of the key, or a waiver that says why such rows stay",
	}
	// Unmapped is the rule that each refusal has its code.
	Unmapped = finding.Rule{
		Name: "constraint-without-code",
		Load: "a row that it refuses is answered by 500 where the client should be told what to correct",
		Safe: "a line for its name in the project's file of constraints (db/constraints.go), with its code and " +
			"field, or a name that says them",
	}
)
