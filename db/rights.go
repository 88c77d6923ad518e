package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
)

// What a first deployment may lack: a role, a membership or a privilege. Each error is one sentence
// with the command that fixes it.

// setupCommand returns the command that creates everything for a database and its owner.
func setupCommand(database, owner string) string {
	return fmt.Sprintf("waybill setup --database %s --owner %s | sudo -u postgres psql", database, owner)
}

// checkRights applies only before the first migration: later ones change what it created.
func (m *Migrator) checkRights(ctx context.Context) error {
	rights, err := New(m.admin).GetOwnerRights(ctx)
	if err != nil {
		return err
	}
	return rights.missing()
}

// missing returns an error for the first privilege that the migrations need and the role lacks.
func (r GetOwnerRightsRow) missing() error {
	owner, database := quote(r.RoleName), quote(r.DatabaseName)
	setup := setupCommand(database, owner)
	switch {
	case r.RoleName == AppRole && !r.MayCreate:
		return fmt.Errorf("%s is the application's role, which must not own the schema: "+
			"migrations run as its owner, whose URL is the DATABASE_URL of waybill migrate", AppRole)
	case !r.AppExists && !r.MayCreateRole:
		return fmt.Errorf("the role %s is missing, and %s may not create it: run: %s", AppRole, owner, setup)
	case r.AppExists && !r.IsMember && !r.MayGrant:
		return fmt.Errorf("%[1]s is no member of %[2]s, and may not make itself one: run: %[3]s (or, as a superuser: "+
			"GRANT %[2]s TO %[1]s;)", owner, AppRole, setup)
	case !r.MayCreate:
		return fmt.Errorf("%[1]s may not create tables in the schema public of %[2]s: run: %[3]s (or, as a "+
			"superuser: ALTER DATABASE %[2]s OWNER TO %[1]s;)",
			owner, database, setup)
	}
	return nil
}

func quote(name string) string {
	for _, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return pgx.Identifier{name}.Sanitize()
		}
	}
	return name
}

// explain returns a better error if a migrator's error is about the role.
func (m *Migrator) explain(err error) error {
	var refused *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, goose.ErrNoNextVersion):
		return err
	case isConnectError(err):
		return ConnectAdvice(err, m.config)
	case errors.As(err, &refused) && refused.Code == "42501":
		return fmt.Errorf("%s may not do that: migrations run as the owner of the schema, whose URL is the "+
			"DATABASE_URL of waybill migrate", quote(cmp.Or(m.config.RuntimeParams["role"], m.config.User)))
	}
	return err
}

// ConnectAdvice explains why no connection could be established, and how to fix it. It contains neither
// the password nor the URL. Unrelated errors are returned unchanged.
func ConnectAdvice(err error, c *pgconn.Config) error {
	var refused *pgconn.PgError
	var reason NotWritable
	switch {
	case errors.As(err, &reason):
		return reason
	case c == nil || !errors.As(err, &refused):
		return err
	}
	user, database := quote(c.User), quote(c.Database)
	switch refused.Code {
	case "28P01":
		return fmt.Errorf(
			"the database refuses the password of %s: set it by psql's \\password %[1]s, and in DATABASE_URL", user)
	case "28000":
		return fmt.Errorf(
			"the database does not let %s log in (pg_hba.conf, or the role has no LOGIN: ALTER ROLE %[1]s LOGIN)", user)
	case "3D000":
		return fmt.Errorf("there is no database %s: it is made by: %s", database,
			setupCommand(database, "waybill_owner"))
	case "08P01":
		if strings.HasPrefix(refused.Message, "unsupported startup parameter") {
			return errors.New("a connection pooler refuses the settings of a session: set WAYBILL_POOLER=true, and " +
				"run what this prints: waybill pooler")
		}
	case "22023": // invalid parameter role
		if c.RuntimeParams["role"] == AppRole {
			return ErrNoSchema
		}
	case "42501":
		if c.RuntimeParams["role"] == AppRole {
			return fmt.Errorf("%s may not become %s: run, as a superuser: GRANT %[2]s TO %[1]s; or log in as %[2]s",
				user, AppRole)
		}
	}
	return err
}
