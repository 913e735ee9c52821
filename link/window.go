package link

import (
	"cmp"
	"time"
)

// Policy is what the operator demands of a link's time window.
type Policy struct {
	RequireExpiry bool          // a link without an expiry is refused
	MaxLifetime   time.Duration // longest time from issue (or now) to expiry; 0: any
	MaxAge        time.Duration // longest time since issue; 0: any
	ClockSkew     time.Duration // tolerance on both ends

	// MaxAhead is how far ahead of now the time of issue may lie, beside ClockSkew; 0:
	// not at all. lighttpd's mod_secdownload accepts its window to both sides of the
	// time that a link states, and ClockSkew would lengthen an expiry, too.
	MaxAhead time.Duration
}

// Or returns the policy with the bounds of d where it has none itself.
func (p Policy) Or(d Policy) Policy {
	return Policy{
		RequireExpiry: p.RequireExpiry || d.RequireExpiry,
		MaxLifetime:   cmp.Or(p.MaxLifetime, d.MaxLifetime),
		MaxAge:        cmp.Or(p.MaxAge, d.MaxAge),
		ClockSkew:     cmp.Or(p.ClockSkew, d.ClockSkew),
		MaxAhead:      cmp.Or(p.MaxAhead, d.MaxAhead),
	}
}

// Check judges the time window of a link whose signature is right. Calling it
// before the signature was checked would tell strangers which links once existed.
//
// A link is valid up to and including the second named in its expiry, as Laravel
// has it; see [Timestamp.End] for what names more or less than a second.
func (p Policy) Check(l *Link, now time.Time) Refusal {
	var (
		expires             named
		issued              time.Time
		hasExpiry, hasIssue bool
		ok                  bool
	)
	if l.Expires.Present {
		if expires, hasExpiry, ok = l.Expires.read(); !ok {
			return Refuse(Malformed, "expiry")
		}
	}
	if l.Issued.Present {
		if issued, hasIssue, ok = l.Issued.Time(); !ok {
			return Refuse(Malformed, "issued")
		}
	}
	switch {
	case !hasExpiry && (p.RequireExpiry || p.MaxLifetime > 0): // one for ever exceeds every lifetime
		return Refuse(Malformed, "no_expiry")
	case !hasIssue && p.MaxAge > 0:
		return Refuse(Malformed, "no_issue_time")
	case hasIssue && issued.After(now.Add(p.MaxAhead).Add(p.ClockSkew)):
		return Refuse(NotYetValid, "issued")
	case hasExpiry && !now.Before(expires.end.Add(p.ClockSkew)):
		return Refuse(Expired, "")
	case hasIssue && p.MaxAge > 0 && now.After(issued.Add(p.MaxAge+p.ClockSkew)):
		return Refuse(Expired, "max_age")
	}
	if hasExpiry && p.MaxLifetime > 0 {
		from := now
		if hasIssue {
			from = issued
		}
		if expires.last().After(from.Add(p.MaxLifetime + p.ClockSkew)) {
			return Refuse(Malformed, "max_lifetime")
		}
	}
	return Refusal{}
}
