package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db/localpg"
)

// openTimeout includes the download of PostgreSQL where none is installed.
const openTimeout = 5 * time.Minute

// cluster is the server that holds a test binary's databases.
type cluster struct {
	login
	server   *localpg.Server // nil with DATABASE_URL
	admin    *pgxpool.Pool   // creates and drops databases
	template string          // the migrated database, or PostgreSQL's own
	seeded   string          // the database that tests clone: the template, or a clone with the seed
	stock    *stock

	mu     sync.Mutex
	keeper bool // a failed test's database must be kept
}

// suite opens the cluster on first use, and closes it at the end of Run.
type suite struct {
	logChecks []LogCheck
	empty     bool     // without migrations
	seed      Seed     // nil for none
	parallel  Parallel // 0 for go test's default

	running bool
	once    sync.Once
	cluster *cluster
	err     error
}

var shared suite

func (s *suite) open() (*cluster, error) {
	if !s.running {
		return nil, errors.New("the package's TestMain must be: dbtest.Exit(dbtest.Run(m))")
	}
	s.once.Do(func() { s.cluster, s.err = openCluster(s.empty, s.seed) })
	return s.cluster, s.err
}

func (s *suite) checkLog() error {
	if len(s.logChecks) == 0 || s.cluster == nil || s.cluster.server == nil {
		return nil
	}
	log, err := os.ReadFile(s.cluster.server.LogFile())
	for _, check := range s.logChecks {
		err = errors.Join(err, check(log))
	}
	return err
}

func (s *suite) close() error {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.close()
}

func openCluster(empty bool, seed Seed) (c *cluster, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	c = &cluster{}
	if err := c.connect(ctx, os.Getenv("DATABASE_URL")); err != nil {
		return nil, errors.Join(err, c.close())
	}
	if empty {
		c.template = "template1"
	} else if err := c.makeTemplate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("template: %w", err), c.close())
	}
	if err := c.plant(ctx, seed); err != nil {
		return nil, errors.Join(fmt.Errorf("seed: %w", err), c.close())
	}
	c.stock = newStock(c)
	return c, nil
}

func (c *cluster) connect(ctx context.Context, databaseURL string) (err error) {
	if databaseURL != "" {
		c.login, err = external(databaseURL)
	} else {
		c.server, err = localpg.Start(ctx, localpg.Options{Settings: map[string]string{
			"timezone": timeZone,
			// Plans and pages must not depend on whether it came in between: what needs statistics asks for them.
			"autovacuum": "off",
			// Connections bear their test's name: a line that should not be there names the test.
			"log_line_prefix": "%m [%p] %q%a ",
		}})
		c.login = local{c.server}
	}
	if err != nil {
		return err
	}
	c.admin, err = pgxpool.New(ctx, c.adminURL())
	return err
}

func (c *cluster) close() error {
	if c.stock != nil {
		c.stock.close()
	}
	c.uproot()
	if c.admin != nil {
		c.admin.Close()
	}
	if c.server == nil {
		return nil
	}
	return c.server.Stop()
}

// lasts reports whether the server, or its folder, outlives this process.
func (c *cluster) lasts() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server == nil || c.keeper
}
