package headers

import "slices"

// Fold returns the name under which the most lenient backend files a header: PHP and
// CGI make '-' and '_' (and older servers '.' and any other character) the same letter,
// and no backend minds case (CVE-2015-0219, CVE-2024-45614, CVE-2025-64484,
// GHSA-f59h-q822-g45g, GHSA-49wc-4hcv-v58q).
func Fold(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = letters[classes[c]]
	}
	return string(b)
}

// letters are those of a fold, and classes says which of them a byte is.
const letters = "-abcdefghijklmnopqrstuvwxyz0123456789"

var classes = func() (classes [256]uint8) {
	for i := range letters {
		classes[letters[i]] = uint8(i)
		if c := letters[i]; 'a' <= c && c <= 'z' {
			classes[c-'a'+'A'] = uint8(i)
		}
	}
	return classes
}()

// Names finds names among many, in any spelling. A look takes one step for each letter
// that leads on, and most names end at the second or third: a guard looks at every header
// of every request. It is immutable once it is made; the zero value is empty.
type Names struct {
	nodes []node
}

// node is what is known after some letters of a name.
type node struct {
	next  [len(letters)]uint32 // 0: no name goes on so
	exact uint32               // the name that ends here, from 1
	all   uint32               // the names that begin so, from 1
}

// NewNames returns the set of the names, in which each may end with a * and stand for all
// that begin so.
func NewNames(names []string) *Names {
	n := &Names{nodes: make([]node, 1, 8)}
	for i, name := range names {
		n.add(name, uint32(i+1))
	}
	return n
}

func (n *Names) add(name string, place uint32) {
	at := 0
	for i := range len(name) {
		if i == len(name)-1 && name[i] == '*' {
			n.nodes[at].all = place
			return
		}
		c := classes[name[i]]
		next := int(n.nodes[at].next[c])
		if next == 0 {
			next = len(n.nodes)
			n.nodes = append(n.nodes, node{})
			n.nodes[at].next[c] = uint32(next)
		}
		at = next
	}
	n.nodes[at].exact = place
}

// Find returns the place of the name in the list, or -1. The exact name goes before those
// that begin so, and of those the longest.
func (n *Names) Find(name string) int {
	if len(n.nodes) == 0 || name == "" {
		return -1
	}
	at, found := &n.nodes[0], int(n.nodes[0].all)
	for i := range len(name) {
		next := at.next[classes[name[i]]]
		if next == 0 {
			return found - 1
		}
		at = &n.nodes[next]
		if at.all != 0 {
			found = int(at.all)
		}
	}
	if at.exact != 0 {
		found = int(at.exact)
	}
	return found - 1
}

// Has reports whether the name is in the set.
func (n *Names) Has(name string) bool { return n.Find(name) >= 0 }

// Leads says by the first two bytes of a name whether it may be one that the guard acts
// on, or one of the outputs: of a browser's headers most are neither. It is immutable.
type Leads [256]uint64 // by the first byte, which letters lead on as the second

// NewLeads returns the leads of what the guard acts on and of the outputs.
func NewLeads(outputs *Names) *Leads {
	l := new(Leads)
	for _, n := range []*Names{watched.names, outputs} {
		if len(n.nodes) == 0 {
			continue
		}
		root := &n.nodes[0]
		for c := range l {
			first := root.next[classes[c]]
			if root.all != 0 || first != 0 && n.nodes[first].all != 0 {
				l[c] = 1<<len(letters) - 1 // whatever the second letter is
				continue
			}
			if first == 0 {
				continue
			}
			for letter, next := range n.nodes[first].next {
				if next != 0 {
					l[c] |= 1 << letter
				}
			}
		}
	}
	return l
}

// On reports whether the name must be looked at.
func (l *Leads) On(name string) bool {
	return len(name) < 2 || l[name[0]]>>classes[name[1]]&1 != 0
}

// namesOf are the names of some rows, and where each stands in the table.
type namesOf struct {
	names  *Names
	places []int
}

func newNamesOf(table []Row, in func(*Row) bool) namesOf {
	var n namesOf
	var names []string
	for i := range table {
		if in(&table[i]) {
			names = append(names, table[i].Name)
			n.places = append(n.places, i)
		}
	}
	n.names = NewNames(names)
	return n
}

func (n *namesOf) place(name string) int {
	if i := n.names.Find(name); i >= 0 {
		return n.places[i]
	}
	return -1
}

var (
	// watched are the rows at which the guard does something: the others would lead it
	// through every Content-Type for nothing.
	watched = newNamesOf(Table, func(r *Row) bool { return r.Action() != Leave })
	known   = newNamesOf(Table, func(*Row) bool { return true })
)

// Watch returns the place in [Table] of the row by which the guard acts on a header of
// this name, in whatever spelling, or -1.
func Watch(name string) int { return watched.place(name) }

// canonical are the names of the rows as Go's server spells them.
var canonical = func() []string {
	names := make([]string, len(Table))
	for i := range Table {
		names[i] = Table[i].String()
	}
	return names
}()

// Canonical is the usual spelling of the name at that place in [Table].
func Canonical(place int) string { return canonical[place] }

// Lookup returns the row of the name, in whatever spelling, or nil.
func Lookup(name string) *Row {
	if i := known.place(name); i >= 0 {
		return &Table[i]
	}
	return nil
}

// Protected reports whether the name belongs to the gateway, whatever the configuration.
func Protected(name string) bool {
	r := Lookup(name)
	return r != nil && r.Action() == Protect
}

// IsIdentity reports whether applications take the header for the user, because another
// gateway sets it.
func IsIdentity(name string) bool {
	r := Lookup(name)
	return r != nil && r.Kind == Identity
}

// Each returns the rows of one kind.
func Each(kind Kind) []Row {
	return slices.DeleteFunc(slices.Clone(Table), func(r Row) bool { return r.Kind != kind })
}
