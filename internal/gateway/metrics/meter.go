package metrics

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/link"
)

// noReason is the label of requests that verify.
const noReason = "none"

// Meter counts what a definition does. All its counters are found when it is provisioned:
// no request makes a label, and none waits for a lock.
type Meter struct {
	verifications   [len(outcome.Results)][]prometheus.Counter // by [reasonIndex]; nil: it cannot happen
	cookiesCut      prometheus.Counter
	pathRefusals    prometheus.Counter
	wrongSignatures prometheus.Counter
	seconds         prometheus.Observer
}

// reasonIndex is the place of a reason, and 0 for none.
func reasonIndex(r link.Reason) int { return slices.Index(link.Reasons, r) + 1 }

func newMeter(definition string) *Meter {
	m := &Meter{
		cookiesCut:   CookiesCut.WithLabelValues(definition),
		pathRefusals: PathRefusals.WithLabelValues(definition),
	}
	for r := range m.verifications {
		m.verifications[r] = make([]prometheus.Counter, len(link.Reasons)+1)
	}
	return m
}

// NewGuardMeter makes the counters of a guard, under its label.
func NewGuardMeter(label string) *Meter {
	m := newMeter(label)
	m.begin(label, outcome.Refused, link.Ambiguous) // a target without a path
	return m
}

// NewMeter makes the counters of all that a definition with this label and these rules can
// say. They begin at 0, so that the first refusal of a kind is an increase.
func NewMeter(definition string, rules *outcome.Rules) *Meter {
	m := newMeter(definition)
	add := func(r outcome.Result, reasons ...link.Reason) { m.begin(definition, r, reasons...) }
	switch rules.Mode {
	case outcome.Require:
		add(outcome.Verified, "")
		add(outcome.Refused, link.Reasons...)
		if rules.PassMissing {
			add(outcome.Anonymous, link.Missing)
		}
	case outcome.Recognize:
		add(outcome.Verified, "")
		add(outcome.Anonymous, link.Reasons...)
		add(outcome.Refused, link.Malformed, link.Ambiguous) // the bounds of a query, the path rule, two users
	case outcome.Observe:
		add(outcome.WouldVerify, "")
		add(outcome.WouldRefuse, link.Reasons...)
	}
	m.wrongSignatures = WrongSignatures.WithLabelValues(definition)
	m.seconds = Seconds.WithLabelValues(definition)
	return m
}

// begin makes the counters of a result with these reasons.
func (m *Meter) begin(definition string, r outcome.Result, reasons ...link.Reason) {
	for _, reason := range reasons {
		label := cmp.Or(string(reason), noReason)
		m.verifications[r][reasonIndex(reason)] = Verifications.WithLabelValues(definition, outcome.Results[r], label)
	}
}

// Count counts what became of a request that the definition judged, and whether it had a
// link of the right form that no key makes. A reason that the scheme of another module
// invented has no counter.
func (m *Meter) Count(r outcome.Result, reason link.Reason, wrongSignature bool) {
	if c := m.verifications[r][reasonIndex(reason)]; c != nil {
		c.Inc()
	}
	if wrongSignature {
		m.wrongSignatures.Inc()
	}
}

// CountPath counts a path that is beyond the bounds.
func (m *Meter) CountPath() { m.pathRefusals.Inc() }

// CountCookies counts cookies that were cut.
func (m *Meter) CountCookies(n int) {
	if n > 0 {
		m.cookiesCut.Add(float64(n))
	}
}

// Took notes how long judging a request took.
func (m *Meter) Took(d time.Duration) { m.seconds.Observe(d.Seconds()) }
