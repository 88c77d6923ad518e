package db

import "context"

// found is the row that a request of a flush was answered with, if any was.
type found[T any] struct {
	row T
	is  bool
}

// byKey gives each request of a flush the row of its key.
func byKey[Q, T any](asks []Q, keyOf func(Q) key, rows []T, rowKey func(T) key) []found[T] {
	known := make(map[key]T, len(rows))
	for _, r := range rows {
		known[rowKey(r)] = r
	}
	return each(asks, func(ask Q) (f found[T]) {
		f.row, f.is = known[keyOf(ask)]
		return f
	})
}

// inPlace gives each request of a flush the row that says, from 1, which it is of.
func inPlace[Q, R any](asks []Q, rows []R, asked func(R) int64) []found[R] {
	out := make([]found[R], len(asks))
	for _, r := range rows {
		out[asked(r)-1] = found[R]{r, true}
	}
	return out
}

// again resolves what does no harm twice: a read.
func again[Q, A any](flush func(context.Context, []Q) ([]A, error)) func(context.Context, Q) (A, error) {
	return func(ctx context.Context, ask Q) (A, error) { return one(flush(ctx, []Q{ask})) }
}

// one is the answer of a flush of one.
func one[A any](answers []A, err error) (answer A, _ error) {
	if err != nil {
		return answer, err
	}
	return answers[0], nil
}

// each gives one value of each.
func each[Q, V any](asks []Q, value func(Q) V) []V {
	out := make([]V, len(asks))
	for i, a := range asks {
		out[i] = value(a)
	}
	return out
}
