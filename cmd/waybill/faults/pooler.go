package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"waybill/db"
	"waybill/db/localpg"
	"waybill/db/pgbouncer"
)

// openPooler puts PgBouncer in transaction mode in front of the primary. It returns errSkipped if there is none.
func (s *stage) openPooler(ctx context.Context) error {
	if !s.pooled {
		return nil
	}
	if err := s.giveSettingsToRole(ctx); err != nil {
		return err
	}
	pooler, err := pgbouncer.Start(s.primary.URL(localpg.App, localpg.Database),
		map[string]string{"pool_mode": "transaction", "server_login_retry": "1"})
	if errors.Is(err, pgbouncer.ErrNotInstalled) {
		return fmt.Errorf("%w: %w", errSkipped, err)
	}
	if err != nil {
		return err
	}
	s.closing(pooler.Stop)
	s.poolerURL = pooler.URL(localpg.App, localpg.Database)
	s.Env = append(slices.Clone(s.Env), "WAYBILL_POOLER=true")
	return nil
}

// giveSettingsToRole does what the script of "waybill pooler" does.
func (s *stage) giveSettingsToRole(ctx context.Context) error {
	var all strings.Builder
	settings := db.SessionSettings(db.Config{})
	delete(settings, "role") // the login is that role
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&all, "ALTER ROLE %s IN DATABASE %s SET %s = '%s';\n",
			localpg.App, localpg.Database, name, settings[name])
	}
	return s.ask(ctx, all.String())
}
