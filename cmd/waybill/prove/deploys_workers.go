package prove

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// textGateway is a gateway that takes its time, and notes when it got each text.
type textGateway struct {
	*httptest.Server

	mu   sync.Mutex
	got  map[string]time.Time
	more int // the same text again
}

const gatewayTakes = 50 * time.Millisecond

func startTextGateway() *textGateway {
	g := &textGateway{got: map[string]time.Time{}}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		g.note(r.Header.Get("Webhook-Id"))
		time.Sleep(gatewayTakes)
		w.WriteHeader(http.StatusAccepted)
	}))
	return g
}

func (g *textGateway) note(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.got[id]; ok {
		g.more++
		return
	}
	g.got[id] = time.Now()
}

func (g *textGateway) texts() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.got)
}

// textSecret signs what nobody checks here.
const textSecret = "whsec_cHJvdmUgcHJvdmUgcHJvdmUgcHJvdmUh"

// restartWorkers restarts two processes of workers in turn, while pickups are submitted that owe texts.
func restartWorkers(ctx context.Context, o DeployOptions) (Fault, error) {
	f := Fault{Fault: "workers restarted"}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	gateway := startTextGateway()
	defer gateway.Close()
	address, err := freeAddresses(3) // of the server, and of the metrics of each worker
	if err != nil {
		return f, err
	}
	server, err := startProcess(ctx, []string{"DATABASE_URL=" + o.DatabaseURL}, o.Program, "serve", "--addr",
		address[0], "--admin-addr", "", "--log-level", "error", "--drain", "0")
	if err != nil {
		return f, err
	}
	defer server.stop()
	if err := eventually(ctx, time.Minute, func() bool { return listens(address[0]) }); err != nil {
		return f, err
	}
	// start starts a process, and waits until it works: one is stopped when the other does.
	start := func(i int) (*process, error) {
		metrics := address[1+i]
		worker, err := startProcess(ctx, []string{"DATABASE_URL=" + o.DatabaseURL}, o.Program, "work",
			"--admin-addr", metrics, "--log-level", "error", "--workers", "8", "--gateway-url", gateway.URL,
			"--gateway-secret", textSecret)
		if err != nil {
			return nil, err
		}
		return worker, eventually(ctx, time.Minute, func() bool { return listens(metrics) })
	}
	workers := make([]*process, 2)
	for i := range workers {
		workers[i], err = start(i)
		defer func() { workers[i].stop() }()
		if err != nil {
			return f, err
		}
	}
	submits, err := newSubmitLoad(ctx, "http://"+address[0], o)
	if err != nil {
		return f, err
	}
	finish := submits.run(ctx)
	for n := 0; n < o.Restarts && err == nil; n++ {
		i := n % len(workers)
		time.Sleep(200 * time.Millisecond) // so that it has texts under way
		if err = workers[i].terminate(ctx); err == nil {
			workers[i], err = start(i)
		}
	}
	finish()
	if err != nil {
		return f, err
	}
	return submits.result(ctx, f, gateway)
}

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// submitLoad submits pickups, at a steady rate.
type submitLoad struct {
	user
	facility, account string
	owed              map[string]time.Time // by the id of the text
	err               error
}

func newSubmitLoad(ctx context.Context, url string, o DeployOptions) (*submitLoad, error) {
	admin := user{client: newClient(url, 2), token: o.Admin}
	l := &submitLoad{user: user{client: admin.client, token: o.Dispatcher}, owed: map[string]time.Time{}}
	type row struct{ ID string }
	account, err := create[row](ctx, admin, "/v1/accounts", map[string]any{"name": "deploys", "currency": "USD"})
	if err != nil {
		return nil, err
	}
	l.account = account.ID
	if _, err := create[row](ctx, admin, "/v1/accounts/"+account.ID+"/deposits", newEntry(deposited)); err != nil {
		return nil, err
	}
	facilities, err := list[row](ctx, l.user, "/v1/facilities")
	if err != nil || len(facilities) == 0 {
		return nil, errors.Join(err, errors.New("the dispatcher sees no facility"))
	}
	l.facility = facilities[0].ID
	return l, nil
}

func (l *submitLoad) run(ctx context.Context) (finish func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for !isClosed(over) && l.err == nil {
			l.err = l.submit(ctx)
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}

func (l *submitLoad) submit(ctx context.Context) error {
	type row struct{ ID string }
	made, err := create[row](ctx, l.user, "/v1/pickups", map[string]any{"facility_id": l.facility,
		"account_id": l.account, "price_cents": 1, "pickup_address": "1 Main St", "dropoff_address": "2 Main St"})
	if err != nil {
		return err
	}
	if a := l.post(ctx, "/v1/pickups/"+made.ID+"/submit", nil); !a.ok() {
		return fmt.Errorf("submit: %s", a.outcome())
	}
	at := time.Now()
	messages, err := list[row](ctx, l.user, "/v1/pickups/"+made.ID+"/messages")
	if err != nil || len(messages) != 1 {
		return errors.Join(err, fmt.Errorf("a submit owes %d texts", len(messages)))
	}
	l.owed[messages[0].ID] = at
	return nil
}

// result waits for the last text. Doubled are texts that the gateway got twice: it recognizes them by their id, and
// so they are none that anybody gets twice.
func (l *submitLoad) result(ctx context.Context, f Fault, g *textGateway) (Fault, error) {
	if l.err != nil {
		return f, l.err
	}
	eventually(ctx, 30*time.Second, func() bool { return g.texts() >= len(l.owed) })
	g.mu.Lock()
	defer g.mu.Unlock()
	f.Acknowledged, f.Doubled = len(l.owed), g.more
	for id, owed := range l.owed {
		if got, ok := g.got[id]; !ok {
			f.Lost++
		} else {
			f.Unavailable = max(f.Unavailable, got.Sub(owed).Seconds())
		}
	}
	return f, nil
}
