package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

const ndjson = "application/x-ndjson"

// crowdPhase is one kind of load: members repeat one action.
type crowdPhase struct {
	name    string
	what    string // the action, printed after the number of members
	members int
	holds   bool // an admitted request lasts until it is cut off; a refused one is retried after a second
	limited bool // the limit is certainly reached, at once: the other tenant is measured from then on
	logins  bool // the other tenant logs in too, and so does a user of the crowd's tenant from another address
	once    bool // each member acts once, and the measurement lasts until all have
	act     crowdAct
	// aside starts an additional background load; nil for none.
	aside func(ctx context.Context) (end func(), err error)
}

// crowdAct performs the action once. It calls answered with the status as soon as it is known.
type crowdAct func(ctx context.Context, answered func(status int)) error

func (b *crowdBench) phases() []crowdPhase {
	return []crowdPhase{
		{name: "guesses", what: "connections guess passwords of one tenant", members: b.guessers,
			limited: true, logins: true, act: b.guess},
		{name: "streams", what: "streams of one driver", members: b.streams,
			holds: true, limited: true, act: b.openStream},
		{name: "feeds", what: "dripping feeds of one user", members: b.feeds,
			holds: true, limited: true, act: b.dripFeed},
		{name: "lists", what: "parallel lists of one user", members: b.lists, act: b.list},
		{name: "batches", what: fmt.Sprintf("parallel batches of %d pickups by one user", b.items),
			members: b.batches, act: b.batch},
		{
			name: "long-feed", what: fmt.Sprintf(
				"feed of %d new records, and a write of another database that stays open", b.records),
			members: 1, once: true, act: b.feedNew, aside: b.openWrite,
		},
	}
}

// guess tries wrong passwords of existing and unknown users from one address.
func (b *crowdBench) guess(ctx context.Context, answered func(int)) error {
	email := b.crowd.email
	if id := uuid.New(); id[0]%2 == 0 {
		email = id.String() + "@bench.example"
	}
	response, err := logIn(ctx, b.client, b.url, "203.0.113.9",
		object{"tenant": b.crowd.tenant, "email": email, "password": "wrong horse"})
	if err == nil {
		answered(response.StatusCode)
	}
	return err
}

func (b *crowdBench) openStream(ctx context.Context, answered func(int)) error {
	return b.send(ctx, db.UserRoleDriver, "GET", "/v1/pickups/stream", "", nil, answered)
}

// dripFeed sends blank lines, just fast enough not to be cut off as too slow.
func (b *crowdBench) dripFeed(ctx context.Context, answered func(int)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, drops := io.Pipe()
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for blank := bytes.Repeat([]byte("\n"), 1024); ; {
			select {
			case <-ctx.Done():
				drops.CloseWithError(ctx.Err())
				return
			case <-tick.C:
				drops.Write(blank)
			}
		}
	}()
	return b.send(ctx, db.UserRoleStaff, "POST", b.crowd.feedPath(), ndjson, body, answered)
}

func (b *crowdBench) list(ctx context.Context, answered func(int)) error {
	return b.send(ctx, db.UserRoleStaff, "GET", "/v1/pickups?limit=200", "", nil, answered)
}

func (b *crowdBench) batch(ctx context.Context, answered func(int)) error {
	return b.send(ctx, db.UserRoleStaff, "POST", "/v1/pickups/batch",
		"application/json", bytes.NewReader(b.body), answered)
}

func (b *crowdBench) feedNew(ctx context.Context, answered func(int)) error {
	return b.send(ctx, db.UserRoleStaff, "POST", b.crowd.feedPath(), ndjson, newRecords(b.records), answered)
}

// openWrite holds open a transaction with an id in another database of the cluster.
func (b *crowdBench) openWrite(ctx context.Context) (end func(), err error) {
	config, err := pgx.ParseConfig(b.ownerURL)
	if err != nil {
		return nil, err
	}
	config.Database = "postgres"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("cannot write in another database: %w", err)
	}
	end = func() { conn.Close(context.WithoutCancel(ctx)) }
	tx, err := conn.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, statement("take_xid"))
	}
	if err != nil {
		end()
	}
	return end, err
}

// send makes a request as one user of the crowding tenant, and reads the whole answer. The end of ctx
// aborts the reading of an answer, but not a waiting request, which the server would log as too slow.
func (b *crowdBench) send(
	ctx context.Context, role db.UserRole, method, path, kind string, body io.Reader, answered func(int),
) error {
	request, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	response, err := b.begin(request, b.client, b.crowd.tokens[role][0], method, path, kind, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answered(response.StatusCode)
	defer context.AfterFunc(ctx, cut)()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// begin makes a request. The caller must read and close the answer's body.
func (b *crowdBench) begin(
	ctx context.Context, client *http.Client, token, method, path, kind string, body io.Reader,
) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, b.url+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	return client.Do(request)
}

// feedPath returns the path of an appointment feed of the facility, as of now.
func (w *fixture) feedPath() string {
	return "/v1/facilities/" + w.facility + "/appointments/sync?as_of=" +
		url.QueryEscape(time.Now().UTC().Format(time.RFC3339Nano))
}

// newRecords returns records of new patients and past appointments, so that the next list, without
// them, cancels none.
func newRecords(n int) io.Reader {
	var lines strings.Builder
	run := newRun()
	for i := range n {
		starts := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 5 * time.Minute)
		fmt.Fprintf(&lines, `{"external_id":%q,"patient":{"external_id":"p-%s",`+
			`"given_name":"Given","family_name":"Family","birth_date":"1990-05-17"},"starts_at":%q,"ends_at":%q}`+"\n",
			run.at(int64(i)), run.at(int64(i)), starts.Format(time.RFC3339),
			starts.Add(5*time.Minute).Format(time.RFC3339))
	}
	return strings.NewReader(lines.String())
}

// newPickups returns items of a batch, with addresses and a note of the given lengths.
func (w *fixture) newPickups(n, address, note int) (items []object) {
	for range n {
		items = append(items, object{
			"facility_id": w.facility, "account_id": w.accounts.at(0), "price_cents": priceCents,
			"note":           strings.Repeat("n", note),
			"pickup_address": strings.Repeat("p", address), "dropoff_address": strings.Repeat("d", address),
		})
	}
	return items
}
