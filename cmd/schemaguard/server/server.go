// Package server gives the gate databases: a PostgreSQL of its own, and in it a database for each schema.
package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/schemaguard/migration"
	"waybill/cmd/schemaguard/settings"
	"waybill/db/localpg"
)

// Server is a PostgreSQL that is deleted by [Server.Stop]. Its methods may be called concurrently.
type Server struct {
	pg       *localpg.Server
	settings *settings.Settings

	// Memory is for what a statement is on a schema, by both.
	Memory sync.Map

	mu        sync.Mutex
	templates map[string]*template
	made      int
}

// template is a migrated database that is cloned.
type template struct {
	once sync.Once
	name string
	err  error
}

// Start starts a server.
func Start(ctx context.Context, s *settings.Settings) (*Server, error) {
	pg, err := localpg.Start(ctx, localpg.Options{Settings: map[string]string{
		"max_locks_per_transaction": "256",
		"jit":                       "off", // arguments are NULL, so that what is compiled would hardly run
	}})
	if err != nil {
		return nil, err
	}
	server := &Server{pg: pg, settings: s, templates: map[string]*template{}}
	if err := server.run(ctx, "postgres", roles(s)...); err != nil {
		return nil, errors.Join(err, pg.Stop())
	}
	return server, nil
}

// roles are the statements that create the settings' roles.
func roles(s *settings.Settings) (all []string) {
	if s.Superuser {
		all = append(all, "ALTER ROLE "+localpg.Owner+" SUPERUSER")
	}
	for _, role := range append(slices.Clone(s.Roles), s.Role) {
		if role != "" && role != localpg.App && role != localpg.Owner {
			all = append(all, "CREATE ROLE "+pgx.Identifier{role}.Sanitize()+" LOGIN",
				"GRANT "+pgx.Identifier{role}.Sanitize()+" TO "+localpg.Owner+" WITH ADMIN OPTION")
		}
	}
	return all
}

// Stop stops the server, and deletes it.
func (s *Server) Stop() error { return s.pg.Stop() }

// Migrated returns a new database to which the migrations are applied. Those that were asked for before are
// cloned.
func (s *Server) Migrated(ctx context.Context, all []*migration.Migration) (*Database, error) {
	sum := schemaOf(all)
	d, err := s.Prepared(ctx, sum, func() (*Database, error) { return s.migrate(ctx, all) })
	if err == nil {
		d.Schema = sum
	}
	return d, err
}

// Prepared returns a new database that is like the one that make made, when it was first called for this key.
func (s *Server) Prepared(ctx context.Context, key string, make func() (*Database, error)) (*Database, error) {
	s.mu.Lock()
	t := s.templates[key]
	if t == nil {
		t = &template{}
		s.templates[key] = t
	}
	s.mu.Unlock()
	t.once.Do(func() {
		var d *Database
		if d, t.err = make(); t.err == nil {
			t.name = d.Name
		}
	})
	if t.err != nil {
		return nil, t.err
	}
	return s.Clone(ctx, t.name)
}

// schemaOf returns a digest of migrations.
func schemaOf(all []*migration.Migration) string {
	key := sha256.New()
	for _, m := range all {
		fmt.Fprintf(key, "%s %d\n%s", m.Path, len(m.Text), m.Text)
	}
	return hex.EncodeToString(key.Sum(nil))
}

func (s *Server) migrate(ctx context.Context, all []*migration.Migration) (*Database, error) {
	d, err := s.Clone(ctx, "template0")
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx, d.Name, s.settings.Setup...); err != nil {
		return nil, fmt.Errorf("setup: %w", err)
	}
	return d, d.Up(ctx, all)
}

// Clone returns a new database with what another has. Nobody may be connected to that one.
func (s *Server) Clone(ctx context.Context, from string) (*Database, error) {
	s.mu.Lock()
	s.made++
	d := &Database{Name: fmt.Sprintf("gate_%d", s.made), server: s}
	s.mu.Unlock()
	return d, s.run(ctx, "postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s OWNER %s STRATEGY file_copy",
		d.Name, from, localpg.Owner))
}

// run runs statements as the superuser.
func (s *Server) run(ctx context.Context, database string, statements ...string) error {
	conn, err := pgx.Connect(ctx, s.pg.URL(localpg.Superuser, database))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
