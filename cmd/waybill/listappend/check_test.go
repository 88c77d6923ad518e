package listappend

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func read(client int, lists map[int][]int) Op { return Op{Client: client, Reads: lists} }

// appendTo appends to a list that was before.
func appendTo(client, key, value int, before ...int) Op {
	return Op{client, key, value, map[int][]int{key: append(slices.Clone(before), value)}}
}

type lists = map[int][]int

func TestEachKindOfAnomalyIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		history       []Op
		appended, end lists
		want          []Kind
	}{
		"nothing": {history: []Op{appendTo(1, 1, 1), read(2, lists{1: {}}), read(2, lists{1: {1}}),
			appendTo(2, 1, 2, 1)}, end: lists{1: {1, 2}}},
		"a client does not read what it wrote": {
			history: []Op{appendTo(1, 1, 1), read(1, lists{1: {}})}, want: []Kind{Stale}},
		"a client reads less than before": {
			history: []Op{appendTo(1, 1, 1), read(2, lists{1: {1}}), read(2, lists{1: {}})}, want: []Kind{Stale}},
		"another client may read less": {
			history: []Op{appendTo(1, 1, 1), read(2, lists{1: {1}}), read(3, lists{1: {}})}},
		"a client reads a consequence, and then not the cause": {
			history: []Op{appendTo(1, 1, 1), appendTo(1, 2, 2), read(2, lists{2: {2}}), read(2, lists{1: {}})},
			want:    []Kind{Stale}},
		"one read of both, without the cause": {
			history: []Op{appendTo(1, 1, 1), appendTo(1, 2, 2), read(2, lists{1: {}, 2: {2}})}, want: []Kind{Stale}},
		"a long fork in two reads": {
			history: []Op{appendTo(1, 1, 1), appendTo(2, 2, 2), read(3, lists{1: {1}, 2: {}}),
				read(4, lists{1: {}, 2: {2}})},
			want: []Kind{LongFork}},
		"a long fork in reads one by one": {
			history: []Op{appendTo(1, 1, 1), appendTo(2, 2, 2), read(3, lists{1: {1}}), read(3, lists{2: {}}),
				read(4, lists{2: {2}}), read(4, lists{1: {}})},
			want: []Kind{LongFork}},
		"reads of one order": {
			history: []Op{appendTo(1, 1, 1), appendTo(2, 2, 2), read(3, lists{1: {1}, 2: {}}),
				read(4, lists{1: {1}, 2: {2}}),
				read(5, lists{1: {}, 2: {}})}},
		"a read of the future": {
			history: []Op{read(1, lists{1: {1}}), appendTo(1, 1, 1)}, want: []Kind{Circular}},
		"appends around each other": {
			history: []Op{appendTo(1, 1, 1), appendTo(1, 2, 2), appendTo(2, 2, 3), appendTo(2, 1, 4)},
			end:     lists{1: {4, 1}, 2: {2, 3}}, want: []Kind{Order, Circular}},
		"a lost append": {history: []Op{appendTo(1, 1, 1), appendTo(2, 2, 2)},
			end: lists{1: {}, 2: {2}}, want: []Kind{Lost}},
		"an append that is missing at the end": {
			history: []Op{{Client: 1, Key: 1, Append: 1}, appendTo(2, 1, 2)}, end: lists{1: {2}}, want: []Kind{Lost}},
		"two orders": {history: []Op{read(1, lists{1: {1, 2}}), read(2, lists{1: {2}})},
			appended: lists{1: {1, 2}}, want: []Kind{Order, Stale}},
		"a value twice": {history: []Op{read(1, lists{1: {1, 1}})},
			appended: lists{1: {1}}, want: []Kind{Order}},
		"a value of nobody": {history: []Op{read(1, lists{1: {1}})}, want: []Kind{Unwritten}},
		"an append with no news": {history: []Op{read(1, lists{1: {1}}), read(2, lists{1: {}})},
			appended: lists{1: {1}}},
	} {
		var got []Kind
		for _, a := range Check(c.history, c.appended, c.end) {
			if !slices.Contains(got, a.Kind) {
				got = append(got, a.Kind)
			}
		}
		if len(got) != len(c.want) || len(got) > 0 && !slices.Equal(got, c.want) {
			t.Errorf("%s: found %v, want %v", name, got, c.want)
		}
	}
}

// Of a random history over one database, each client's reads are in order; over one that is late for a read now and
// then, they are not, and that is found.
func TestAStaleReadIsFoundInALongHistory(t *testing.T) {
	t.Parallel()
	for _, isLate := range []bool{false, true} {
		random := rand.New(rand.NewPCG(1, 2))
		now, old, end := lists{}, lists{}, lists{}
		var history []Op
		for i := range 20_000 {
			client, key := random.IntN(8), random.IntN(20)
			if random.IntN(5) == 0 {
				old[key] = now[key]
				now[key] = append(slices.Clone(now[key]), i+1)
				history = append(history, Op{client, key, i + 1, lists{key: now[key]}})
				continue
			}
			seen := now[key]
			if isLate && random.IntN(1000) == 0 {
				seen = old[key]
			}
			history = append(history, read(client, lists{key: seen, (key + 1) % 20: now[(key+1)%20]}))
		}
		for key, list := range now {
			end[key] = list
		}
		found := Check(history, nil, end)
		if (len(found) > 0) != isLate {
			t.Errorf("late %t: found %v", isLate, found)
		}
		for _, a := range found {
			if a.Kind != Stale {
				t.Errorf("found %v", a)
			}
		}
	}
}
