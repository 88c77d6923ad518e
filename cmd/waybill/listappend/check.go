// Package listappend checks histories of clients that append to lists and read them (the idea of Jepsen's Elle). A
// list that is read shows all appends to it in their order, so that dependencies between operations follow from what
// was read: who overwrote whom (ww), who read whose append (wr), and who did not read an append that came next (rw).
// With the order in which each client did its operations, a cycle of them is an anomaly: see [Kind].
package listappend

import (
	"fmt"
	"slices"
)

// Op is one operation that was answered.
type Op struct {
	Client int
	// Append is the value that it appended to Key; 0 for a read. No two operations append the same value.
	Key, Append int
	// Reads are the whole lists that it read, by key. Those of an append include the value.
	Reads map[int][]int
}

// Kind is the kind of an anomaly, named by its worst.
type Kind string

// The kinds of anomalies.
const (
	// Order means that two reads of a list are not a beginning of one and the same list, or that it has a value twice.
	Order Kind = "incompatible order"
	// Lost means that an append that was acknowledged is missing from the list at the end.
	Lost Kind = "lost append"
	// Unwritten means that a value was read that nobody appended.
	Unwritten Kind = "unwritten value"
	// Circular is a cycle of appends, reads of them and the clients' order alone (G0, G1c).
	Circular Kind = "circular information flow"
	// Stale is a cycle with one read that did not see what came next (G-single): its client had written or read that,
	// or what came after.
	Stale Kind = "stale read"
	// LongFork is a cycle with several such reads: two clients saw two appends in different orders.
	LongFork Kind = "long fork"
)

// Anomaly is one that was found, with the positions of operations in the history.
type Anomaly struct {
	Kind Kind
	Ops  []int
}

// Check returns the anomalies of a history: of each client's operations, in their order. appended are further values,
// by key, of appends of which it is not known what became of them. end are the lists as they are at last.
func Check(history []Op, appended, end map[int][]int) (found []Anomaly) {
	g := newGraph(history, appended)
	g.order(end)
	g.connect()
	return append(g.found, g.cycles()...)
}

// edge leads from an operation to one that must come later.
type edge struct {
	to   int
	isRW bool
}

type graph struct {
	history []Op
	writer  map[int]int   // the operation that appended a value; those of unknown appends follow the history's
	lists   map[int][]int // the longest ones
	edges   [][]edge
	found   []Anomaly
}

func newGraph(history []Op, appended map[int][]int) *graph {
	g := &graph{history: history, writer: map[int]int{}, lists: map[int][]int{}}
	for i, op := range history {
		if op.Append != 0 {
			g.writer[op.Append] = i
		}
	}
	nodes := len(history)
	for _, values := range appended {
		for _, v := range values {
			g.writer[v] = nodes
			nodes++
		}
	}
	g.edges = make([][]edge, nodes)
	return g
}

// order finds the longest list of each key, and what does not fit.
func (g *graph) order(end map[int][]int) {
	for key, list := range end {
		g.lists[key] = list
	}
	for i, op := range g.history {
		for key, list := range op.Reads {
			longest := g.lists[key]
			if len(list) > len(longest) {
				longest, list = list, longest
				g.lists[key] = longest
			}
			if !slices.Equal(longest[:len(list)], list) {
				g.found = append(g.found, Anomaly{Order, []int{i}})
			}
		}
	}
	for _, list := range g.lists {
		known := map[int]bool{}
		for _, v := range list {
			_, written := g.writer[v]
			if known[v] {
				g.found = append(g.found, Anomaly{Kind: Order})
			} else if !written {
				g.found = append(g.found, Anomaly{Kind: Unwritten})
			}
			known[v] = true
		}
	}
	for i, op := range g.history {
		if list, ok := end[op.Key]; ok && op.Append != 0 && !slices.Contains(list, op.Append) {
			g.found = append(g.found, Anomaly{Lost, []int{i}})
		}
	}
}

// connect adds the dependencies.
func (g *graph) connect() {
	last := map[int]int{}
	for i, op := range g.history {
		if before, ok := last[op.Client]; ok {
			g.add(before, i, false)
		}
		last[op.Client] = i
		for key, list := range op.Reads {
			if len(list) > len(g.lists[key]) {
				continue
			}
			if n := len(list); n > 0 {
				g.addFrom(list[n-1], i)
			}
			if n := len(list); n < len(g.lists[key]) {
				if w, ok := g.writer[g.lists[key][n]]; ok {
					g.add(i, w, true)
				}
			}
		}
	}
	for _, list := range g.lists {
		for i := 1; i < len(list); i++ {
			if to, ok := g.writer[list[i]]; ok {
				g.addFrom(list[i-1], to)
			}
		}
	}
}

func (g *graph) addFrom(value, to int) {
	if from, ok := g.writer[value]; ok {
		g.add(from, to, false)
	}
}

func (g *graph) add(from, to int, isRW bool) {
	if from != to {
		g.edges[from] = append(g.edges[from], edge{to, isRW})
	}
}

// cycles returns an anomaly for each set of operations that all depend on each other.
func (g *graph) cycles() (found []Anomaly) {
	for _, ops := range g.components() {
		inside := map[int]bool{}
		for _, op := range ops {
			inside[op] = true
		}
		slices.Sort(ops)
		found = append(found, Anomaly{g.kind(ops, inside), ops})
	}
	return found
}

// kind returns the worst kind of cycle within a component.
func (g *graph) kind(ops []int, inside map[int]bool) Kind {
	if g.isCircular(ops, inside) {
		return Circular
	}
	for _, from := range ops {
		for _, e := range g.edges[from] {
			if e.isRW && inside[e.to] && g.reaches(e.to, from, inside) {
				return Stale
			}
		}
	}
	return LongFork
}

// isCircular reports whether a component has a cycle without an rw edge: whether operations remain once those that
// depend on none that remains are taken away.
func (g *graph) isCircular(ops []int, inside map[int]bool) bool {
	before := map[int]int{}
	for _, from := range ops {
		for _, e := range g.edges[from] {
			if !e.isRW && inside[e.to] {
				before[e.to]++
			}
		}
	}
	var free []int
	for _, op := range ops {
		if before[op] == 0 {
			free = append(free, op)
		}
	}
	taken := 0
	for ; taken < len(free); taken++ {
		for _, e := range g.edges[free[taken]] {
			if e.isRW || !inside[e.to] {
				continue
			}
			if before[e.to]--; before[e.to] == 0 {
				free = append(free, e.to)
			}
		}
	}
	return taken < len(ops)
}

// reaches reports whether there is a way without an rw edge.
func (g *graph) reaches(from, to int, inside map[int]bool) bool {
	seen, todo := map[int]bool{from: true}, []int{from}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if at == to {
			return true
		}
		for _, e := range g.edges[at] {
			if !e.isRW && inside[e.to] && !seen[e.to] {
				seen[e.to] = true
				todo = append(todo, e.to)
			}
		}
	}
	return false
}

// components returns the strongly connected components of more than one operation (Tarjan's algorithm, without
// recursion: histories are long).
func (g *graph) components() (all [][]int) {
	type frame struct{ node, next int }
	n := len(g.edges)
	index, low, onStack := make([]int, n), make([]int, n), make([]bool, n)
	var stack []int
	count := 0
	enter := func(v int) frame {
		count++
		index[v], low[v], onStack[v] = count, count, true
		stack = append(stack, v)
		return frame{v, 0}
	}
	for root := range n {
		if index[root] != 0 {
			continue
		}
		for calls := []frame{enter(root)}; len(calls) > 0; {
			f := &calls[len(calls)-1]
			v := f.node
			if f.next < len(g.edges[v]) {
				to := g.edges[v][f.next].to
				f.next++
				if index[to] == 0 {
					calls = append(calls, enter(to))
				} else if onStack[to] {
					low[v] = min(low[v], index[to])
				}
				continue
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				parent := calls[len(calls)-1].node
				low[parent] = min(low[parent], low[v])
			}
			if low[v] != index[v] {
				continue
			}
			at := slices.Index(stack, v)
			component := slices.Clone(stack[at:])
			stack = stack[:at]
			for _, member := range component {
				onStack[member] = false
			}
			if len(component) > 1 {
				all = append(all, component)
			}
		}
	}
	return all
}

// String describes the anomaly.
func (a Anomaly) String() string { return fmt.Sprintf("%s: operations %v", a.Kind, a.Ops) }
