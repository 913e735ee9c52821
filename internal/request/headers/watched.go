package headers

import (
	"slices"
)

// The headers of a verified request.
const (
	VerifiedUser   = "X-Verified-User"
	VerifiedScheme = "X-Verified-Scheme"
	VerifiedKeyID  = "X-Verified-Key-Id"
)

// Watched is what the guards of a configuration look for beside what the table of
// headers says: the outputs of every definition, but for those that are the gateway's
// own anyway. It is immutable.
type Watched struct {
	outputs []string // as folds
	Names   *Names   // the outputs
	Leads   *Leads   // says which headers need a look at all
}

// NewWatched returns what is watched for outputs, given as folds.
func NewWatched(outputs []string) *Watched {
	names := NewNames(outputs)
	return &Watched{outputs: outputs, Names: names, Leads: NewLeads(names)}
}

// With returns what is watched when definitions set these headers, too.
func (w *Watched) With(names []string) *Watched {
	outputs := w.outputs
	for _, name := range names {
		if folded := Fold(name); !Protected(folded) && !slices.Contains(outputs, folded) {
			outputs = append(slices.Clip(outputs), folded)
		}
	}
	if len(outputs) == len(w.outputs) {
		return w
	}
	return NewWatched(outputs)
}
