package bench

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	randv2 "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"waybill/db"
)

// ids is the first half of a run's ids, ordered by time like the server's own. The second half is a
// number, so that pgbench can compute ids too.
type ids string

func newRun() ids { return ids(uuid.Must(uuid.NewV7()).String()[:24]) }

func (i ids) at(n int64) string {
	const digits = "0123456789abcdef"
	var text [36]byte
	copy(text[:], i)
	for at := len(text) - 1; at >= len(i); at-- {
		text[at] = digits[n&15]
		n >>= 4
	}
	return string(text[:])
}

// fixture is a tenant of a running server with the rows that the workloads need. It is created over HTTP,
// so that it works with any server.
type fixture struct {
	client       *http.Client
	base         string
	host         string
	tenant       string // slug
	tokens       map[db.UserRole][]string
	heads        map[db.UserRole][]string // the first header lines of each role's requests
	users        map[db.UserRole]string   // the id of the first user of each role
	facility     string
	group        string // the path of the group that can see the facility
	accounts     ids
	accountCount int64 // number of accounts
	drivers      ids
	driverCount  int64 // number of drivers
	drafts       ids   // the drafts for reads
	read         int64 // number of drafts
}

const (
	perRole        = 4 // users of each role, shared by the callers
	priceCents     = 500
	pickupAddress  = "2401 Mission St, San Francisco"
	dropoffAddress = "1 Lab Way, South San Francisco"
)

func newFixture(
	ctx context.Context, base, tenant, adminToken string, accounts, read, drivers int,
) (*fixture, error) {
	base = strings.TrimSuffix(base, "/")
	at, err := url.Parse(base)
	if err != nil || at.Scheme != "http" || at.Host == "" {
		return nil, fmt.Errorf("%s is not a URL of the form http://host:port", base)
	}
	w := &fixture{
		client: NewClient(16), base: base, host: at.Host, tenant: tenant,
		tokens: map[db.UserRole][]string{db.UserRoleAdmin: {adminToken}}, users: map[db.UserRole]string{},
		accounts: newRun(), accountCount: int64(accounts),
		drivers: newRun(), driverCount: int64(drivers), read: int64(read),
	}
	if at.Port() == "" {
		w.host += ":80"
	}
	if err := w.seed(ctx); err != nil {
		return nil, fmt.Errorf("cannot prepare %s: %w", base, err)
	}
	return w, nil
}

// seed creates users of each role, a facility that they can see, funded accounts, and free drivers.
func (w *fixture) seed(ctx context.Context) (err error) {
	var made struct{ ID string }
	if err := w.do(ctx, "POST", "/v1/facilities", object{
		"name": "Benchmark", "address": pickupAddress, "latitude": 37.7583, "longitude": -122.4186,
	}, &made); err != nil {
		return err
	}
	w.facility = made.ID
	if err := w.do(ctx, "POST", "/v1/groups", object{"name": "Benchmark"}, &made); err != nil {
		return err
	}
	w.group = "/v1/groups/" + made.ID
	if err := w.do(ctx, "PUT", w.group+"/facilities/"+w.facility, nil, nil); err != nil {
		return err
	}
	for range perRole {
		for _, role := range []db.UserRole{db.UserRoleAdmin, db.UserRoleStaff, db.UserRoleDispatcher, db.UserRoleHub} {
			if err := w.newUser(ctx, role); err != nil {
				return err
			}
		}
	}
	if err := forEachConcurrently(ctx, w.accountCount, w.openAccount); err != nil {
		return err
	}
	if err := forEachConcurrently(ctx, w.driverCount, func(ctx context.Context, n int64) error {
		return w.do(ctx, "POST", "/v1/drivers", object{"id": w.drivers.at(n), "name": "Benchmark"}, nil)
	}); err != nil {
		return err
	}
	w.setHeads()
	w.drafts, err = w.prepare(ctx, w.read)
	return err
}

// newUser creates a user and logs in. Staff get a phone number for the texts.
func (w *fixture) newUser(ctx context.Context, role db.UserRole) error {
	var made struct{ ID, Token string }
	email, password := strings.ToLower(rand.Text())+"@bench.example", rand.Text()
	if err := w.do(ctx, "POST", "/v1/users",
		object{"email": email, "password": password, "name": "Benchmark", "role": role}, &made); err != nil {
		return err
	}
	w.users[role] = cmp.Or(w.users[role], made.ID)
	if err := w.do(ctx, "PUT", w.group+"/members/"+made.ID, nil, nil); err != nil {
		return err
	}
	if role == db.UserRoleStaff {
		if err := w.do(ctx, "POST", "/v1/users/"+made.ID+"/phone-numbers",
			object{"number": fmt.Sprintf("+1%010d", randv2.Int64N(1e10))}, nil); err != nil {
			return err
		}
	}
	err := w.do(ctx, "POST", "/v1/sessions", object{"tenant": w.tenant, "email": email, "password": password}, &made)
	w.tokens[role] = append(w.tokens[role], made.Token)
	return err
}

func (w *fixture) openAccount(ctx context.Context, n int64) error {
	id := w.accounts.at(n)
	if err := w.do(ctx, "POST", "/v1/accounts", object{"id": id, "name": "Benchmark", "currency": "USD"},
		nil); err != nil {
		return err
	}
	return w.do(ctx, "POST", "/v1/accounts/"+id+"/deposits",
		object{"id": uuid.Must(uuid.NewV7()), "amount_cents": int64(1e12)}, nil)
}

// setHeads prepares the callers' request headers.
func (w *fixture) setHeads() {
	w.heads = map[db.UserRole][]string{}
	for role, tokens := range w.tokens {
		for _, token := range tokens {
			w.heads[role] = append(w.heads[role],
				" HTTP/1.1\r\nHost: "+w.host+"\r\nAuthorization: Bearer "+token+"\r\n")
		}
	}
}

// numbers returns 0 to n-1.
func numbers(n int64) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i)
	}
	return all
}

// prepare creates n drafts of a new run, paid by the accounts in turn.
func (w *fixture) prepare(ctx context.Context, n int64) (ids, error) {
	made := newRun()
	return made, w.prepareThese(ctx, made, numbers(n))
}

// prepareThese creates the drafts of a run that have these numbers.
func (w *fixture) prepareThese(ctx context.Context, made ids, numbers []int64) error {
	batches := slices.Collect(slices.Chunk(numbers, 500))
	return forEachConcurrently(ctx, int64(len(batches)), func(ctx context.Context, batch int64) error {
		var items []object
		for _, i := range batches[batch] {
			items = append(items, object{
				"id": made.at(i), "facility_id": w.facility, "account_id": w.accounts.at(i % w.accountCount),
				"price_cents":    priceCents,
				"pickup_address": pickupAddress, "dropoff_address": dropoffAddress,
			})
		}
		return w.as(ctx, w.tokens[db.UserRoleStaff][0], "POST", "/v1/pickups/batch", object{"items": items}, nil)
	})
}

// forEachConcurrently calls do for 0 to n-1, several at once.
func forEachConcurrently(ctx context.Context, n int64, do func(ctx context.Context, n int64) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, 8) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < n && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

type object map[string]any

// do sends a request as the first admin.
func (w *fixture) do(ctx context.Context, method, path string, body, into any) error {
	return w.as(ctx, w.tokens[db.UserRoleAdmin][0], method, path, body, into)
}

func (w *fixture) as(ctx context.Context, token, method, path string, body, into any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, w.base+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := w.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s answers %s: %.300s", method, path, response.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
