package signedlink

import (
	"maps"
	"slices"
)

// What the tests see of the adapter.
var (
	Uncovered   = uncovered
	OptionsRead = slices.Sorted(maps.Keys(schemeOptions))
)
