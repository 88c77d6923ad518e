package localpg

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// App is granted with the admin option: since PostgreSQL 16 CREATEROLE alone does not let the owner
// change roles that others created.
const createRoles = `
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '` + Owner + `') THEN
        CREATE ROLE ` + Owner + ` LOGIN CREATEDB CREATEROLE;
        CREATE ROLE ` + App + ` LOGIN;
        GRANT ` + App + ` TO ` + Owner + ` WITH ADMIN OPTION;
    END IF;
END $$`

// setUp creates the roles and the database. It runs at each start, so that the next start completes
// what a killed process left.
func (s *Server) setUp(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.socketURL(Superuser, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, createRoles); err != nil {
		return err
	}
	if err := s.setPasswords(ctx, conn); err != nil {
		return err
	}
	return createDatabase(ctx, conn)
}

// setPasswords makes the database match the password file, whichever of them is new.
func (s *Server) setPasswords(ctx context.Context, conn *pgx.Conn) error {
	for role, password := range s.passwords {
		if _, err := conn.Exec(ctx, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", role, password)); err != nil {
			return err
		}
	}
	return nil
}

func createDatabase(ctx context.Context, conn *pgx.Conn) error {
	var exists bool
	err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", Database).Scan(&exists)
	if err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s", Database, Owner))
	return err
}

// URL returns a connection URL: over TCP with the role's password if Options.TCP is set, otherwise
// through the Unix socket without a password. [Owner], [App] and [Superuser] may log in.
func (s *Server) URL(role, database string) string {
	if s.passwords == nil {
		return s.socketURL(role, database)
	}
	return (&url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(role, s.passwords[role]),
		Host:     "127.0.0.1:" + strconv.Itoa(s.port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}).String()
}

func (s *Server) socketURL(role, database string) string {
	query := url.Values{"host": {s.folder.socket}, "port": {strconv.Itoa(s.port)}}.Encode()
	return (&url.URL{
		Scheme:   "postgres",
		User:     url.User(role),
		Path:     "/" + database,
		RawQuery: strings.ReplaceAll(query, "%2F", "/"), // more readable, and equivalent
	}).String()
}
