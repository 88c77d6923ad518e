package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/localpg"
	"waybill/db/scale"
)

// scaleDatabase is a database of one size, with a server.
type scaleDatabase struct {
	pickups  int
	name     string
	ownerURL string
	appURL   string
	data     *scale.Dataset
	url      string // of the server
	tokens   map[scale.Role]string
	readers  map[scale.Role]*caller
	names    map[string]string // what the {names} in paths stand for
	reader   *fixture          // looks at answers
	writers  *fixture          // made for the first write
}

// scaleSettings are the settings of the benchmark's own PostgreSQL: the load is not written to the WAL,
// and only the load vacuums.
var scaleSettings = map[string]string{
	"max_connections": "200", "wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "4GB",
	"checkpoint_timeout": "30min", "shared_buffers": "512MB", "autovacuum": "off",
}

// countPages are the settings of pg_stat_statements, which counts pages by statement.
var countPages = map[string]string{
	"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track_utility": "off",
}

// startServer starts the benchmark's own PostgreSQL, with its data in --data.
func (b *scaleBench) startServer(ctx context.Context, env *Env) (*localpg.Server, error) {
	o := localpg.Options{Durable: true, Settings: maps.Clone(scaleSettings)}
	if b.data != "" {
		var err error
		if o.Dir, err = filepath.Abs(b.data); err != nil {
			return nil, err
		}
	}
	maps.Copy(o.Settings, countPages)
	server, err := localpg.Start(ctx, o)
	if err != nil && ctx.Err() == nil { // that PostgreSQL may come without the extension
		o.Settings = scaleSettings
		server, err = localpg.Start(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	env.stops = append(env.stops, server.Stop)
	return server, nil
}

// open creates the databases, or finds those that an earlier run has left in --data.
func (b *scaleBench) open(ctx context.Context, env *Env) error {
	if env.databaseURL != "" {
		if len(b.sizes) > 1 || b.data != "" {
			return errors.New("one database has one size: --sizes with one number, and no --data")
		}
		config, err := pgx.ParseConfig(env.databaseURL)
		if err != nil {
			return err
		}
		return b.fill(ctx, env, config.Database, env.databaseURL, env.databaseURL, env.databaseURL, false)
	}
	env.Progress("starting a PostgreSQL of its own, with fsync on")
	server, err := b.startServer(ctx, env)
	if err != nil {
		return err
	}
	for _, size := range b.sizes {
		name := fmt.Sprint("scale_", size)
		if err := createScaleDatabase(ctx, server.URL(localpg.Owner, localpg.Database), name); err != nil {
			return err
		}
		if err := b.fill(ctx, env, name, server.URL(localpg.Owner, name), server.URL(localpg.App, name),
			server.URL(localpg.Superuser, name), b.data != ""); err != nil {
			return fmt.Errorf("%d pickups: %w", size, err)
		}
	}
	return nil
}

func createScaleDatabase(ctx context.Context, url, name string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	var create string
	if err := conn.QueryRow(ctx, statement("scale_databases"), name).Scan(&exists, &create); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, create)
	return err
}

// fill loads the next size into a database, unless an earlier run has.
func (b *scaleBench) fill(ctx context.Context, env *Env, name, owner, app, counter string, again bool) error {
	d := &scaleDatabase{pickups: b.sizes[len(b.databases)], name: name, ownerURL: owner, appURL: app}
	if err := db.Migrate(ctx, owner); err != nil {
		return fmt.Errorf("cannot migrate: %w", err)
	}
	conn, err := pgx.Connect(ctx, owner)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	loaded := false
	if again {
		if err := conn.QueryRow(ctx, statement("scale_has_tenants")).Scan(&loaded); err != nil {
			return err
		}
	}
	if loaded {
		d.data, err = scale.Look(ctx, conn)
	} else {
		err = b.load(ctx, env, conn, d)
	}
	if err != nil {
		return err
	}
	if b.counters == nil {
		if b.counters, err = openCounters(ctx, env, counter); err != nil {
			return err
		}
	}
	b.databases = append(b.databases, d)
	return nil
}

// load loads a database, and logs how long it took and how large the database is.
func (b *scaleBench) load(ctx context.Context, env *Env, conn *pgx.Conn, d *scaleDatabase) (err error) {
	begun := time.Now()
	size := scale.Size{Pickups: d.pickups, Facilities: b.facilities}
	d.data, err = scale.Load(ctx, conn, size, func(part string) {
		b.progress.show("loading %d pickups: %s, after %.0f s", d.pickups, part, time.Since(begun).Seconds())
	})
	b.progress.clear()
	if err != nil {
		return err
	}
	var bytes int64
	if err := conn.QueryRow(ctx, statement("scale_size")).Scan(&bytes); err != nil {
		return err
	}
	env.Progress("loaded %d pickups in %.0f s: %.1f GB", d.pickups, time.Since(begun).Seconds(), float64(bytes)/1e9)
	return nil
}

// counters count the pages that statements looked at. It is nil without pg_stat_statements.
type counters struct{ conn *pgx.Conn }

func openCounters(ctx context.Context, env *Env, url string) (*counters, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	env.stops = append(env.stops, func() error { return conn.Close(context.WithoutCancel(ctx)) })
	c := &counters{conn}
	// With a given database, the owner may lack the right, or the server may run without the library.
	_, err = conn.Exec(ctx, statement("scale_count"))
	if err == nil {
		_, err = c.of(ctx, "")
	}
	if err == nil {
		return c, nil
	}
	env.Progress("pages are not counted: the database has no pg_stat_statements")
	return &counters{}, ctx.Err()
}

// of returns how many pages the application's statements have looked at in a database so far.
func (c *counters) of(ctx context.Context, database string) (pages int64, err error) {
	if c.conn == nil {
		return 0, nil
	}
	err = c.conn.QueryRow(ctx, statement("scale_buffers"), database, db.AppRole).Scan(&pages)
	return pages, err
}
