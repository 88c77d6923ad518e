package server

import (
	"context"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/schemaguard/migration"
)

// fact is what was asked of a schema once.
type fact struct {
	once  sync.Once
	value any
	err   error
}

// Facts returns what ask answers of a database with the migrations, as the superuser. It asks once.
func (s *Server) Facts(
	ctx context.Context, all []*migration.Migration, ask func(*pgx.Conn) (any, error),
) (any, error) {
	known, _ := s.Memory.LoadOrStore("facts of "+schemaOf(all), &fact{})
	f := known.(*fact)
	f.once.Do(func() { f.value, f.err = s.asked(ctx, all, ask) })
	return f.value, f.err
}

func (s *Server) asked(
	ctx context.Context, all []*migration.Migration, ask func(*pgx.Conn) (any, error),
) (value any, err error) {
	d, err := s.Migrated(ctx, all)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Drop(ctx)) }()
	conn, err := d.Super(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return ask(conn)
}
