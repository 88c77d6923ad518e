package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Batch is a list of writes that WriteBatch makes together: all of them or none, in their order. It has a method for
// each operation, which takes what that of the service does:
//
//	var batch client.Batch
//	assigned := batch.AssignPickup(pickupID, client.Assignment{DriverID: driverID})
//	edited := batch.EditDriver(driver, client.DriverEdit{OnDuty: new(true)})
//	err := waybill.Batches.WriteBatch(ctx, &batch)
//	// assigned.Value.Status, edited.Value.ETag; or the Item of a *Problem is the position of the rejected one
//
// Each item is one intent, with a key or an id of its own: a batch that is sent again, also after a dry run of it,
// takes effect once.
type Batch struct {
	items []*item
	err   error
}

// Item is a write of a batch.
type Item[T any] struct {
	// Value is what the write answered: nil until the batch is made, and of an operation that answers nothing.
	Value *T
}

// None is the value of operations that answer nothing.
type None struct{}

// parts are the parameters of a path.
type parts map[string]any

// item is a write as a batch keeps it.
type item struct {
	operation string
	parts     parts
	request
	read func(Meta, json.RawMessage) error
}

// Len returns the number of writes.
func (b *Batch) Len() int { return len(b.items) }

// add adds a write whose answer is a T.
func add[T any](b *Batch, operation string, path parts, r request) *Item[T] {
	var added Item[T]
	b.items = append(b.items, &item{operation, path, r, func(meta Meta, body json.RawMessage) error {
		if added.Value = nil; len(body) == 0 {
			return nil
		}
		value := new(T)
		if err := json.Unmarshal(body, value); err != nil {
			return err
		}
		if row, ok := any(value).(interface{ meta() *Meta }); ok {
			*row.meta() = meta
		}
		added.Value = value
		return nil
	}})
	return &added
}

// addEdit adds a change to a row that was read by itself: a batch has no conflict to show, or to merge.
func addEdit[T any](b *Batch, operation string, path parts, r request, base *T) *Item[T] {
	switch meta := any(base).(interface{ meta() *Meta }).meta(); {
	case meta.DryRun:
		b.fail(errDryRunBase)
	case meta.ETag == "":
		b.fail(errListedBase)
	default:
		r.set(matchHeader, meta.ETag)
	}
	return add[T](b, operation, path, r)
}

// errListedBase is the error of an edit in a batch of the row of a list, which has no ETag.
var errListedBase = errors.New("the edit is based on a row without an ETag: get it by itself first")

// fail keeps the first error, which WriteBatch returns.
func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = fmt.Errorf("item %d: %w", len(b.items), err)
	}
}

// isRepeatable reports whether the server knows a repetition of the write, by its key or id, or it changes nothing. An
// edit, a removal or a new password is refused when it is repeated.
func (i *item) isRepeatable() bool {
	return i.method == http.MethodPost || i.method == http.MethodPut && i.body == nil
}

// writing is an item as it is sent.
type writing struct {
	Operation string            `json:"operation"`
	Path      parts             `json:"path,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	Body      any               `json:"body,omitempty"`
}

// writings returns the items as they are sent. Where the batch has a key, they have none that the caller did not give.
func (b *Batch) writings(hasKey bool) map[string][]writing {
	all := make([]writing, len(b.items))
	for i, item := range b.items {
		headers := map[string]string{}
		for name := range item.header {
			if name != keyHeader || item.hasOwnKey || !hasKey {
				headers[name] = item.header.Get(name)
			}
		}
		all[i] = writing{item.operation, item.parts, headers, item.body}
	}
	return map[string][]writing{"items": all}
}

// written is the answer to a batch.
type written struct {
	Items []struct {
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"items"`
}

// writeBatch sends a batch until it is answered, and gives its items their values.
func writeBatch(ctx context.Context, t *transport, r request, b *Batch) error {
	if b.err != nil {
		return b.err
	}
	for _, item := range b.items {
		_ = item.read(Meta{}, nil) // forgets what an earlier attempt, such as a dry run, has answered
	}
	r.body = b.writings(r.hasOwnKey)
	m, err := t.outgoing(r)
	if err != nil {
		return err
	}
	var answered written
	a, err := t.send(ctx, m, func(body []byte) error {
		answered = written{}
		if err := json.Unmarshal(body, &answered); err != nil {
			return err
		}
		if len(answered.Items) != len(b.items) {
			return fmt.Errorf("%d answers to %d items", len(answered.Items), len(b.items))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p := a.problem; p != nil && a.isUncertain && !m.dryRun && b.mayBeMade(p) {
		return &NoAnswer{fmt.Errorf("an earlier attempt may have made the batch, whose item %d cannot be repeated: %s",
			*p.Item, p.Code)}
	}
	if err := m.confirm(a); err != nil {
		return err
	}
	return b.read(m, answered)
}

// read gives the items what they answered.
func (b *Batch) read(m outgoing, answered written) error {
	for i, item := range b.items {
		headers := http.Header{}
		for name, value := range answered.Items[i].Headers {
			headers.Set(name, value)
		}
		if err := item.read(metaOf(m, headers), answered.Items[i].Body); err != nil {
			return &NoAnswer{err}
		}
	}
	return nil
}

// mayBeMade reports whether a problem is what the repetition of a batch that was made would be answered.
func (b *Batch) mayBeMade(p *Problem) bool {
	return p.Item != nil && int(*p.Item) < len(b.items) && !b.items[*p.Item].isRepeatable()
}
