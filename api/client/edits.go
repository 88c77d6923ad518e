package client

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"
)

// Conflict is the error of an edit of a row that has changed since it was read. errors.As also finds its Problem.
type Conflict[T any] struct {
	// Base is the row that the edit was based on, Current the one that there is now.
	Base, Current *T
	Problem       *Problem
}

// Error implements error.
func (c *Conflict[T]) Error() string { return c.Problem.Error() }

// Unwrap returns the problem.
func (c *Conflict[T]) Unwrap() error { return c.Problem }

// EditOption is an option of an edit.
type EditOption[T, E any] func(*editOptions[T, E])

type editOptions[T, E any] struct {
	merge func(base, current *T) (*E, error)
}

// Merge resolves conflicts: the function returns the change to make to the current row, or nil, for which the edit
// returns the conflict. It is called again if that row has changed meanwhile. Its error is the edit's.
func Merge[T, E any](merge func(base, current *T) (*E, error)) EditOption[T, E] {
	return func(o *editOptions[T, E]) { o.merge = merge }
}

// edit sends a change with the ETag of the row that it is based on.
func edit[T, E any](ctx context.Context, t *transport, r request, base *T, change E, options []EditOption[T, E],
) (*T, error) {
	o := editOptions[T, E]{merge: func(_, _ *T) (*E, error) { return nil, nil }}
	for _, set := range options {
		set(&o)
	}
	if any(base).(interface{ meta() *Meta }).meta().DryRun {
		return nil, errDryRunBase
	}
	for {
		edited, conflict, err := editOnce(ctx, t, r, base, change)
		if err != nil || conflict == nil {
			return edited, err
		}
		merged, err := o.merge(conflict.Base, conflict.Current)
		if err != nil {
			return nil, err
		}
		if merged == nil {
			return nil, conflict
		}
		base, change = conflict.Current, *merged
	}
}

// editOnce makes a change to a row, or returns the conflict.
func editOnce[T, E any](ctx context.Context, t *transport, r request, base *T, change E) (*T, *Conflict[T], error) {
	read := request{method: http.MethodGet, path: r.path}
	etag, refused := etagOf(base), staleListed
	if etag == "" { // the row of a list: its version is compared
		current, err := call[T](ctx, t, read)
		if err != nil {
			return nil, nil, err
		}
		if members(current)["version"] == members(base)["version"] {
			etag = etagOf(current)
		}
	}
	if etag != "" {
		r.body, r.header = change, http.Header{matchHeader: {etag}}
		edited, err := call[T](ctx, t, r)
		if CodeOf(err) != CodeStaleVersion {
			return edited, nil, err
		}
		refused = err.(*Problem)
	}
	current, err := call[T](ctx, t, read)
	if err != nil {
		return nil, nil, err
	}
	if !t.dryRun && isMadeBy(members(base), members(current), members(change)) {
		any(current).(interface{ meta() *Meta }).meta().Replayed = true
		return current, nil, nil
	}
	return nil, &Conflict[T]{base, current, refused}, nil
}

func etagOf(row any) string { return row.(interface{ meta() *Meta }).meta().ETag }

// staleListed is what the server would say of a row from a list that has changed since.
var staleListed = &Problem{
	Type: "/errors/stale_version", Title: "Stale version", Status: http.StatusPreconditionFailed,
	Code: CodeStaleVersion, Detail: "The row has changed since it was listed.",
}

// isMadeBy reports whether the one edit between two versions of a row was this change: by an attempt whose answer was
// lost, or by a proxy that sent it twice.
func isMadeBy(base, current, change map[string]any) bool {
	before, _ := base["version"].(float64)
	if current["version"] != before+1 {
		return false
	}
	for name, value := range change {
		if !isSame(current[name], value) {
			return false
		}
	}
	return true
}

// isSame compares two values of JSON. One time may be written in several ways, and the database rounds it.
func isSame(a, b any) bool {
	s, isText := a.(string)
	t, areTexts := b.(string)
	if isText && areTexts {
		first, err1 := time.Parse(time.RFC3339, s)
		second, err2 := time.Parse(time.RFC3339, t)
		if err1 == nil && err2 == nil {
			return first.Sub(second).Abs() < time.Microsecond
		}
	}
	return reflect.DeepEqual(a, b)
}

// members returns the members of a value as JSON has them; none, if it cannot be written, which sending it tells.
func members(value any) map[string]any {
	text, _ := json.Marshal(value)
	var m map[string]any
	_ = json.Unmarshal(text, &m)
	return m
}
