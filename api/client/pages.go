package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/url"
)

// ListQuery has the parameters of a list without filters.
type ListQuery struct {
	// Limit is how many rows to read at a time: 1 to 200, 50 by default.
	Limit int `json:"limit,omitempty"`
}

// Page is a part of a list.
type Page[T any] struct {
	Items []*T `json:"items"`
	// NextCursor is that of the next page; "" on the last.
	NextCursor string `json:"next_cursor"`
}

// page reads one page of a list: the first, or that of a cursor.
func page[T any](ctx context.Context, t *transport, r request, cursor string) (*Page[T], error) {
	r.isRead = true
	if r.body != nil { // a search, whose cursor is a member
		return searchPage[T](ctx, t, r, cursor)
	}
	values, err := parameters(r.query)
	if err != nil {
		return nil, err
	}
	r.query = withCursor(values, cursor)
	return call[Page[T]](ctx, t, r)
}

func searchPage[T any](ctx context.Context, t *transport, r request, cursor string) (*Page[T], error) {
	if cursor == "" {
		return call[Page[T]](ctx, t, r)
	}
	text, err := json.Marshal(r.body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsendable, err)
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsendable, err)
	}
	members["cursor"], err = json.Marshal(cursor)
	r.body = members
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsendable, err)
	}
	return call[Page[T]](ctx, t, r)
}

func withCursor(values url.Values, cursor string) url.Values {
	query := maps.Clone(values)
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return query
}

// list reads a list a page at a time, as far as it is used. An error ends it.
func list[T any](ctx context.Context, t *transport, r request) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for cursor := ""; ; {
			p, err := page[T](ctx, t, r, cursor)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
			}
			if cursor = p.NextCursor; cursor == "" {
				return
			}
		}
	}
}
