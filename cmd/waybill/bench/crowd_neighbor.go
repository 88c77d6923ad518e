package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// neighbor is one measurement of the other tenant.
type neighbor struct {
	*crowdTenant
	bench *crowdBench

	requests, submits, logins Loaded
	events                    eventLag
	feed                      sync.Mutex // one request at a time
}

func (b *crowdBench) newNeighbor() *neighbor {
	return &neighbor{crowdTenant: b.neighbor, bench: b}
}

// measure sends one round of requests after another, next to the stream, until isOver.
func (n *neighbor) measure(ctx context.Context, logsIn bool, isOver func() bool) error {
	following, leave := context.WithCancel(ctx)
	defer leave()
	n.events.follow(following, n.stream)
	for first := true; first || !isOver(); first = false {
		if err := n.round(ctx, logsIn); err != nil {
			return err
		}
	}
	n.events.await(ctx)
	leave()
	n.events.ended()
	return ctx.Err()
}

// neighborAtOnce is the number of concurrent requests of one kind: no more than the tenant's fair
// share.
const neighborAtOnce = 4

func (n *neighbor) round(ctx context.Context, logsIn bool) error {
	var all sync.WaitGroup
	var failed [3]error
	run := func(at int, perSecond float64, into *Loaded, request func(context.Context, int) error) {
		all.Go(func() {
			var loaded *Loaded
			slots := make(chan struct{}, neighborAtOnce)
			loaded, failed[at] = Load{PerSecond: perSecond, For: n.bench.duration}.Run(ctx,
				func(ctx context.Context, i int) error {
					slots <- struct{}{}
					defer func() { <-slots }()
					return request(ctx, i)
				})
			into.Add(loaded)
		})
	}
	run(0, n.bench.rate, &n.requests, n.request)
	run(1, n.bench.events, &n.submits, n.submit)
	if logsIn {
		run(2, max(2, 2/n.bench.duration.Seconds()), &n.logins, n.login)
	}
	all.Wait()
	return cmp.Or(failed[0], failed[1], failed[2])
}

// request sends the kinds of requests that are refused first when another tenant exhausts a limit.
func (n *neighbor) request(ctx context.Context, i int) error {
	staff := n.tokens[db.UserRoleStaff][i%perRole]
	switch i % 6 {
	case 0:
		return n.as(ctx, staff, "GET", "/v1/session", nil, nil)
	case 1:
		return n.as(ctx, staff, "GET", "/v1/pickups/"+n.drafts.at(int64(i)%n.read), nil, nil)
	case 2:
		return n.as(ctx, staff, "GET", "/v1/pickups?limit=20", nil, nil)
	case 3:
		return n.as(ctx, staff, "POST", "/v1/pickups/batch", object{"items": n.newPickups(6, 500, 2000)}, nil)
	case 4:
		return n.openStream(ctx, n.tokens[db.UserRoleDispatcher][i%perRole])
	default:
		n.feed.Lock()
		defer n.feed.Unlock()
		return n.do200(ctx, staff, "POST", n.feedPath(), ndjson, newRecords(10), io.Discard)
	}
}

// openStream opens a stream and reads its first bytes.
func (n *neighbor) openStream(ctx context.Context, token string) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	return n.do200(ctx, token, "GET", "/v1/pickups/stream", "", nil, firstBytes{})
}

// firstBytes is a writer that stops the reader after the first bytes.
type firstBytes struct{}

func (firstBytes) Write([]byte) (int, error) { return 0, errEnough }

// do200 sends a request and copies the body of a successful answer.
func (n *neighbor) do200(ctx context.Context, token, method, path, kind string, body io.Reader, into io.Writer) error {
	response, err := n.bench.begin(ctx, n.bench.calm, token, method, path, kind, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 300))
		return fmt.Errorf("%s %s answers %s: %s", method, strings.Split(path, "?")[0], response.Status, text)
	}
	_, err = io.Copy(into, response.Body)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// stream copies an event stream to w until it ends.
func (n *neighbor) stream(ctx context.Context, w io.Writer) error {
	return n.do200(ctx, n.tokens[db.UserRoleDispatcher][0], "GET", "/v1/pickups/stream", "", nil, w)
}

// submit creates a pickup and submits it, which the stream must report.
func (n *neighbor) submit(ctx context.Context, i int) error {
	staff, id := n.tokens[db.UserRoleStaff][i%perRole], uuid.Must(uuid.NewV7()).String()
	item := n.newPickups(1, 20, 20)[0]
	item["id"] = id
	if err := n.as(ctx, staff, "POST", "/v1/pickups", item, nil); err != nil {
		return err
	}
	if err := n.as(ctx, staff, "POST", "/v1/pickups/"+id+"/submit", nil, nil); err != nil {
		return err
	}
	n.events.committed(id, time.Now())
	return nil
}

// login logs in with the right password: a user of this tenant, and one of the crowd's tenant from
// another address.
func (n *neighbor) login(ctx context.Context, i int) error {
	who, source := n.crowdTenant, "198.51.100.1"
	if i%2 == 0 {
		who, source = n.bench.crowd, "198.51.100.2"
	}
	response, err := logIn(ctx, n.bench.calm, n.bench.url, source,
		object{"tenant": who.tenant, "email": who.email, "password": stormPassword})
	if err == nil && response.StatusCode != http.StatusCreated {
		err = fmt.Errorf("POST /v1/sessions answers %s", response.Status)
	}
	return err
}
