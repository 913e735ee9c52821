package metrics

import (
	"testing"

	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/link"
)

// TestMeter: counting takes no memory, every verdict of every mode has a counter, and a
// reason that no page knows breaks nothing.
func TestMeter(t *testing.T) {
	for _, rules := range []outcome.Rules{
		{Mode: outcome.Require}, {Mode: outcome.Require, PassMissing: true}, {Mode: outcome.Recognize}, {Mode: outcome.Observe},
	} {
		m := NewMeter("meter", &rules)
		for _, reason := range append([]link.Reason{""}, link.Reasons...) {
			for _, unread := range []bool{false, true} {
				for _, required := range []bool{false, true} {
					if unread && reason != link.Malformed {
						continue
					}
					conflict := required && reason == link.Ambiguous
					what := rules.Decide(link.Refuse(reason, ""), outcome.Circumstances{Unread: unread, Conflict: conflict, Required: required})
					if m.verifications[what][reasonIndex(reason)] == nil {
						t.Errorf("mode %d: nothing counts %s %q", rules.Mode, outcome.Results[what], reason)
					}
					if n := testing.AllocsPerRun(10, func() { m.Count(what, reason, true) }); n != 0 {
						t.Errorf("%v allocations", n)
					}
				}
			}
		}
		for r := range outcome.Results {
			m.Count(outcome.Result(r), "invented", false)
		}
	}
}
