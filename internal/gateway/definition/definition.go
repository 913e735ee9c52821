// Package definition is the judge: one signed_link, compiled, says of the view of a request
// whether its link is valid, whose it is, and what of the request goes. It knows no Caddy,
// so that the gateway, the command line and tests judge with the very same code.
//
// A [Spec] is what was configured; [New] finds all that is wrong with it. The judge's way
// is read from top to bottom in judge.go.
package definition

import (
	"slices"
	"sync/atomic"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/throttle"
	"github.com/signedlink/caddy-signed-link/internal/request/bodies"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// Definition is one signed_link, compiled. It is immutable once requests come.
type Definition struct {
	Profile backend.Profile
	Methods []string // allowed; the first ones are GET and HEAD unless `methods` says otherwise
	bodies  []string // those of methods that the operator named, and that may carry a body
	Schemes []*Scheme

	Names     *query.Names // every protected parameter of every scheme
	Cookies   *query.Names // the same as PHP reads cookies; nil where no PHP can stand behind
	signature nameSet      // signature parameters of all schemes
	identity  nameSet      // identity parameters of all schemes
	CoversAll bool         // a scheme's message covers every parameter
	inBodies  bodies.Rules // what of the above a body must not hold

	strip       Strip
	cutUnsigned bool

	throttle *throttle.Throttle // nil: nobody has to wait
	inPath   bool               // a scheme's links carry their signature in the path
}

// Scheme is one scheme of a definition. It is immutable once requests come, but for what
// sources of keys bring.
type Scheme struct {
	Name          string
	kind          string // the last part of its module's id
	configuration string // as it is written

	Format      link.Scheme
	Description link.Description

	signature nameSet // its signature parameters: signature, key id, token, expiry
	covered   nameSet // what its message covers, and the above

	User      *keyedhash.Template // nil: nobody
	userValue headers.Encoding
	scoped    link.Scoped // the scheme, where it can tell for what a link was made
	paths     *paths      // nil: the query alone tells which requests are links
	outputs   []output
	rules     []boundRule
	ignore    link.Ignore
	policy    link.Policy
	Keys      keys.SetSource  // one of keys and users
	Users     keys.UserSource //
	dummy     []byte          // stands in for the key of a key id that does not exist
	lengths   lengths         // the same for users
	bound     atomic.Pointer[boundKeys]

	Place    int                // among the schemes of its definition
	throttle *throttle.Throttle // of the definition
	Findings []link.Finding     // what the checker says
	Allowed  map[string]bool    // codes of findings that the operator allowed
}

// output is a header of a verified request.
type output struct {
	header    string
	template  *keyedhash.Template
	requested bool // by request_header, and not by the scheme itself
}

// boundRule is a `param` rule and where its value is.
type boundRule struct {
	name  string
	claim bool                // the value is a claim, not a parameter
	value *keyedhash.Template // the value is a field or a segment of the path; nil: as above
	field int                 // its number, or -1
	rule  link.Rule
}

// Header is one header that the gateway sets.
type Header struct {
	Name, Value string
	Requested   bool // by request_header
}

// Outputs are the headers that the definition sets, beside the identity itself.
func (d *Definition) Outputs() []string {
	var names []string
	for _, s := range d.Schemes {
		for _, o := range s.outputs {
			names = append(names, o.header)
		}
	}
	return names
}

// SignatureNames returns the parameters that carry signatures, key ids and tokens. Those
// that carry the expiry are none of them: without the signature it is worth nothing to
// a thief, and much to whoever asks why a link failed.
func (d *Definition) SignatureNames() []string {
	var names []string
	for _, s := range d.Schemes {
		for _, name := range s.Description.Signature {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// nameSet is a set of indexes into a definition's protected names.
type nameSet uint64

// maxNames is how many protected parameters one definition may have.
const maxNames = 64

func (s nameSet) has(i int) bool { return s&(1<<i) != 0 }

func (s *nameSet) add(i int) { *s |= 1 << i }

func anyName(int) bool { return true }
