package client

import (
	"errors"
	"net/http"
)

// DryRun returns a client whose writes are dry runs: each is answered as it would be now, and writes nothing.
//
//	tried, err := waybill.DryRun().Pickups.Assign(ctx, pickupID, client.Assignment{DriverID: driverID})
//
// What a write returns has DryRun in its Meta. A key or an id that was tried is not used up by it: the write itself
// can have the same. The client reads what is there, like the one that it was made from, with which it shares what
// that has read. A write that cannot be tried, such as a login, is not sent, and its error says so.
func (c *Client) DryRun() *Client {
	t := *c.t
	t.dryRun = true
	return newClient(&t)
}

var (
	// errNoDryRun is the error of an operation that writes, and cannot be tried.
	errNoDryRun = errors.New("the operation has no dry run: nothing was sent")
	// errDryRunBase is that of an edit of a row that a dry run answered. Its version may by now be another's.
	errDryRunBase = errors.New("the edit is based on the answer of a dry run, which was not written")
	// errNotDryRun is the cause of NoAnswer where a server, or something before it, did not know dry_run.
	errNotDryRun = errors.New("the answer does not say that it is of a dry run: the write may have been made")
)

// confirm returns the problem of an answer, or says that it should be of a dry run, and is not.
func (m outgoing) confirm(a answer) error {
	switch {
	case a.problem != nil:
		return a.problem
	case m.dryRun && a.header.Get("Dry-Run") != "true":
		return &NoAnswer{errNotDryRun}
	}
	return nil
}

func metaOf(m outgoing, header http.Header) Meta {
	meta := Meta{Replayed: header.Get("Idempotency-Replayed") == "true", DryRun: m.dryRun}
	if !m.dryRun { // the version may become that of another write
		meta.ETag = header.Get("ETag")
	}
	return meta
}
