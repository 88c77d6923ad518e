package bench

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"waybill/db"
)

// work is one workload, over HTTP and for pgbench.
type work struct {
	name   string
	script string                         // the file in the folder pgbench
	drafts bool                           // each operation uses a draft that was prepared for it
	hot    bool                           // all operations are on one account
	alone  bool                           // it has rows in one tenant only
	tenant func(n int64, tenants int) int // whose the n-th operation is; nil: each tenant's in turn
	moves  func(n int64) bool             // whether the n-th operation uses a draft; nil: each does
	// operate performs the n-th operation, on the prepared drafts or with the run's ids.
	operate func(c *caller, run ids, n int64) error
}

func works() []work {
	return []work{
		{name: "get", script: "get", operate: func(c *caller, _ ids, _ int64) error {
			return c.get(db.UserRoleStaff, "/v1/pickups/", c.fixture.drafts.at(c.random.Int64N(c.fixture.read)))
		}},
		{name: "create", script: "create", operate: (*caller).create},
		{name: "charge-spread", script: "charge", operate: func(c *caller, run ids, n int64) error {
			return c.charge(c.fixture.accounts.at(c.random.Int64N(c.fixture.accountCount)), run.at(n))
		}},
		{name: "charge-hot", script: "charge", hot: true, operate: func(c *caller, run ids, n int64) error {
			return c.charge(c.fixture.accounts.at(0), run.at(n))
		}},
		{name: "transition", script: "transition", drafts: true, operate: func(c *caller, run ids, n int64) error {
			return c.move(db.UserRoleStaff, run.at(n), db.TransitionNameCancel)
		}},
		{name: "submit", script: "submit", drafts: true, operate: func(c *caller, run ids, n int64) error {
			return c.move(db.UserRoleStaff, run.at(n), db.TransitionNameSubmit)
		}},
		{name: "lifecycle", script: "lifecycle", alone: true, operate: (*caller).lifecycle},
		{name: "mix", drafts: true, tenant: skewed, moves: mixMoves, operate: (*caller).mix},
	}
}

// caller sends one request after another.
type caller struct {
	wire
	fixture *fixture
	number  int64
	heads   map[db.UserRole]string // its own, in place of its tenant's
	random  *rand.Rand
	body    []byte // the request body's buffer, reused
}

func (w *fixture) callers(n int) []*caller {
	all := make([]*caller, n)
	for i := range all {
		c := &caller{wire: wire{address: w.host}, fixture: w, number: int64(i)}
		c.random = rand.New(rand.NewPCG(1, uint64(i)))
		all[i] = c
	}
	return all
}

// head returns the first header lines of a role's requests in the caller's current tenant.
func (c *caller) head(role db.UserRole) string {
	if head, own := c.heads[role]; own {
		return head
	}
	heads := c.fixture.heads[role]
	return heads[int(c.number)%len(heads)]
}

// abort aborts the pending read.
func (c *caller) abort() { c.conn.SetDeadline(time.Unix(1, 0)) }

// reconnect replaces a broken connection.
func (c *caller) reconnect(ctx context.Context) bool {
	c.conn.Close()
	return ctx.Err() == nil && c.dial(ctx) == nil
}

func (c *caller) get(role db.UserRole, path, id string) error {
	c.out = append(c.out[:0], "GET "...)
	c.out = append(append(c.out, path...), id...)
	c.out = append(append(c.out, c.head(role)...), "\r\n"...)
	return c.exchange(200)
}

// post sends a POST request with c.body, which may be empty.
func (c *caller) post(role db.UserRole, want int, path ...string) error {
	c.out = append(c.out[:0], "POST "...)
	for _, part := range path {
		c.out = append(c.out, part...)
	}
	c.out = append(c.out, c.head(role)...)
	if len(c.body) > 0 {
		c.out = append(c.out, "Content-Type: application/json\r\n"...)
	}
	c.out = append(c.out, "Content-Length: "...)
	c.out = strconv.AppendInt(c.out, int64(len(c.body)), 10)
	c.out = append(append(c.out, "\r\n\r\n"...), c.body...)
	return c.exchange(want)
}

func (c *caller) charge(account, id string) error {
	c.body = append(append(append(c.body[:0], `{"id":"`...), id...), `","amount_cents":1}`...)
	return c.post(db.UserRoleAdmin, 201, "/v1/accounts/", account, "/charges")
}

func (c *caller) create(run ids, n int64) error {
	c.body = append(append(c.body[:0], `{"id":"`...), run.at(n)...)
	c.body = append(append(c.body, `","facility_id":"`...), c.fixture.facility...)
	c.body = append(append(c.body, `","account_id":"`...), c.fixture.accounts.at(n%c.fixture.accountCount)...)
	c.body = strconv.AppendInt(append(c.body, `","price_cents":`...), priceCents, 10)
	c.body = append(c.body, `,"pickup_address":"`+pickupAddress+`","dropoff_address":"`+dropoffAddress+`"}`...)
	return c.post(db.UserRoleStaff, 201, "/v1/pickups")
}

func (c *caller) move(role db.UserRole, pickup string, transition db.TransitionName) error {
	c.body = c.body[:0]
	return c.post(role, 200, "/v1/pickups/", pickup, "/", string(transition))
}

// happyPath lists the transitions after assign, each with the role that makes it.
var happyPath = []struct {
	transition db.TransitionName
	role       db.UserRole
}{
	{db.TransitionNameCollect, db.UserRoleDispatcher},
	{db.TransitionNameReceive, db.UserRoleHub},
	{db.TransitionNamePack, db.UserRoleHub},
	{db.TransitionNameShip, db.UserRoleHub},
	{db.TransitionNameDeliver, db.UserRoleHub},
}

// lifecycle takes a pickup from draft to delivery, with a driver of the caller's own.
func (c *caller) lifecycle(run ids, n int64) error {
	if err := c.create(run, n); err != nil {
		return err
	}
	id := run.at(n)
	if err := c.move(db.UserRoleStaff, id, db.TransitionNameSubmit); err != nil {
		return err
	}
	c.body = append(append(append(c.body[:0], `{"driver_id":"`...), c.fixture.drivers.at(c.number)...), `"}`...)
	if err := c.post(db.UserRoleDispatcher, 200, "/v1/pickups/", id, "/assign"); err != nil {
		return err
	}
	for _, step := range happyPath {
		if err := c.move(step.role, id, step.transition); err != nil {
			return err
		}
	}
	return nil
}
