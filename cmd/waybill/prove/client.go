package prove

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// client is an HTTP client with a connection for each caller.
type client struct {
	http *http.Client
	base string
	busy atomic.Int64 // answers "too busy", after which the request was retried
}

func newClient(base string, callers int) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, callers
	return &client{http: &http.Client{Transport: transport, Timeout: 30 * time.Second},
		base: strings.TrimSuffix(base, "/")}
}

// user is a session of a user.
type user struct {
	*client
	id    string
	email string
	token string
}

// answer is the response to a request.
type answer struct {
	status   int
	code     string // the error code
	etag     string
	replayed bool
	repeated bool // of a request whose outcome was not known: its own first try may be what is replayed
	body     []byte
	err      error // without a response
}

func (a answer) ok() bool { return a.err == nil && a.status >= 200 && a.status < 300 }

// outcome returns the answer's code, or its status, as a key for counting.
func (a answer) outcome() string {
	switch {
	case a.err != nil:
		return "no answer"
	case a.code != "":
		return a.code
	}
	return strconv.Itoa(a.status)
}

// into decodes the body of a successful answer.
func (a answer) into(value any) error {
	switch {
	case a.err != nil:
		return a.err
	case !a.ok():
		return fmt.Errorf("the server answered %d %s", a.status, a.code)
	}
	if err := json.Unmarshal(a.body, value); err != nil {
		return fmt.Errorf("the server's answer does not match its document: %w", err)
	}
	return nil
}

// header is a request header.
type header struct{ name, value string }

func ifMatch(etag string) header { return header{"If-Match", etag} }
func key(value string) header    { return header{"Idempotency-Key", value} }

// tooBusy is the number of retries after a 503 or 504 that allows them.
const tooBusy = 20

// mayRepeat reports whether an answer allows to send the request again: nothing was done, or what was done is
// answered as a replay.
func (a answer) mayRepeat(method string, headers []header) bool {
	switch a.code {
	case "overloaded":
		return true
	case "timeout", "unavailable": // it may have been done
		keyed := func(h header) bool { return h.name == "Idempotency-Key" }
		return method == http.MethodGet || slices.ContainsFunc(headers, keyed)
	}
	return false
}

func (u user) do(ctx context.Context, method, path string, body any, headers ...header) answer {
	unknown := false
	for n := 1; ; n++ {
		a := u.once(ctx, method, path, body, headers)
		a.repeated = unknown
		if n == tooBusy || !a.mayRepeat(method, headers) {
			return a
		}
		unknown = unknown || a.code != "overloaded"
		u.busy.Add(1)
		select {
		case <-ctx.Done():
			return answer{err: ctx.Err()}
		case <-time.After(time.Duration(n) * 20 * time.Millisecond):
		}
	}
}

func (u user) once(ctx context.Context, method, path string, body any, headers []header) answer {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer{err: err}
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, u.base+path, content)
	if err != nil {
		return answer{err: err}
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if u.token != "" {
		request.Header.Set("Authorization", "Bearer "+u.token)
	}
	for _, h := range headers {
		request.Header.Set(h.name, h.value)
	}
	return read(u.http.Do(request))
}

func read(response *http.Response, err error) answer {
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	a := answer{
		status: response.StatusCode, etag: response.Header.Get("ETag"),
		replayed: response.Header.Get("Idempotency-Replayed") == "true",
	}
	if a.body, a.err = io.ReadAll(io.LimitReader(response.Body, 16<<20)); a.err != nil || a.status < 400 {
		return a
	}
	var problem struct{ Code string }
	if json.Unmarshal(a.body, &problem) != nil || problem.Code == "" {
		problem.Code = strconv.Itoa(a.status)
	}
	a.code = problem.Code
	return a
}

// readStream reads a stream to its end; one that breaks off is no answer.
func readStream(response *http.Response, err error) answer {
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return answer{status: response.StatusCode, code: strconv.Itoa(response.StatusCode), err: err}
}

func (u user) get(ctx context.Context, path string) answer {
	return u.do(ctx, http.MethodGet, path, nil)
}

func (u user) post(ctx context.Context, path string, body any, headers ...header) answer {
	return u.do(ctx, http.MethodPost, path, body, headers...)
}

func (u user) patch(ctx context.Context, path, etag string, body any) answer {
	return u.do(ctx, http.MethodPatch, path, body, ifMatch(etag))
}

// create creates a row and decodes it.
func create[T any](ctx context.Context, u user, path string, body any) (row T, err error) {
	err = u.post(ctx, path, body).into(&row)
	if err != nil {
		err = fmt.Errorf("POST %s: %w", path, err)
	}
	return row, err
}

// page is one page of a list.
type page[T any] struct {
	Items []T `json:"items"`
}

// list reads all of a short list.
func list[T any](ctx context.Context, u user, path string) ([]T, error) {
	var p page[T]
	err := u.get(ctx, path+"?limit=200").into(&p)
	return p.Items, err
}

// atOnce makes n calls concurrently.
func atOnce(n int, call func(i int) answer) answers {
	got := make(answers, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			got[i] = call(i)
		})
	}
	close(start)
	all.Wait()
	return got
}

// answers are the responses to concurrent calls.
type answers []answer

func (as answers) won() (n int) {
	for _, a := range as {
		if a.ok() {
			n++
		}
	}
	return n
}

func (as answers) replayed() (n int) {
	for _, a := range as {
		if a.ok() && a.replayed {
			n++
		}
	}
	return n
}

// first counts those that are no replay. Where a request was repeated whose outcome was not known, the answer that
// is no replay may be the one that was lost: then it counts, too.
func (as answers) first() int {
	n := as.won() - as.replayed()
	if n == 0 && slices.ContainsFunc(as, func(a answer) bool { return a.ok() && a.repeated }) {
		return 1
	}
	return n
}

// with counts the errors with one of these codes.
func (as answers) with(codes ...string) (n int) {
	for _, a := range as {
		if slices.Contains(codes, a.outcome()) {
			n++
		}
	}
	return n
}

// String counts the outcomes: "1 x 200, 31 x illegal_transition".
func (as answers) String() string {
	counts := map[string]int{}
	for _, a := range as {
		counts[a.outcome()]++
	}
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d x %s", counts[outcome], outcome))
	}
	return strings.Join(parts, ", ")
}
