package db

import "context"

// found is the row that answers a request of a batch, if there is one.
type found[T any] struct {
	row T
	ok  bool
}

// byKey returns the row of each request's key.
func byKey[Q, T any](asks []Q, keyOf func(Q) key, rows []T, rowKey func(T) key) []found[T] {
	known := make(map[key]T, len(rows))
	for _, r := range rows {
		known[rowKey(r)] = r
	}
	return mapSlice(asks, func(ask Q) (f found[T]) {
		f.row, f.ok = known[keyOf(ask)]
		return f
	})
}

// inPlace returns the row of each request; a row contains the position of its request, from 1.
func inPlace[Q, R any](asks []Q, rows []R, asked func(R) int64) []found[R] {
	out := make([]found[R], len(asks))
	for _, r := range rows {
		out[asked(r)-1] = found[R]{r, true}
	}
	return out
}

// retryRead resolves a read, which is idempotent, by repeating it.
func retryRead[Q, A any](flush func(context.Context, []Q) ([]A, error)) func(context.Context, Q) (A, error) {
	return func(ctx context.Context, ask Q) (A, error) { return single(flush(ctx, []Q{ask})) }
}

// single returns the answer of a batch of one.
func single[A any](answers []A, err error) (answer A, _ error) {
	if err != nil {
		return answer, err
	}
	return answers[0], nil
}

// mapSlice maps a slice.
func mapSlice[Q, V any](asks []Q, value func(Q) V) []V {
	out := make([]V, len(asks))
	for i, a := range asks {
		out[i] = value(a)
	}
	return out
}
