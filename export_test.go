package signedlink

import (
	"maps"
	"slices"
)

// What the tests see of the adapter.
var (
	Uncovered   = uncovered
	OptionsRead = slices.Sorted(maps.Keys(schemeOptions))

	DefinitionOptionsRead = func() (names []string) {
		for _, o := range definitionOptions {
			names = append(names, o.name)
		}
		return names
	}()
)
