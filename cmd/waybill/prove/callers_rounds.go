package prove

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// loadCaller is one of the callers, who has a driver of its own.
type loadCaller struct {
	*callerLoad
	driver string
	round  int
}

func (l *callerLoad) caller(ctx context.Context, i int) (*loadCaller, error) {
	made, err := create[row](ctx, l.users["admin"], "/v1/drivers", map[string]any{
		"name": "caller", "on_duty": true, "latitude": 10.0, "longitude": float64(i),
	})
	return &loadCaller{l, made.ID, i}, err
}

// call sends a request once, and counts the answer, unless the caller was ended.
func (c *loadCaller) call(ctx context.Context, role, method, path string, body any, headers ...header) answer {
	began := time.Now()
	a := c.users[role].once(ctx, method, path, body, headers)
	if ctx.Err() == nil {
		c.count(method+" "+operationOf(path), a, time.Since(began))
	}
	select {
	case <-ctx.Done():
	case <-time.After(c.Pause):
	}
	return a
}

// operationOf returns a path without ids.
func operationOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if uuid.Validate(part) == nil {
			parts[i] = "…"
		}
	}
	return strings.Join(parts, "/")
}

func (c *loadCaller) post(ctx context.Context, role, path string, body any) (id string, ok bool) {
	a := c.call(ctx, role, http.MethodPost, path, body)
	var made row
	return made.ID, a.into(&made) == nil || a.ok()
}

// write takes a pickup through its life, cancels another, and moves money and the driver.
func (c *loadCaller) write(ctx context.Context) {
	c.round++
	if id, ok := c.newPickup(ctx); ok {
		c.lifecycle(ctx, "/v1/pickups/"+id)
	}
	if id, ok := c.newPickup(ctx); ok {
		c.post(ctx, "dispatcher", "/v1/pickups/"+id+"/cancel", nil)
	}
	account := "/v1/accounts/" + c.account
	c.post(ctx, "admin", account+"/deposits", entry{uuid.NewString(), 2})
	c.post(ctx, "admin", account+"/charges", entry{uuid.NewString(), 1})
	c.post(ctx, "dispatcher", "/v1/patients", map[string]any{"facility_id": c.facility, "given_name": "Ada",
		"family_name": "Caller", "birth_date": "1990-05-17", "external_id": uuid.NewString()})
	path := "/v1/drivers/" + c.driver
	seen := c.call(ctx, "dispatcher", http.MethodGet, path, nil)
	if seen.ok() {
		c.call(ctx, "admin", http.MethodPatch, path, map[string]any{"name": "caller of round " + uuid.NewString()},
			ifMatch(seen.etag))
	}
}

func (c *loadCaller) newPickup(ctx context.Context) (id string, ok bool) {
	return c.post(ctx, "dispatcher", "/v1/pickups", map[string]any{
		"facility_id": c.facility, "account_id": c.account, "price_cents": 1,
		"pickup_address": "South Pacific", "dropoff_address": "Point Nemo",
	})
}

func (c *loadCaller) lifecycle(ctx context.Context, pickup string) {
	for _, name := range steps {
		role, body := "dispatcher", any(nil)
		switch name {
		case "assign":
			body = map[string]string{"driver_id": c.driver}
		case "receive", "pack", "ship", "deliver":
			role = "hub"
		}
		if _, ok := c.post(ctx, role, pickup+"/"+name, body); !ok {
			c.post(ctx, "dispatcher", pickup+"/cancel", nil) // which frees the driver
			return
		}
	}
}

// readsARound is how many reads a caller makes in a round: the next of all of them, in turn.
const readsARound = 8

func (c *loadCaller) readAll(ctx context.Context) {
	for i := range min(readsARound, len(c.reads)) {
		r := c.reads[(c.round*readsARound+i)%len(c.reads)]
		began := time.Now()
		a := r.by.once(ctx, http.MethodGet, r.path, nil, nil)
		if ctx.Err() == nil {
			c.count("GET "+operationOf(r.path), a, time.Since(began))
		}
	}
}
