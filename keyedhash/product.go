package keyedhash

import (
	"encoding/binary"
	"slices"
)

// field is one place of a message.
type field struct {
	language
	part   *part
	pinned bool // the user, whose secret it is: another user has another secret
}

// at is a place in a run over all fields.
type at struct {
	field int
	state int64
}

// successors calls yield for each place to which the symbol leads.
func successors(fields []field, a at, c symbol, yield func(at)) {
	for i, s := a.field, a.state; ; {
		if to := fields[i].step(s, c); to != dead {
			yield(at{i, to})
		}
		if !fields[i].final(s) || i+1 == len(fields) {
			return
		}
		i++
		s = fields[i].start()
	}
}

// ends reports whether the message may end here.
func ends(fields []field, a at) bool {
	if !fields[a.field].final(a.state) {
		return false
	}
	for _, f := range fields[a.field+1:] {
		if !f.final(f.start()) {
			return false
		}
	}
	return true
}

// What a search may cost: pairs of states, and steps. Honest templates need some hundreds
// of pairs; the limits keep a strange one from holding up a start for a second.
const (
	maxPairs = 100_000
	maxSteps = 10_000_000
)

// twoReadings looks for the shortest text that can be divided among the fields in two
// ways. It runs the automaton of the whole message twice, side by side (the square of
// Book, Even, Greibach and Ott, "Ambiguity in graphs and expressions", 1971): while
// both runs read each symbol in the same field, they are in the same state, because
// each field is deterministic; once they read one in different fields, the readings
// differ. The result is what each reading gives each field. One that is not possible, because values
// depend on each other, is passed over: possible decides; after some of them the search
// gives up. unique reports that there are no two readings at all.
func twoReadings(fields []field, possible func(a, b []string) bool) (a, b []string, unique bool) {
	tries, steps := 0, 0
	type node struct {
		a, b   at
		differ bool
	}
	type step struct {
		node
		from   int32
		symbol symbol
	}
	symbols := representatives(fields)
	start := at{0, fields[0].start()}
	queue := []step{{node: node{a: start, b: start}, from: -1}}
	seen := map[node]struct{}{queue[0].node: {}}
	var left, right []at
	for i := 0; i < len(queue); i++ {
		here := queue[i]
		if here.differ && ends(fields, here.a) && ends(fields, here.b) {
			var way []step
			for j := int32(i); queue[j].from >= 0; j = queue[j].from {
				way = append(way, queue[j])
			}
			x, y := make([][]byte, len(fields)), make([][]byte, len(fields))
			for _, w := range slices.Backward(way) {
				if w.symbol < 256 {
					x[w.a.field] = append(x[w.a.field], byte(w.symbol))
					y[w.b.field] = append(y[w.b.field], byte(w.symbol))
				}
			}
			a, b = make([]string, len(fields)), make([]string, len(fields))
			for f := range fields {
				a[f], b[f] = string(x[f]), string(y[f])
			}
			steps += 10 * len(way)
			if possible(a, b) {
				return a, b, false
			}
			if tries++; tries > 200 {
				return nil, nil, false
			}
		}
		if len(queue) > maxPairs || steps > maxSteps {
			return nil, nil, false
		}
		for _, c := range symbols {
			left, right = left[:0], right[:0]
			successors(fields, here.a, c, func(p at) { left = append(left, p) })
			successors(fields, here.b, c, func(p at) { right = append(right, p) })
			steps += 1 + len(left)*len(right)
			for _, p := range left {
				for _, q := range right {
					if p.field != q.field && (fields[p.field].pinned || fields[q.field].pinned) || !here.differ && p.field > q.field {
						continue // the other half of the square is the same
					}
					n := node{p, q, here.differ || p.field != q.field}
					if _, ok := seen[n]; !ok {
						seen[n] = struct{}{}
						queue = append(queue, step{n, int32(i), c})
					}
				}
			}
		}
	}
	return nil, nil, tries == 0
}

// representatives returns one symbol of each kind that any field tells apart, those
// that people read most easily first.
func representatives(fields []field) []symbol {
	const first = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0"
	order := make([]symbol, 0, allSymbols)
	for i := range len(first) {
		order = append(order, symbol(first[i]))
	}
	for _, printable := range []bool{true, false} {
		for c := range symbol(256) {
			if (' ' < c && c < 0x7F) == printable && !isAlnum(byte(c)) {
				order = append(order, c)
			}
		}
	}
	order = append(order, theSecret, unseen)
	known := make(map[string]bool)
	var out []symbol
	var signature []byte
	for _, c := range order {
		signature = signature[:0]
		for _, f := range fields {
			signature = binary.AppendVarint(signature, int64(f.same(c)))
		}
		if !known[string(signature)] {
			known[string(signature)] = true
			out = append(out, c)
		}
	}
	return out
}
