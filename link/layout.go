package link

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

const day = 24 * 60 * 60 // in seconds

// Layout is how a date or a time looks, in a fixed width: YYYY or YY (20YY), MM, DD, hh,
// mm and ss are its digits, any of - / . : _ T and blanks stand between them as they are,
// and a Z at the end says UTC. Their order is free.
type Layout struct {
	text  string
	place [len(parts)]int // of each part in the text; -1: not there
	short bool            // the year has two digits
	utc   bool            // it ends in Z
}

// parts are the parts of a layout, each the next smaller one: their letters, and how many
// seconds one lasts.
var parts = [...]struct {
	letters string
	lasts   int64
}{{"YYYY", 366 * day}, {"MM", 31 * day}, {"DD", day}, {"hh", 60 * 60}, {"mm", 60}, {"ss", 1}}

// The places of some of them.
const (
	yearPart = iota
	monthPart
	dayPart
	hourPart
	minutePart
	secondPart
)

// newLayout reads a layout. Its errors go behind the layout and "is no layout".
func newLayout(text string) (*Layout, error) {
	l := &Layout{text: text}
	for p := range parts {
		l.place[p] = -1
	}
	for i := 0; i < len(text); {
		rest := text[i:]
		if strings.IndexByte("-/.:_ T", rest[0]) >= 0 {
			i++
			continue
		}
		if rest == "Z" {
			l.utc = true
			break
		}
		part, width := -1, 0
		for p := range parts {
			if strings.HasPrefix(rest, parts[p].letters) {
				part, width = p, len(parts[p].letters)
			}
		}
		if part < 0 && strings.HasPrefix(rest, "YY") {
			part, width, l.short = yearPart, len("YY"), true
		}
		if part < 0 {
			return nil, fmt.Errorf("%q is no part of one", rest)
		}
		if l.place[part] >= 0 {
			return nil, fmt.Errorf("%s stands there twice", rest[:width])
		}
		l.place[part] = i
		i += width
	}
	for p := range parts {
		switch {
		case p <= dayPart && l.place[p] < 0:
			return nil, errors.New("it needs year, month and day")
		case p > hourPart && l.place[p] >= 0 && l.place[p-1] < 0:
			return nil, fmt.Errorf("%s needs %s", parts[p].letters, parts[p-1].letters)
		}
	}
	return l, nil
}

// meantAsLayout reports whether whoever wrote an unknown format thought of a layout, if of
// another language's.
func meantAsLayout(format string) bool {
	lower := strings.ToLower(format)
	for _, sign := range []string{"yy", "dd", "hh", "%", "2006"} {
		if strings.Contains(lower, sign) {
			return true
		}
	}
	return false
}

// String returns the layout as it looks.
func (l *Layout) String() string { return l.text }

// rule admits what has the length of the layout. The letters T and Z, colons and blanks
// are in no class together but text.
func (l *Layout) rule() Rule {
	class := Digits
	for i := range len(l.text) {
		if !l.digit(i) {
			class = Text
		}
	}
	return Rule{Class: class, Min: len(l.text), Max: len(l.text)}
}

// digit reports whether there is a digit at the place, and not what stands there itself.
func (l *Layout) digit(i int) bool {
	return strings.IndexByte("YMDhms", l.text[i]) >= 0
}

// lasts is how many seconds pass while a text of the layout holds.
func (l *Layout) lasts() int64 {
	for p := secondPart; p > dayPart; p-- {
		if l.place[p] >= 0 {
			return parts[p].lasts
		}
	}
	return day
}

// read returns what a text of the layout names.
func (l *Layout) read(text string, zone *time.Location) (n named, ok bool) {
	clock, ok := l.clock(text)
	if !ok {
		return named{}, false
	}
	lasts := l.lasts()
	n.long = lasts > 1
	set := func(at, later, end int64) {
		n.at, n.later, n.end = time.Unix(at, 0), time.Unix(later, 0), time.Unix(end, 0)
	}
	switch {
	case l.utc || zone == nil || zone == time.UTC:
		set(clock, clock, clock+lasts)
	case lasts == day:
		// A date is there even where its midnight is not, but for one that a zone
		// skipped whole when it moved over the date line: that ends when it begins.
		begins, ends := reached(zone, clock), reached(zone, clock+day)
		if begins == ends {
			return named{}, false
		}
		set(begins, begins, ends)
	default:
		first, last, ok := shown(zone, clock)
		if !ok {
			return named{}, false
		}
		// An hour is cut short where clocks go forward in it.
		set(first, last, min(first+lasts, reached(zone, clock+lasts)))
	}
	return n, true
}

// clock returns what a clock shows that shows the text, or its beginning: in seconds since
// it showed 1970, as if it had never been changed.
func (l *Layout) clock(text string) (seconds int64, ok bool) {
	if len(text) != len(l.text) {
		return 0, false
	}
	for i := range len(text) {
		c := text[i]
		if l.digit(i) && (c < '0' || c > '9') || !l.digit(i) && c != l.text[i] {
			return 0, false
		}
	}
	var v [len(parts)]int
	for p, i := range l.place {
		if i >= 0 {
			v[p] = int(text[i]-'0')*10 + int(text[i+1]-'0')
		}
	}
	if l.short {
		v[yearPart] += 2000
	} else {
		i := l.place[yearPart] + 2
		v[yearPart] = v[yearPart]*100 + int(text[i]-'0')*10 + int(text[i+1]-'0')
	}
	if v[hourPart] > 23 || v[minutePart] > 59 || v[secondPart] > 59 {
		return 0, false
	}
	// UTC has no gaps, so the only dates that change here are those that do not exist.
	at := time.Date(v[yearPart], time.Month(v[monthPart]), v[dayPart], v[hourPart], v[minutePart], v[secondPart], 0, time.UTC)
	return at.Unix(), int(at.Month()) == v[monthPart] && at.Day() == v[dayPart]
}

// write returns the text that a clock in the zone shows, unless the layout has no digits
// for the year.
func (l *Layout) write(at time.Time, zone *time.Location) (text string, ok bool) {
	if l.utc || zone == nil {
		zone = time.UTC
	}
	at = at.In(zone)
	v := [len(parts)]int{at.Year(), int(at.Month()), at.Day(), at.Hour(), at.Minute(), at.Second()}
	if v[yearPart] < 0 || v[yearPart] > 9999 || l.short && v[yearPart]/100 != 20 {
		return "", false
	}
	b := []byte(l.text)
	put := func(i, n int) { b[i], b[i+1] = '0'+byte(n/10%10), '0'+byte(n%10) } // #nosec G115 -- digits
	for p, i := range l.place {
		switch {
		case i < 0:
		case p == yearPart && !l.short:
			put(i, v[p]/100)
			put(i+2, v[p])
		default:
			put(i, v[p])
		}
	}
	return string(b), true
}

// Clocks of a zone. What they show is the moment plus the offset of the zone, and that
// changes; so what they show may come twice or never. [time.Date] chooses in such cases,
// and does not say that it did.

// slack is more than any zone was ever away from UTC: a day and some hours.
const slack = 2 * day

// offset returns the offset of the zone at a moment, and until when it stays.
func offset(zone *time.Location, moment int64) (seconds, until int64) {
	at := time.Unix(moment, 0).In(zone)
	_, o := at.Zone()
	_, end := at.ZoneBounds()
	switch {
	case end.IsZero():
		until = math.MaxInt64
	case end.Unix() > moment:
		until = end.Unix()
	default:
		// For years to come there is a rule instead of a table, and Go 1.26 has each of
		// them end after 365 days: on the last day of a leap year that is in the past.
		until = time.Date(at.UTC().Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()
	}
	return int64(o), until
}

// reached returns the first moment at which clocks of the zone show at least this.
func reached(zone *time.Location, clock int64) int64 {
	for moment := clock - slack; ; {
		o, until := offset(zone, moment)
		if m := max(moment, clock-o); m < until {
			return m
		}
		moment = until
	}
}

// shown returns the first and the last moment at which clocks of the zone show this, and
// whether there is one.
func shown(zone *time.Location, clock int64) (first, last int64, ok bool) {
	for moment := clock - slack; moment <= clock+slack; {
		o, until := offset(zone, moment)
		if m := clock - o; moment <= m && m < until {
			if !ok {
				first, ok = m, true
			}
			last = m
		}
		moment = until
	}
	return first, last, ok
}
