package prove

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	randv2 "math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// fixture is the data of the stories, created by each run: users of the necessary roles, a facility, an
// account. It is created over HTTP, since a story knows of a server no more than its clients do. A run
// does not touch other rows of the tenant, and leaves no driver on duty.
type fixture struct {
	*client
	Options
	admin, dispatcher, hub user
	account                string
	facility               string
	tag                    string // part of the names of created rows
	latitude, longitude    float64
	count                  atomic.Int64

	onDuty  []string // drivers on duty
	pickups []string
}

func newFixture(ctx context.Context, o Options) (*fixture, error) {
	w := &fixture{
		client: newClient(o.URL, o.Callers), Options: o, tag: strings.ToLower(rand.Text()[:10]),
		// In the South Pacific: drivers and pickups of a run are near each other and far from all
		// others.
		latitude: -20 - 30*randv2.Float64(), longitude: -150 + 30*randv2.Float64(),
	}
	if err := w.logIn(ctx); err != nil {
		return nil, fmt.Errorf("cannot log in at %s: %w", w.base, err)
	}
	if err := w.seed(ctx); err != nil {
		w.cleanUp()
		return nil, fmt.Errorf("cannot create the rows of the stories: %w", err)
	}
	return w, nil
}

// logIn logs in as the admin.
func (w *fixture) logIn(ctx context.Context) (err error) {
	w.admin = user{client: w.client, token: w.Token}
	if w.Token == "" {
		w.admin, err = w.login(ctx, w.Tenant, w.Email, w.Password)
		if err != nil {
			return err
		}
	}
	var session struct {
		User struct{ ID, Role string } `json:"user"`
	}
	if err := w.admin.get(ctx, "/v1/session").into(&session); err != nil {
		return err
	}
	if session.User.Role != "admin" {
		return errors.New("the user is not an admin")
	}
	w.admin.id = session.User.ID
	return nil
}

func (w *fixture) login(ctx context.Context, tenant, email, password string) (user, error) {
	var opened struct {
		Token string
		User  struct{ ID string }
	}
	err := user{client: w.client}.post(ctx, "/v1/sessions",
		map[string]string{"tenant": tenant, "email": email, "password": password}).into(&opened)
	return user{w.client, opened.User.ID, email, opened.Token}, err
}

func (w *fixture) seed(ctx context.Context) (err error) {
	for role, into := range map[string]*user{"dispatcher": &w.dispatcher, "hub": &w.hub} {
		if *into, err = w.logInAs(ctx, role); err != nil {
			return err
		}
	}
	facility, err := create[row](ctx, w.admin, "/v1/facilities", map[string]any{
		"name": w.name("facility"), "address": "South Pacific", "latitude": w.latitude, "longitude": w.longitude,
	})
	if err != nil {
		return err
	}
	w.facility = facility.ID
	w.account, err = w.newAccount(ctx, 1_000_000_000_00)
	return err
}

// row is the answer to every create.
type row struct {
	ID string `json:"id"`
}

// name returns a unique name.
func (w *fixture) name(what string) string {
	return fmt.Sprintf("prove %s %s %d", w.tag, what, w.count.Add(1))
}

// address returns a unique email address.
func (w *fixture) address(who string) string {
	return fmt.Sprintf("prove-%s-%s-%d@waybill.example", w.tag, who, w.count.Add(1))
}

func (w *fixture) userBody(email, role string) map[string]any {
	return map[string]any{"email": email, "password": rand.Text(), "name": w.name(role), "role": role}
}

// logInAs creates a user of the role and logs in.
func (w *fixture) logInAs(ctx context.Context, role string) (user, error) {
	body := w.userBody(w.address(role), role)
	if _, err := create[row](ctx, w.admin, "/v1/users", body); err != nil {
		return user{}, err
	}
	return w.login(ctx, w.Tenant, body["email"].(string), body["password"].(string))
}

func (w *fixture) newAccount(ctx context.Context, cents int64) (string, error) {
	account, err := create[row](ctx, w.admin, "/v1/accounts",
		map[string]any{"name": w.name("account"), "currency": "USD"})
	if err != nil {
		return "", err
	}
	_, err = create[row](ctx, w.admin, "/v1/accounts/"+account.ID+"/deposits", entry{uuid.NewString(), cents})
	return account.ID, err
}

type entry struct {
	ID          string `json:"id"`
	AmountCents int64  `json:"amount_cents"`
}

// newDriver creates a driver at the fixture's location.
func (w *fixture) newDriver(ctx context.Context, onDuty bool) (string, error) {
	driver, err := create[row](ctx, w.admin, "/v1/drivers", map[string]any{
		"name": w.name("driver"), "on_duty": onDuty, "latitude": w.latitude, "longitude": w.longitude,
	})
	return driver.ID, err
}

// needDrivers returns n drivers on duty, which it creates once.
func (w *fixture) needDrivers(ctx context.Context, n int) ([]string, error) {
	for len(w.onDuty) < n {
		driver, err := w.newDriver(ctx, true)
		if err != nil {
			return nil, err
		}
		w.onDuty = append(w.onDuty, driver)
	}
	return w.onDuty[:n], nil
}

const priceCents = 25_00

// newPickups creates drafts in batches.
func (w *fixture) newPickups(ctx context.Context, n int) (ids []string, err error) {
	const most = 1000
	for n > 0 {
		items := make([]map[string]any, min(n, most))
		for i := range items {
			items[i] = map[string]any{
				"facility_id": w.facility, "account_id": w.account, "price_cents": priceCents,
				"pickup_address": "South Pacific", "dropoff_address": "Point Nemo",
			}
		}
		made, err := create[page[row]](ctx, w.dispatcher, "/v1/pickups/batch", map[string]any{"items": items})
		if err != nil {
			return nil, err
		}
		if len(made.Items) != len(items) {
			return nil, fmt.Errorf("a batch of %d pickups returned %d", len(items), len(made.Items))
		}
		for _, p := range made.Items {
			ids = append(ids, p.ID)
		}
		n -= len(items)
	}
	w.pickups = append(w.pickups, ids...)
	return ids, nil
}

// cleanUp cleans up: it cancels pickups, takes drivers off duty and deactivates users. It tries each
// once; a failure is harmless and ignored.
func (w *fixture) cleanUp() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w.forEachConcurrently(w.pickups, func(id string) { w.dispatcher.post(ctx, "/v1/pickups/"+id+"/cancel", nil) })
	w.forEachConcurrently(w.onDuty, func(id string) { w.offDuty(ctx, id) })
	for _, u := range []user{w.dispatcher, w.hub} {
		if u.id != "" {
			w.admin.post(ctx, "/v1/users/"+u.id+"/deactivate", nil)
		}
	}
	if w.Token == "" && w.admin.token != "" {
		w.admin.do(ctx, http.MethodDelete, "/v1/session", nil)
	}
	w.http.CloseIdleConnections()
}

func (w *fixture) offDuty(ctx context.Context, driver string) {
	path := "/v1/drivers/" + driver
	w.admin.patch(ctx, path, w.admin.get(ctx, path).etag, map[string]bool{"on_duty": false})
}

// forEachConcurrently calls do for all ids, with as many at once as there are callers.
func (w *fixture) forEachConcurrently(ids []string, do func(id string)) {
	work := make(chan string)
	var all sync.WaitGroup
	for range min(len(ids), cmp.Or(w.Callers, 1)) {
		all.Go(func() {
			for id := range work {
				do(id)
			}
		})
	}
	for _, id := range ids {
		work <- id
	}
	close(work)
	all.Wait()
}
