package replicas

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"waybill/api/client"
	"waybill/cmd/waybill/listappend"
)

// opsPerClient are the operations of one client in a round.
const opsPerClient = 400

// readsPerRound is about how many reads there are in a round.
func readsPerRound(clients int) int { return clients * opsPerClient * 9 / 10 }

// patience is how long nobody may be answered.
const patience = 5 * time.Minute

// load is the clients of one round.
type load struct {
	c     *cluster
	t     *tenant
	keys  map[uuid.UUID]int
	value func() int

	mu                     sync.Mutex
	all                    [][]listappend.Op // by client
	unknown                map[int][]int
	reads, appends, failed int
	answered               time.Time // the last time
}

func newLoad(c *cluster, t *tenant) *load {
	l := &load{c: c, t: t, keys: map[uuid.UUID]int{}, unknown: map[int][]int{}, all: make([][]listappend.Op, c.Clients),
		answered: time.Now()}
	for key, id := range t.lists {
		l.keys[id] = key
	}
	var mu sync.Mutex
	n := 0
	l.value = func() int {
		mu.Lock()
		defer mu.Unlock()
		n++
		return n
	}
	return l
}

// history returns all operations, those of each client in their order.
func (l *load) history() (all []listappend.Op) {
	for _, ops := range l.all {
		all = append(all, ops...)
	}
	return all
}

// run has each client do its operations, whose failures do not count. It returns an error if nobody is answered any
// more.
func (l *load) run(ctx context.Context) error {
	var wait sync.WaitGroup
	for i := range l.c.Clients {
		random := rand.New(rand.NewPCG(l.c.rand.Uint64(), uint64(i)))
		wait.Go(func() {
			w := &worker{load: l, number: i, rand: random}
			w.client = w.newClient()
			for n := 0; n < opsPerClient && ctx.Err() == nil && !l.isStuck(); {
				if w.step(ctx) {
					n++
				}
			}
		})
	}
	wait.Wait()
	if l.isStuck() {
		return fmt.Errorf("no client was answered for %v", patience)
	}
	return ctx.Err()
}

func (l *load) isStuck() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.answered) > patience
}

// worker is one client.
type worker struct {
	*load
	number int
	rand   *rand.Rand
	client *client.Client
}

// withoutPosition sends requests without what their client has read and written.
type withoutPosition struct{}

func (withoutPosition) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Waybill-Consistency")
	return http.DefaultTransport.RoundTrip(r)
}

// newClient returns a client that keeps its position, for three of four, or one that sends none. It tries once: what
// is refused had no effect.
func (w *worker) newClient() *client.Client {
	token := string(w.t.admin)
	if w.number%4 == 3 { // whose rights depend on rows
		token = string(w.t.staff)
	}
	options := []client.Option{
		client.WithToken(token), client.WithAttemptTimeout(30 * time.Second), client.WithoutRetries(),
		client.WithHTTPClient(&http.Client{}),
	}
	if w.number%4 == 2 {
		options = append(options, client.WithHTTPClient(&http.Client{Transport: withoutPosition{}}))
	}
	return client.New(w.c.url, options...)
}

// step does an operation, and reports whether it was answered.
func (w *worker) step(ctx context.Context) bool {
	key := w.rand.IntN(len(w.t.lists))
	var err error
	switch n := w.rand.IntN(10); {
	case n == 0 && w.number%4 != 3:
		err = w.append(ctx, key)
	case n < 6:
		_, err = w.readOne(ctx, key)
	default:
		err = w.readAll(ctx)
	}
	if err == nil {
		return true
	}
	w.mu.Lock()
	w.failed++
	w.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Millisecond):
	}
	return false
}

// record adds an operation to the client's history.
func (w *worker) record(op listappend.Op) {
	op.Client = w.number
	w.all[w.number] = append(w.all[w.number], op) // its own
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered = time.Now()
	if op.Append != 0 {
		w.appends++
	} else {
		w.reads++
	}
}

var errNoAnswer = errors.New("no answer that tells anything")

// readOne reads one list.
func (w *worker) readOne(ctx context.Context, key int) (*client.Account, error) {
	account, err := w.client.Accounts.Get(ctx, w.t.lists[key])
	if err != nil {
		return nil, err
	}
	list, err := parseList(account.Name)
	if err == nil {
		w.record(listappend.Op{Reads: map[int][]int{key: list}})
	}
	return account, err
}

// readAll reads all lists in one statement.
func (w *worker) readAll(ctx context.Context) error {
	page, err := w.client.Accounts.ListPage(ctx, &client.ListQuery{Limit: 100}, "")
	if err != nil {
		return err
	}
	all := map[int][]int{}
	for key := range w.t.lists { // one that is missing was not made yet
		all[key] = nil
	}
	for _, row := range page.Items {
		if key, ok := w.keys[row.ID]; ok {
			if all[key], err = parseList(row.Name); err != nil {
				return err
			}
		}
	}
	w.record(listappend.Op{Reads: all})
	return nil
}

// append reads a list and appends a value, if nobody did in between.
func (w *worker) append(ctx context.Context, key int) error {
	account, err := w.readOne(ctx, key)
	if err != nil {
		return err
	}
	value := w.value()
	name := account.Name + "," + strconv.Itoa(value)
	edited, err := w.client.Accounts.Edit(ctx, account, client.AccountEdit{Name: &name})
	switch {
	case err == nil:
		list, err := parseList(edited.Name)
		if err == nil {
			w.record(listappend.Op{Key: key, Append: value, Reads: map[int][]int{key: list}})
		}
		return err
	case client.CodeOf(err) == client.CodeStaleVersion:
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unknown[key] = append(w.unknown[key], value)
	return errNoAnswer
}

// parseList returns the values in a name.
func parseList(name string) (list []int, err error) {
	rest, ok := strings.CutPrefix(name, firstName)
	if !ok {
		return nil, fmt.Errorf("%w: no list", errNoAnswer)
	}
	for text := range strings.SplitSeq(rest, ",") {
		if text == "" {
			continue
		}
		value, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, nil
}
