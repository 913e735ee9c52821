package link

import (
	"strings"
	"time"
)

// Policy is what the operator demands of a link's time window.
type Policy struct {
	RequireExpiry bool          // a link without an expiry is refused
	MaxLifetime   time.Duration // longest time from issue (or now) to expiry; 0: any
	MaxAge        time.Duration // longest time since issue; 0: any
	ClockSkew     time.Duration // tolerance on both ends
}

// Check judges the time window of a link whose signature is right. Calling it
// before the signature was checked would tell strangers which links once existed.
//
// A link is valid up to and including the second named in its expiry, as Laravel
// has it.
func (p Policy) Check(l *Link, now time.Time) Refusal {
	expires, hasExpiry, ok := l.Expires.Time()
	if !ok {
		return Refuse(Malformed, "expiry")
	}
	issued, hasIssue, ok := l.Issued.Time()
	if !ok {
		return Refuse(Malformed, "issued")
	}
	second := now
	if hasExpiry && l.Expires.Format != UnixMS {
		second = time.Unix(now.Unix(), 0) // the second that the link names is its last
	}
	switch {
	case !hasExpiry && (p.RequireExpiry || p.MaxLifetime > 0): // one for ever exceeds every lifetime
		return Refuse(Malformed, "no_expiry")
	case !hasIssue && p.MaxAge > 0:
		return Refuse(Malformed, "no_issue_time")
	case hasIssue && issued.After(now.Add(p.ClockSkew)):
		return Refuse(NotYetValid, "issued")
	case hasExpiry && second.After(expires.Add(p.ClockSkew)):
		return Refuse(Expired, "")
	case hasIssue && p.MaxAge > 0 && now.After(issued.Add(p.MaxAge+p.ClockSkew)):
		return Refuse(Expired, "max_age")
	}
	if hasExpiry && p.MaxLifetime > 0 {
		from := now
		if hasIssue {
			from = issued
		}
		if expires.After(from.Add(p.MaxLifetime + p.ClockSkew)) {
			return Refuse(Malformed, "max_lifetime")
		}
	}
	return Refusal{}
}

// TimeFormat is how a link writes a time.
type TimeFormat uint8

// The formats.
const (
	Unix    TimeFormat = iota // seconds since 1970, decimal, at most 10 digits
	UnixMS                    // milliseconds since 1970, decimal, at most 13 digits
	RFC3339                   // 2026-11-21T19:00:00Z
)

// Timestamp is a time as a link writes it. The zero value is no time.
type Timestamp struct {
	Text    string
	Present bool
	Format  TimeFormat
}

// Time returns the time, whether there is one, and whether its text can be read.
//
// It is strict, because lenient readers were exploited: a number with a sign, an
// exponent, a fraction or other letters, or milliseconds where seconds are meant,
// are no times, and a link never lives for ever by an expiry that cannot be read.
func (t Timestamp) Time() (at time.Time, present, ok bool) {
	if !t.Present {
		return time.Time{}, false, true
	}
	if t.Format == RFC3339 {
		return t.rfc3339()
	}
	digits := 10
	if t.Format == UnixMS {
		digits = 13
	}
	if t.Text == "" || len(t.Text) > digits {
		return time.Time{}, true, false
	}
	var n int64
	for i := range len(t.Text) {
		c := t.Text[i]
		if c < '0' || c > '9' {
			return time.Time{}, true, false
		}
		n = n*10 + int64(c-'0')
	}
	if t.Format == UnixMS {
		return time.UnixMilli(n), true, true
	}
	return time.Unix(n, 0), true, true
}

// rfc3339 is stricter than [time.Parse], which admits hours of one digit, a comma
// before the fraction, and offsets of a whole day.
func (t Timestamp) rfc3339() (at time.Time, present, ok bool) {
	const day = 24 * 60 * 60
	at, err := time.Parse(time.RFC3339Nano, t.Text)
	if err != nil || strings.Contains(t.Text, ",") || !strings.HasPrefix(t.Text, at.Format("2006-01-02T15:04:05")) {
		return time.Time{}, true, false
	}
	_, offset := at.Zone()
	return at, true, -day < offset && offset < day
}
