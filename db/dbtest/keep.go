package dbtest

import (
	"fmt"
	"net/url"
)

// keep keeps a failed test's database after the process ends, and returns shell commands to open it.
func (c *cluster) keep(name string) string {
	if c.server == nil {
		return fmt.Sprintf("dbtest: the database is kept. Open it:\n%s", psql(c.ownerURL(name)))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.server.Keep(); err != nil {
		return fmt.Sprintf("dbtest: the database cannot be kept: %v", err)
	}
	c.keeper = true
	return fmt.Sprintf(`dbtest: the database is kept. Open it, and later remove it with its server:
%s >/dev/null || %s >/dev/null
%s
%s; rm -rf %s`,
		c.server.Control("status"), c.server.Control("start"), psql(c.ownerURL(name)),
		c.server.Control("stop"), c.server.Dir())
}

// psql omits the password, since its result goes into logs.
func psql(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err) // built or parsed before
	}
	u.User = url.User(u.User.Username())
	return fmt.Sprintf("psql '%s'", u)
}
