package bench

import (
	"context"
	"math"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/seed"
)

const (
	mixTenants       = 64 // of the work mix, unless --tenants says otherwise
	neighborAccounts = 4
	neighborPickups  = 50 // of each neighbor, to read
)

// fixturesOf returns the tenants among which a work is spread. A comparison is in one tenant of each server.
func (b *httpBench) fixturesOf(w work) []*fixture {
	switch {
	case w.alone || b.compare.url != "":
		return b.fixtures[:1]
	case w.tenant != nil && b.tenants == 1:
		return b.fixtures[:mixTenants]
	}
	return b.fixtures[:b.tenants]
}

// sides returns the servers to measure, ours first.
func (b *httpBench) sides(w work, callers int) []*side {
	sides := []*side{newSide(b.fixturesOf(w), callers)}
	for i, c := range sides[0].callers {
		c.address = b.hosts[i%len(b.hosts)]
	}
	if b.theirs != nil {
		sides = append(sides, newSide([]*fixture{b.theirs}, callers))
	}
	return sides
}

// addNeighbors makes the further tenants that the works need, in the database: over HTTP a thousand of
// them would take minutes.
func (b *httpBench) addNeighbors(ctx context.Context, ownerURL string) error {
	b.fixtures = []*fixture{b.ours}
	need := b.tenants
	if b.compare.url == "" && slices.ContainsFunc(b.works, func(w work) bool { return w.tenant != nil }) && need == 1 {
		need = mixTenants
	}
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for range need - 1 {
		w, err := b.newNeighbor(ctx, conn)
		if err != nil {
			return err
		}
		b.fixtures = append(b.fixtures, w)
	}
	return forEachConcurrently(ctx, int64(need-1), func(ctx context.Context, n int64) error {
		w := b.fixtures[1+n]
		return w.prepareThese(ctx, w.drafts, numbers(w.read))
	})
}

// newNeighbor makes a tenant with an admin, staff who see its facility, and funded accounts.
func (b *httpBench) newNeighbor(ctx context.Context, conn *pgx.Conn) (*fixture, error) {
	w := &fixture{
		client: b.ours.client, base: b.ours.base, host: b.ours.host, tokens: map[db.UserRole][]string{},
		accounts: newRun(), accountCount: neighborAccounts, drafts: newRun(), read: neighborPickups,
	}
	err := seed.Make(ctx, conn, uuid.Must(uuid.NewV7()), func(r *seed.Rows) {
		w.tenant = r.Tenant()
		admin, staff, group, facility := r.User(db.UserRoleAdmin), r.User(db.UserRoleStaff), r.Group(), r.Facility()
		r.Members(group, staff.UserID)
		r.Shows(group, facility)
		r.PhoneNumber(staff.UserID, seed.StandardPhone)
		for i := range w.accountCount {
			id := uuid.MustParse(w.accounts.at(i))
			r.Account(func(p *db.CreateAccountParams) { p.ID = id })
			r.Deposit(seed.Deposit{Account: id, Cents: 1e12, ActorID: admin.UserID})
		}
		w.facility = facility.String()
		w.tokens[db.UserRoleAdmin] = []string{string(r.Session(admin))}
		w.tokens[db.UserRoleStaff] = []string{string(r.Session(staff))}
	})
	w.setHeads()
	return w, err
}

// of returns the number of the tenant of the n-th operation.
func (w work) of(n int64, tenants int) int {
	if w.tenant == nil {
		return int(n % int64(tenants))
	}
	return w.tenant(n, tenants)
}

// prepare creates the drafts that the first operations of a run use, each in its tenant.
func (s *side) prepare(ctx context.Context, w work, run ids, most int64) error {
	each := make([][]int64, len(s.fixtures))
	for n := range most {
		if w.moves == nil || w.moves(n) {
			i := w.of(n, len(each))
			each[i] = append(each[i], n)
		}
	}
	return forEachConcurrently(ctx, int64(len(each)), func(ctx context.Context, i int64) error {
		return s.fixtures[i].prepareThese(ctx, run, each[i])
	})
}

// skewed spreads operations among tenants by Zipf's law: the second has about half as many as the first,
// the third a third. The same operation always has the same tenant.
func skewed(n int64, tenants int) int {
	const golden = 0.6180339887498949 // its multiples are spread evenly over 0 to 1
	_, at := math.Modf(float64(n/10+1)*golden + float64(n%10)/10)
	return min(int(math.Pow(float64(tenants)+1, at)), tenants) - 1
}

// mixMoves tells which of ten operations of the mix are transitions.
func mixMoves(n int64) bool { return n%10 == 7 || n%10 == 8 }

// mix reads (a list, a pickup) seven times of ten, cancels twice, and charges once.
func (c *caller) mix(run ids, n int64) error {
	switch {
	case mixMoves(n):
		return c.move(db.UserRoleStaff, run.at(n), db.TransitionNameCancel)
	case n%10 == 9:
		return c.charge(c.fixture.accounts.at(c.random.Int64N(c.fixture.accountCount)), run.at(n))
	case n%2 == 0:
		return c.get(db.UserRoleStaff, "/v1/pickups", "")
	}
	return c.get(db.UserRoleStaff, "/v1/pickups/", c.fixture.drafts.at(c.random.Int64N(c.fixture.read)))
}
