package link

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	// A container often has no time zones, and a link that names a local time must be read
	// there as it is everywhere else.
	_ "time/tzdata"
)

// TimeFormat is how a link writes a time.
type TimeFormat uint8

// The formats.
const (
	Unix       TimeFormat = iota // seconds since 1970, decimal, at most 10 digits
	UnixMS                       // milliseconds since 1970, decimal, at most 13 digits
	RFC3339                      // 2026-11-21T19:00:00Z
	HexSeconds                   // seconds since 1970, hexadecimal in either case, at most 8 digits
	Base62                       // seconds since 1970 in Django's digits 0-9A-Za-z, at most 6
	Base64                       // the big-endian bytes of seconds since 1970, at most 4, in base64url without padding, as itsdangerous 2 has it
	Laid                         // a date or a time in a Layout
)

// The last second of the year 9999 and the first of the year 0, since 1970: what four
// digits of a year can say.
const (
	lastSecond  = 253402300799
	firstSecond = -62167219200
)

// TimeForm is how the links of a scheme write a time: all that a [Timestamp] needs
// beside its text. It is made once, and shared by all links, so nobody changes it.
type TimeForm struct {
	Format    TimeFormat
	Layout    *Layout        // of Laid
	Zone      *time.Location // of a layout that names none; nil: UTC
	Unit      time.Duration  // of Timestamp.Plus: a second, a minute, an hour or 24 hours; 0: nothing is added
	Never     string         // the word which, in place of the text or of what is added, means: for ever; "": none
	Exclusive bool           // the link is valid no more at the time named
}

// formats are the formats that have a name; a layout is its own.
var formats = map[string]TimeFormat{
	"": Unix, "unix": Unix, "unix_ms": UnixMS, "rfc3339": RFC3339,
	"hex": HexSeconds, "base62": Base62, "base64": Base64,
}

// ParseTimeForm returns the form of a format: unix (also where it is empty), unix_ms,
// rfc3339, hex, base62, base64, or a [Layout] as it looks. The zone is a name of the
// IANA time zone database, for a layout that does not end in Z; empty: UTC.
func ParseTimeForm(format, zone string) (*TimeForm, error) {
	if f, ok := formats[format]; ok {
		if zone != "" {
			return nil, fmt.Errorf("a time that is not written in a layout is the same everywhere; leave out the time zone %q", zone)
		}
		return &TimeForm{Format: f}, nil
	}
	layout, err := newLayout(format)
	switch {
	case err != nil && meantAsLayout(format):
		return nil, fmt.Errorf("%q is no layout of a time: %w; write it with the letters YYYY or YY, MM, DD, hh, mm and ss, between them any of - / . : _ T and blanks, and a Z at the end for UTC", format, err)
	case err != nil:
		return nil, fmt.Errorf("unknown format %q; write unix (seconds), unix_ms, rfc3339, hex, base62, base64, or a layout such as YYYY-MM-DD or YYYYMMDDThhmmssZ", format)
	case zone == "":
		return &TimeForm{Format: Laid, Layout: layout}, nil
	case layout.utc:
		return nil, fmt.Errorf("the layout %q ends in Z, which is UTC; leave out the Z, or the time zone %q", format, zone)
	case zone == "Local": // which the package time knows, and is another one on each machine
		err = errors.New("it depends on the machine")
	}
	var in *time.Location
	if err == nil {
		in, err = time.LoadLocation(zone)
	}
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q; write a name of the IANA time zone database, such as Europe/Berlin or America/New_York, or leave it out for UTC", zone)
	}
	return &TimeForm{Format: Laid, Layout: layout, Zone: in}, nil
}

// ParseUnit returns the unit of what is added to a time: seconds, minutes, hours, or
// days of 24 hours.
func ParseUnit(word string) (time.Duration, error) {
	switch word {
	case "seconds":
		return time.Second, nil
	case "minutes":
		return time.Minute, nil
	case "hours":
		return time.Hour, nil
	case "days":
		return 24 * time.Hour, nil
	}
	return 0, fmt.Errorf("unknown unit %q; write seconds, minutes, hours or days", word)
}

// Rule returns the rule of the values that a signer writes today. The word for ever is
// not in it.
func (f *TimeForm) Rule() Rule {
	switch f.Format {
	case Unix:
		return Rule{Class: Digits, Min: 10, Max: 10}
	case UnixMS:
		return Rule{Class: Digits, Min: 13, Max: 13}
	case RFC3339:
		return Rule{Class: Text, Min: 20, Max: 40} // the colons and the plus are in no smaller class
	case HexSeconds:
		return Rule{Class: Hex, Min: 8, Max: 8}
	case Base62:
		return Rule{Class: Alnum, Min: 6, Max: 6}
	case Base64:
		return Rule{Class: Token, Min: 6, Max: 6}
	case Laid:
		if f.Layout != nil {
			return f.Layout.rule()
		}
	}
	return Rule{} // which admits nothing
}

// Write returns the text of the time, for a signer. A format that names less than the
// time says, such as a date, names the day, the hour or the minute that it lies in.
func (f *TimeForm) Write(at time.Time) (string, error) {
	refuse := func(why string) (string, error) {
		return "", fmt.Errorf("a link cannot carry the time %s: %s", at.UTC().Format(time.RFC3339), why)
	}
	var text string
	seconds := at.Unix()
	switch f.Format {
	case RFC3339, Laid:
		if seconds < firstSecond || seconds > lastSecond {
			return refuse("its year has not four digits")
		}
	default:
		if seconds < 0 {
			return refuse("it lies before 1970")
		}
	}
	switch f.Format {
	case UnixMS:
		if seconds > lastSecond { // before the product overflows
			return refuse("it has too many digits")
		}
		text = strconv.FormatInt(at.UnixMilli(), 10)
	case RFC3339:
		text = at.UTC().Format(time.RFC3339)
	case HexSeconds:
		text = fmt.Sprintf("%08x", seconds) // readers such as lighttpd's mod_secdownload want eight
	case Base62:
		text = writeBase62(seconds)
	case Base64:
		text = writeBase64(seconds)
	case Laid:
		if f.Layout == nil {
			return refuse("there is no layout")
		}
		var ok bool
		if text, ok = f.Layout.write(at, f.Zone); !ok {
			return refuse("the layout " + f.Layout.text + " has no digits for its year")
		}
	default:
		text = strconv.FormatInt(seconds, 10)
	}
	if f.Never != "" && text == f.Never {
		return refuse(strconv.Quote(text) + " means for ever")
	}
	// What cannot be read again: too many digits, or the hour of 3:30 where a zone went
	// from 2:59 to 3:30.
	if _, ok := f.read(text); !ok {
		return refuse(strconv.Quote(text) + " is no time of this format")
	}
	return text, nil
}

// Timestamp is a time as a link writes it. The zero value is no time.
type Timestamp struct {
	Text    string
	Plus    string // what is added, in Form.Unit
	Present bool
	Format  TimeFormat // where Form is nil
	Form    *TimeForm
}

// Time returns the time, whether there is one, and whether its text can be read. Of a
// date it is the beginning, and of a local time that there is twice, when clocks go
// back, the later one: as a time of issue it is then not too old. What is added is in
// it.
//
// It is strict, because lenient readers were exploited: a number with a sign, an
// exponent, a fraction or other letters, or milliseconds where seconds are meant,
// are no times, and a link never lives for ever by an expiry that cannot be read.
func (t Timestamp) Time() (at time.Time, present, ok bool) {
	n, present, ok := t.read()
	return n.later, present, ok
}

// End returns the first moment at which a link with this expiry is no longer valid. It
// is valid up to and including the millisecond, second, minute, hour or day that is
// named, and the second that a sum is; if the form is exclusive, only before it begins.
// Of a local time that there is twice the earlier one counts, so that no link is
// valid for longer than its signer may have meant.
func (t Timestamp) End() (at time.Time, present, ok bool) {
	n, present, ok := t.read()
	return n.end, present, ok
}

// named is what the text of a timestamp names.
type named struct {
	at    time.Time // the time, or its beginning; of two the earlier
	later time.Time // of two the later; else at
	end   time.Time // the first moment after it
	long  bool      // it names more than a second: a minute, an hour or a day
}

// last is the time that a bound of the lifetime is compared with: the time named, so that
// exactly the bound is allowed, but of a day the end, which is up to a day later.
func (n named) last() time.Time {
	if n.long {
		return n.end
	}
	return n.at
}

// second is the second in which at lies.
func second(at time.Time) named {
	return named{at: at, later: at, end: time.Unix(at.Unix()+1, 0)}
}

func (t Timestamp) read() (n named, present, ok bool) {
	if !t.Present {
		return named{}, false, true
	}
	form := t.Form
	if form == nil {
		n, ok = (&TimeForm{Format: t.Format}).read(t.Text)
		return n, true, ok && t.Plus == ""
	}
	switch {
	case form.Never == "":
	case t.Text == form.Never:
		return named{}, false, true
	case form.Unit != 0 && t.Plus == form.Never:
		// What it is added to is a time all the same, or the checker of messages, which takes
		// it for one, would not know where it ends.
		_, ok = form.read(t.Text)
		return named{}, !ok, ok
	}
	n, ok = form.read(t.Text)
	if ok && (form.Unit != 0 || t.Plus != "") { // a sum whose unit nobody knows is none
		n, ok = n.plus(t.Plus, form.Unit)
	}
	if !ok {
		return named{}, true, false
	}
	if form.Exclusive {
		n.end = n.at
	}
	return n, true, true
}

// read reads the text without what is added to it.
func (f *TimeForm) read(text string) (n named, ok bool) {
	var seconds int64
	switch f.Format {
	case Unix:
		seconds, ok = decimal(text, 10)
	case UnixMS:
		ms, ok := decimal(text, 13)
		at := time.UnixMilli(ms)
		return named{at: at, later: at, end: at.Add(1)}, ok
	case RFC3339:
		at, ok := readRFC3339(text)
		return second(at), ok
	case HexSeconds:
		seconds, ok = number(text, 16, 8)
	case Base62:
		seconds, ok = number(text, 62, 6)
	case Base64:
		seconds, ok = readBase64(text)
	case Laid:
		if f.Layout != nil {
			return f.Layout.read(text, f.Zone)
		}
	}
	return second(time.Unix(seconds, 0)), ok
}

// plus adds whole seconds, and not a [time.Duration]: one holds 292 years, so that a
// link with 2562048 hours more than 2026 would have expired in 1734, and one with
// twice as many would be valid again.
func (n named) plus(count string, unit time.Duration) (sum named, ok bool) {
	c, ok := decimal(count, 12)
	seconds := int64(unit / time.Second)
	room := lastSecond - n.later.Unix()
	if !ok || seconds < 1 || room < 0 || c > room/seconds {
		return named{}, false
	}
	add := func(at time.Time) time.Time {
		return time.Unix(at.Unix()+c*seconds, int64(at.Nanosecond()))
	}
	sum = second(add(n.at))
	sum.later = add(n.later)
	return sum, true
}

// number reads at least one and at most so many digits of a base up to 62. The digits
// are 0-9, A-Z and a-z in this order, as Django's django.core.signing has them; of base
// 16, either case.
func number(text string, base int64, most int) (n int64, ok bool) {
	if text == "" || len(text) > most {
		return 0, false
	}
	for i := range len(text) {
		c := text[i]
		if '0' <= c && c <= '9' { // as most are
			n = n*base + int64(c-'0')
			continue
		}
		digit := base // which is none
		switch {
		case 'A' <= c && c <= 'Z':
			digit = int64(c-'A') + 10
		case 'a' <= c && c <= 'z' && base == 16:
			digit = int64(c-'a') + 10
		case 'a' <= c && c <= 'z':
			digit = int64(c-'a') + 36
		}
		if digit >= base {
			return 0, false
		}
		n = n*base + digit
	}
	return n, true
}

// decimal reads digits, at most so many.
func decimal(text string, most int) (n int64, ok bool) {
	if text == "" || len(text) > most {
		return 0, false
	}
	for i := range len(text) {
		digit := text[i] - '0'
		if digit > 9 {
			return 0, false
		}
		n = n*10 + int64(digit)
	}
	return n, true
}

func writeBase62(n int64) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b [11]byte // 62 to the power of 11 is more than an int64 holds
	i := len(b)
	for {
		i--
		b[i] = digits[n%62]
		if n /= 62; n == 0 {
			return string(b[i:])
		}
	}
}

// readBase64 reads one to four bytes, as the TimestampSigner of itsdangerous writes
// them since version 2: big-endian, in base64url, and without the padding. Bits of the
// last character that belong to no byte are zero here, though Python ignores them: one
// time has one text then.
func readBase64(text string) (seconds int64, ok bool) {
	if len(text) > 6 {
		return 0, false
	}
	var b [8]byte
	n, err := strictBase64.Decode(b[:], []byte(text))              // at most 32 bytes stay on the stack
	if err != nil || n == 0 || strings.ContainsAny(text, "\r\n") { // which Decode skips
		return 0, false
	}
	for _, c := range b[:n] {
		seconds = seconds<<8 | int64(c)
	}
	return seconds, true
}

func writeBase64(n int64) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(n)) // #nosec G115 -- not before 1970
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return strictBase64.EncodeToString(b)
}

var strictBase64 = base64.RawURLEncoding.Strict()

// readRFC3339 is stricter than [time.Parse], which admits hours of one digit, a comma
// before the fraction, and offsets of a whole day.
func readRFC3339(text string) (at time.Time, ok bool) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || strings.Contains(text, ",") || !strings.HasPrefix(text, at.Format("2006-01-02T15:04:05")) {
		return time.Time{}, false
	}
	_, offset := at.Zone()
	return at, -day < offset && offset < day
}
