package prove

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// DeployOptions select the program that is deployed, and the load.
type DeployOptions struct {
	Program     string // waybill
	DatabaseURL string // of the application's role
	Admin       string // a session's token
	Dispatcher  string // a session's token
	Callers     int
	Restarts    int           // of servers, and of workers
	Drain       time.Duration // of the servers
}

// Deploys restarts servers behind haproxy, and workers, one after the other under load, and tells what became of
// the requests and texts. The control are servers that do not drain. It returns ErrNoProxy without haproxy.
func Deploys(ctx context.Context, o DeployOptions, tell func(Fault)) error {
	for _, run := range []func(context.Context, DeployOptions) (Fault, error){
		restartServers, restartUndrained, restartWorkers,
	} {
		f, err := run(ctx, o)
		if err != nil {
			return err
		}
		tell(f)
	}
	return nil
}

func restartServers(ctx context.Context, o DeployOptions) (Fault, error) {
	return deployServers(ctx, o, Fault{Fault: "servers restarted behind haproxy"})
}

func restartUndrained(ctx context.Context, o DeployOptions) (Fault, error) {
	o.Drain, o.Restarts = 0, min(o.Restarts, 4)
	return deployServers(ctx, o, Fault{Fault: "the same, without a drain", Control: true})
}

// cluster is two servers behind haproxy.
type cluster struct {
	DeployOptions
	addresses []string
	servers   []*process
	proxy     *haproxy
}

func startCluster(ctx context.Context, o DeployOptions, folder string) (c *cluster, err error) {
	c = &cluster{DeployOptions: o, servers: make([]*process, 2)}
	if c.addresses, err = freeAddresses(len(c.servers)); err != nil {
		return nil, err
	}
	if c.proxy, err = startHAProxy(ctx, folder, c.addresses); err != nil {
		return nil, err
	}
	for i := range c.servers {
		if err := c.start(ctx, i); err != nil {
			c.stop()
			return nil, err
		}
	}
	return c, nil
}

// start starts a server, and waits until haproxy uses it.
func (c *cluster) start(ctx context.Context, i int) (err error) {
	c.servers[i], err = startProcess(ctx, []string{"DATABASE_URL=" + c.DatabaseURL}, c.Program, "serve", "--addr",
		c.addresses[i], "--admin-addr", "", "--log-level", "error", "--drain", c.Drain.String())
	if err != nil {
		return err
	}
	return eventually(ctx, time.Minute, func() bool { return listens(c.addresses[i]) && c.proxy.isUp(i) })
}

func (c *cluster) stop() {
	for _, s := range c.servers {
		s.stop()
	}
	c.proxy.stop()
}

func deployServers(ctx context.Context, o DeployOptions, f Fault) (Fault, error) {
	folder, err := os.MkdirTemp("", "waybill-deploys-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(folder)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := startCluster(ctx, o, folder)
	if err != nil {
		return f, err
	}
	defer c.stop()
	load, err := newChargeLoad(ctx, c.proxy.url, o)
	if err != nil {
		return f, err
	}
	finish := load.run(ctx)
	for n := 0; n < o.Restarts && err == nil; n++ {
		i := n % len(c.servers)
		if err = c.servers[i].terminate(ctx); err == nil {
			err = c.start(ctx, i)
		}
		if err != nil {
			err = fmt.Errorf("restart %d: %w", n, err)
		}
	}
	finish()
	if err != nil {
		return f, err
	}
	return load.result(ctx, f)
}

// chargeLoad are callers who charge an account, a cent each, through connections that are kept, and followers of
// the event stream. No request is sent twice.
type chargeLoad struct {
	user
	callers int
	account string

	mu       sync.Mutex
	fault    Fault
	answered time.Time
}

const deposited = 1_000_000_000 // cents

func newChargeLoad(ctx context.Context, url string, o DeployOptions) (*chargeLoad, error) {
	l := &chargeLoad{callers: o.Callers, user: user{client: newClient(url, o.Callers), token: o.Admin}}
	type row struct{ ID string }
	made, err := create[row](ctx, l.user, "/v1/accounts", map[string]any{"name": "deploys", "currency": "USD"})
	if err != nil {
		return nil, err
	}
	l.account = "/v1/accounts/" + made.ID
	_, err = create[row](ctx, l.user, l.account+"/deposits", newEntry(deposited))
	return l, err
}

// run starts the callers, and returns a function that ends them.
func (l *chargeLoad) run(ctx context.Context) (finish func()) {
	over := make(chan struct{})
	var all sync.WaitGroup
	l.answered = time.Now()
	for range l.callers {
		all.Go(func() {
			for !isClosed(over) && ctx.Err() == nil {
				l.count(l.once(ctx, http.MethodPost, l.account+"/charges", newEntry(1), nil))
			}
		})
	}
	following, leave := context.WithCancel(ctx)
	for range 4 {
		all.Go(func() { l.follow(following) })
	}
	return func() {
		close(over)
		leave()
		all.Wait()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (l *chargeLoad) count(a answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case a.err != nil, a.status >= 502 && a.code == fmt.Sprint(a.status): // the proxy's own
		l.fault.Failed++
	case a.status >= 500:
		l.fault.ServerErrors++
	case a.status == http.StatusCreated:
		l.fault.Acknowledged++
		now := time.Now()
		l.fault.Unavailable = max(l.fault.Unavailable, now.Sub(l.answered).Seconds())
		l.answered = now
	default:
		l.fault.Failed++
	}
}

// follow follows the event stream, and again at once when it ends.
func (l *chargeLoad) follow(ctx context.Context) {
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base+"/v1/pickups/stream", nil)
		if err != nil {
			return
		}
		request.Header.Set("Authorization", "Bearer "+l.token)
		a := readStream(l.http.Transport.RoundTrip(request))
		if ctx.Err() == nil && (a.err != nil || a.status != http.StatusOK) {
			l.count(a)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// result adds what became of the charges to the fault, by the account's balance.
func (l *chargeLoad) result(ctx context.Context, f Fault) (Fault, error) {
	var account struct {
		Balance int `json:"balance_cents"`
	}
	if err := l.get(ctx, l.account).into(&account); err != nil {
		return f, err
	}
	if l.fault.Acknowledged == 0 {
		return f, errors.New("no request was acknowledged")
	}
	charged := deposited - account.Balance
	name, control := f.Fault, f.Control
	f = l.fault
	f.Fault, f.Control = name, control
	f.Lost = max(0, f.Acknowledged-charged)
	f.Doubled = max(0, charged-f.Acknowledged-f.Failed-f.ServerErrors) // those may have been made
	return f, nil
}
