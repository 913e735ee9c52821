package headers

import (
	"fmt"
	"strings"
)

// CheckOutput refuses headers that a definition must not set: those that mean something
// to proxies and servers themselves, those that the guard would delete again, and names
// that some backend files under another one.
func CheckOutput(name string) error {
	if Fold(name) != strings.ToLower(name) || strings.Trim(name, "-") != name || name == "" || len(name) > 64 {
		return fmt.Errorf("%q: a name is made of letters, digits and hyphens", name)
	}
	row := Lookup(name)
	if row == nil || row.Output() {
		return nil
	}
	const cure = "choose a name such as X-Verified-Account"
	kind := &Kinds[row.Kind]
	if prefix, ok := row.prefix(); ok {
		return fmt.Errorf("%s: headers that begin with %s have a meaning of their own; %s", name, prefix, cure)
	}
	switch row.Kind {
	case Rerouting:
		return fmt.Errorf("%s: %s (%s), and the guard deletes it from every request; %s", name, kind.Why, row.Believed, cure)
	case Transport, Forwarded:
		return fmt.Errorf("%s: %s (%s), so it cannot carry anything else; %s", name, kind.Why, row.Believed, cure)
	case Override:
		return fmt.Errorf("%s: %s (%s); %s", name, kind.Why, row.Believed, cure)
	case Credentials:
		return fmt.Errorf("%s: %s (%s), and `authorization` cuts it; %s, "+
			"or set it in the proxy that stands behind, with header_up", name, kind.Why, row.Believed, cure)
	default:
		return fmt.Errorf("%s: this header has a meaning of its own; %s", name, cure)
	}
}
