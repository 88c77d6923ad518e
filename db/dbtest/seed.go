package dbtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// plant makes the database that the tests' own are clones of.
func (c *cluster) plant(ctx context.Context, seed Seed) error {
	c.seeded = c.template
	if seed == nil {
		return nil
	}
	name := "waybill_seed_" + strings.ToLower(rand.Text()[:8]) // generated anew in each process
	if err := c.clone(ctx, name, c.template); err != nil {
		return err
	}
	c.seeded = name
	owner, err := pgxpool.New(ctx, c.ownerURL(name))
	if err != nil {
		return err
	}
	defer owner.Close() // a connection would stop clones
	return seed(ctx, owner)
}

// uproot drops it, where nothing else does.
func (c *cluster) uproot() {
	if c.seeded == "" || c.seeded == c.template || !c.lasts() {
		return
	}
	if _, err := c.admin.Exec(context.Background(),
		fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", c.seeded)); err != nil {
		fmt.Fprintf(os.Stderr, "dbtest: the database %s stays: %v\n", c.seeded, err)
	}
}
