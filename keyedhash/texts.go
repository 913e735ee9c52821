package keyedhash

import (
	"strings"
)

// emailText is what the class email admits, of 3 bytes or more: one '@', not at an end.
type emailText struct{ min, max int }

const (
	emailLocal  = 1 // something before the '@'
	emailAt     = 2
	emailDomain = 3
)

func (e emailText) start() int64 { return 0 }

func (e emailText) final(s int64) bool { return s%4 == emailDomain && s/4 >= int64(e.min) }

func (e emailText) same(c symbol) int {
	return distinct(c == '@', c) + run{bytes: emailBytes}.same(c)
}

func (e emailText) step(s int64, c symbol) int64 {
	n, at := s/4+1, s%4
	switch {
	case e.max >= 0 && n > int64(e.max) || c >= 256 || !emailBytes[c]:
		return dead
	case c == '@' && at == emailLocal:
		at = emailAt
	case c == '@':
		return dead
	case at == 0:
		at = emailLocal
	case at == emailAt:
		at = emailDomain
	}
	return count(n, e.min, e.max)*4 + at
}

// utf8Text is what the class text admits: UTF-8 without control characters.
type utf8Text struct{ min, max int }

// What may follow within a character; the numbers are states of utf8Text.
const (
	uWhole = iota // the character is complete
	uOne          // one byte 80-BF more
	uTwo
	uThree
	uC2   // A0-BF: no controls of the second half
	uE0   // A0-BF, then one
	uE2   // 80 is special, others one
	uE280 // not A8 and A9: line and paragraph separators
	uED   // 80-9F, then one: no surrogates
	uF0   // 90-BF, then two
	uF4   // 80-8F, then two
	uStates
)

func (u utf8Text) start() int64 { return 0 }

func (u utf8Text) final(s int64) bool { return s%uStates == uWhole && s/uStates >= int64(u.min) }

func (u utf8Text) same(c symbol) int {
	for i, first := range []symbol{0x20, 0x7F, 0x80, 0x81, 0x90, 0xA0, 0xA8, 0xAA, 0xC0, 0xC2, 0xC3, 0xE0, 0xE1, 0xE2, 0xE3, 0xED, 0xEE, 0xF0, 0xF1, 0xF4, 0xF5, 256} {
		if c < first {
			return i
		}
	}
	return -1
}

func (u utf8Text) step(s int64, c symbol) int64 {
	n := s/uStates + 1
	if u.max >= 0 && n > int64(u.max) || c >= 256 {
		return dead
	}
	n = count(n, u.min, u.max)
	within := func(low, high symbol, next int64) int64 {
		if low <= c && c <= high {
			return n*uStates + next
		}
		return dead
	}
	switch s % uStates {
	case uOne:
		return within(0x80, 0xBF, uWhole)
	case uTwo:
		return within(0x80, 0xBF, uOne)
	case uThree:
		return within(0x80, 0xBF, uTwo)
	case uC2:
		return within(0xA0, 0xBF, uWhole)
	case uE0:
		return within(0xA0, 0xBF, uOne)
	case uE2:
		if c == 0x80 {
			return n*uStates + uE280
		}
		return within(0x81, 0xBF, uOne)
	case uE280:
		if c == 0xA8 || c == 0xA9 {
			return dead
		}
		return within(0x80, 0xBF, uWhole)
	case uED:
		return within(0x80, 0x9F, uOne)
	case uF0:
		return within(0x90, 0xBF, uTwo)
	case uF4:
		return within(0x80, 0x8F, uTwo)
	}
	next := int64(uWhole)
	switch {
	case c < 0x20 || 0x7F <= c && c < 0xC2 || c > 0xF4:
		return dead
	case c < 0x7F:
	case c == 0xC2:
		next = uC2
	case c <= 0xDF:
		next = uOne
	case c == 0xE0:
		next = uE0
	case c == 0xE2:
		next = uE2
	case c == 0xED:
		next = uED
	case c <= 0xEF:
		next = uTwo
	case c == 0xF0:
		next = uF0
	case c == 0xF4:
		next = uF4
	default:
		next = uThree
	}
	return n*uStates + next
}

// rfc3339Text is RFC 3339 as [link.Timestamp] reads it, and a few days that no month
// has. A state is a place in `2006-01-02T15:04:05.0-07:00` and the digit before it.
type rfc3339Text struct{}

// What stands at each place, by the letters of step; behind the seconds comes a
// fraction, or the zone.
const (
	rfc3339Form = "dddd-mM-xXThH:sd:sd"
	zoneForm    = "hH:sd"
	atFraction  = int64(len(rfc3339Form)) + 1
	atDigits    = atFraction + 1
	atZone      = atDigits + 1
	atEnd       = atZone + int64(len(zoneForm))
)

func (rfc3339Text) start() int64 { return 0 }

func (rfc3339Text) final(s int64) bool { return s>>4 == atEnd }

func (rfc3339Text) same(c symbol) int {
	return distinct(c < 256 && strings.IndexByte("0123456789-:.+TZ", byte(c)) >= 0, c)
}

func (rfc3339Text) step(s int64, c symbol) int64 {
	place, before := s>>4, s&15
	digit := '0' <= c && c <= '9'
	var form byte
	switch whole := int64(len(rfc3339Form)); {
	case place < whole:
		form = rfc3339Form[place]
	case atZone <= place && place < atEnd:
		form = zoneForm[place-atZone]
	case place == whole || place == atDigits:
		switch {
		case c == 'Z':
			return atEnd << 4
		case c == '+' || c == '-':
			return atZone << 4
		case c == '.' && place == whole:
			return atFraction << 4
		case digit && place == atDigits:
			return atDigits << 4
		}
		return dead
	case place == atFraction && digit:
		return atDigits << 4
	default:
		return dead
	}
	ok := digit
	switch form {
	case 'm': // the first digits of month, day, hour, minute and second
		ok = ok && c <= '1'
	case 'x':
		ok = ok && c <= '3'
	case 'h':
		ok = ok && c <= '2'
	case 's':
		ok = ok && c <= '5'
	case 'M': // and the digits behind them
		ok = ok && (before == 0 && c > '0' || before == 1 && c <= '2')
	case 'X':
		ok = ok && (before == 0 && c > '0' || before == 1 || before == 2 || before == 3 && c <= '1')
	case 'H':
		ok = ok && (before < 2 || c <= '3')
	case '-', ':', 'T':
		ok = c == symbol(form)
	}
	if !ok {
		return dead
	}
	if form != 'm' && form != 'x' && form != 'h' {
		c = '0' // it decides nothing
	}
	return (place+1)<<4 | int64(c-'0')
}
