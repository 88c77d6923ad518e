package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// limits say how long, and how often, calls try.
type limits struct {
	patience, attempt, firstPause, longestPause time.Duration
	once                                        bool // without retries
}

var defaultLimits = limits{
	patience: 30 * time.Second, attempt: 12 * time.Second,
	firstPause: 100 * time.Millisecond, longestPause: 5 * time.Second,
}

// pause returns how long to wait after a number of failures: a random part of a time that doubles with each.
func (l limits) pause(failures int) time.Duration {
	longest := l.longestPause
	if failures < 30 { // a greater shift overflows
		longest = min(longest, l.firstPause<<failures)
	}
	return rand.N(max(longest, 1))
}

// outgoing is a request as it is sent, whose body is JSON.
type outgoing struct {
	method, path string
	header       http.Header
	body         []byte
	dryRun       bool
}

// answer is one that is Waybill's: of success if problem is nil.
type answer struct {
	status  int
	header  http.Header
	problem *Problem
	// isUncertain says that an attempt before this one may have taken effect.
	isUncertain bool
}

// send sends a request until it is answered, and has decode read the body of success. What is tried again: a
// connection that failed, an answer that was cut or is none of Waybill's, and the statuses that say to come again. A
// repeated write takes effect once, since each attempt sends the same key, id or version.
func (t *transport) send(ctx context.Context, m outgoing, decode func([]byte) error) (answer, error) {
	end := time.Now().Add(t.limits.patience)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	isUncertain := false
	for failures := 0; ; failures++ {
		a, err := t.attempt(ctx, m, end, decode)
		a.isUncertain = isUncertain
		switch {
		case err == nil && !isTemporary(a.status):
			return a, nil
		case ctx.Err() != nil:
			return a, &NoAnswer{ctx.Err()}
		case errors.Is(err, errUnsendable):
			return a, err
		}
		wait := max(t.limits.pause(failures), retryAfter(a.header, time.Now()))
		if t.limits.once || time.Now().Add(wait).After(end) {
			if a.problem != nil {
				return a, nil
			}
			return a, &NoAnswer{err}
		}
		isUncertain = isUncertain || err != nil || a.status >= 500
		if err := sleep(ctx, wait); err != nil {
			return a, &NoAnswer{err}
		}
	}
}

// errUnsendable is the cause of a request that no attempt can send, such as one to a URL without a host.
var errUnsendable = errors.New("the request cannot be sent")

// attempt sends a request once. Its error says that there was no answer, or none of Waybill's.
func (t *transport) attempt(ctx context.Context, m outgoing, end time.Time, decode func([]byte) error) (answer, error) {
	limited, cancel := context.WithTimeout(ctx, min(t.limits.attempt, time.Until(end)))
	defer cancel()
	res, err := t.roundTrip(limited, m.method, m.path, m.header, m.body)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return a, err
	case a.status < 300:
		return a, decode(body)
	}
	if a.problem = problemOf(body); a.problem == nil {
		return a, fmt.Errorf("an answer that is not Waybill's, with the status %d", a.status)
	}
	return a, nil
}

// problemOf reads a problem; nil if a body is none, since it is a proxy's page or was cut.
func problemOf(body []byte) *Problem {
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		return nil
	}
	return &p
}

// isTemporary reports whether a status says to come again: the request was not carried out, or nobody knows.
func isTemporary(status int) bool {
	return slices.Contains([]int{408, 425, 429, 502, 503, 504}, status)
}

// retryAfter returns how long an answer says to wait.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return at.Sub(now)
	}
	return 0
}

// sleep waits; it returns the context's error if that is done first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
