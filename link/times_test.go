package link_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/link"
)

// form is a form, by its format and perhaps " in " a zone.
func form(t testing.TB, text string) *link.TimeForm {
	t.Helper()
	format, zone, _ := strings.Cut(text, " in ")
	f, err := link.ParseTimeForm(format, zone)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func parse(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestParseTimeForm(t *testing.T) {
	for _, tc := range []struct{ format, zone, err string }{
		{"", "", ""},
		{"unix", "", ""},
		{"unix_ms", "", ""},
		{"rfc3339", "", ""},
		{"hex", "", ""},
		{"base62", "", ""},
		{"base64", "", ""},
		{"YYYYMMDD", "", ""},
		{"YYMMDD", "Europe/Berlin", ""},
		{"YYYY-MM-DD", "Asia/Tokyo", ""},
		{"YYYY-MM-DD hh:mm:ss", "UTC", ""},
		{"YYYYMMDDThhmmssZ", "", ""},
		{"YYYY-MM-DDZ", "", ""},
		{"DD.MM.YYYY_hh", "America/New_York", ""},
		{"hh/DDMMYY", "", ""},

		{"unix", "Europe/Berlin", `the same everywhere; leave out the time zone "Europe/Berlin"`},
		{"", "UTC", "leave out the time zone"},
		{"rfc3339", "UTC", "leave out the time zone"},
		{"YYYYMMDDThhmmssZ", "Europe/Berlin", "ends in Z, which is UTC; leave out the Z, or"},
		{"YYYYMMDD", "CEST", `unknown time zone "CEST"; write a name of the IANA time zone database, such as Europe/Berlin`},
		{"YYYYMMDD", "Local", "unknown time zone"},
		{"YYYYMMDD", "../../etc/passwd", "unknown time zone"},
		{"unixms", "", `unknown format "unixms"; write unix (seconds), unix_ms, rfc3339, hex, base62, base64, or a layout`},
		{"Unix", "", "unknown format"},
		{"seconds", "", "unknown format"},
		{"YYYY-mm-dd", "", `"YYYY-mm-dd" is no layout of a time: "dd" is no part of one; write it with the letters YYYY or YY, MM, DD, hh, mm and ss`},
		{"yyyymmdd", "", "with the letters"},
		{"%Y-%m-%d", "", "with the letters"},
		{"2006-01-02", "", "with the letters"},
		{"YYYYMM", "", "needs year, month and day"},
		{"MMDD", "", "needs year, month and day"},
		{"YYYYMMDDmm", "", "mm needs hh"},
		{"YYYYMMDDhhss", "", "ss needs mm"},
		{"YYYYMMDDDD", "", "DD stands there twice"},
		{"YYYYMMDDYY", "", "YY stands there twice"},
		{"YYYYYMMDD", "", `"YMMDD" is no part of one`},
		{"YYYYMMDDZhh", "", `"Zhh" is no part of one`},
		{"YYYY,MM,DD", "", `",MM,DD" is no part of one`},
		{"YYYYMMDD\n", "", "with the letters"},
	} {
		f, err := link.ParseTimeForm(tc.format, tc.zone)
		switch {
		case tc.err == "" && err != nil:
			t.Errorf("%q in %q: %v", tc.format, tc.zone, err)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
			t.Errorf("%q in %q: error %v, want %q", tc.format, tc.zone, err, tc.err)
		case err == nil && f.Format == link.Laid && f.Layout.String() != tc.format:
			t.Errorf("%q became the layout %q", tc.format, f.Layout)
		}
	}
}

func TestParseUnit(t *testing.T) {
	for word, want := range map[string]time.Duration{"seconds": time.Second, "minutes": time.Minute, "hours": time.Hour, "days": 24 * time.Hour} {
		if got, err := link.ParseUnit(word); got != want || err != nil {
			t.Errorf("%s: %s, error %v", word, got, err)
		}
	}
	for _, word := range []string{"", "day", "s", "weeks", "Days"} {
		if _, err := link.ParseUnit(word); err == nil || !strings.Contains(err.Error(), "write seconds, minutes, hours or days") {
			t.Errorf("%q: error %v", word, err)
		}
	}
}

// TestTimeFormRule: each rule can be made, and admits what is written today.
func TestTimeFormRule(t *testing.T) {
	for text, want := range map[string]link.Rule{
		"unix":                  {Class: link.Digits, Min: 10, Max: 10},
		"unix_ms":               {Class: link.Digits, Min: 13, Max: 13},
		"rfc3339":               {Class: link.Text, Min: 20, Max: 40},
		"hex":                   {Class: link.Hex, Min: 8, Max: 8},
		"base62":                {Class: link.Alnum, Min: 6, Max: 6},
		"base64":                {Class: link.Token, Min: 6, Max: 6},
		"YYMMDD":                {Class: link.Digits, Min: 6, Max: 6},
		"YYYYMMDDhhmm":          {Class: link.Digits, Min: 12, Max: 12},
		"YYYYMMDDThhmmssZ":      {Class: link.Text, Min: 16, Max: 16},
		"YYYY-MM-DD hh:mm:ss":   {Class: link.Text, Min: 19, Max: 19},
		"DD.MM.YY in Asia/Aden": {Class: link.Text, Min: 8, Max: 8},
	} {
		f := form(t, text)
		rule, err := link.NewRule(f.Rule())
		if err != nil || rule.Class != want.Class || rule.Min != want.Min || rule.Max != want.Max || rule.Optional {
			t.Errorf("%s: %+v, error %v; want %+v", text, rule, err, want)
		}
		written, err := f.Write(parse(t, "2026-09-21T14:13:20Z"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if detail, ok := rule.Check(written); !ok {
			t.Errorf("%s: its rule refuses %q: %s", text, written, detail)
		}
	}
	if rule := (&link.TimeForm{Format: link.Laid}).Rule(); rule.Class != "" {
		t.Errorf("a form without its layout: %+v", rule)
	}
}

func TestTimeFormWrite(t *testing.T) {
	for _, tc := range []struct{ form, at, want string }{
		{"unix", "2026-09-21T14:13:20.9Z", "1790000000"},
		{"unix", "1970-01-01T00:00:00Z", "0"},
		{"unix", "2286-11-20T17:46:39Z", "9999999999"},
		{"unix_ms", "2026-09-21T14:13:20.123Z", "1790000000123"},
		{"unix_ms", "2286-11-20T17:46:39.999Z", "9999999999999"},
		{"rfc3339", "2026-09-21T16:13:20+02:00", "2026-09-21T14:13:20Z"},
		{"rfc3339", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"},
		{"hex", "2026-09-21T14:13:20Z", "6ab13b80"},
		{"hex", "1970-01-01T00:00:10Z", "0000000a"},
		{"hex", "2106-02-07T06:28:15Z", "ffffffff"},
		{"base62", "2026-09-21T14:13:20Z", "1x8elk"}, // as b62_encode of Django 5 has it
		{"base62", "1970-01-01T00:00:00Z", "0"},
		{"base62", "1970-01-01T00:01:02Z", "10"},
		{"base62", "3769-12-05T03:13:03Z", "zzzzzz"},
		{"base64", "2026-09-21T14:13:20Z", "arE7gA"}, // as base64_encode(int_to_bytes(…)) of itsdangerous 2 has it
		{"base64", "1970-01-01T00:01:02Z", "Pg"},
		{"base64", "1970-01-01T00:00:00Z", "AA"},
		{"YYYYMMDD", "2026-09-21T23:59:59Z", "20260921"},
		{"YYMMDD", "2099-12-31T23:59:59Z", "991231"},
		{"YYYYMMDD in Asia/Tokyo", "2026-09-21T14:59:59Z", "20260921"},
		{"YYYYMMDD in Asia/Tokyo", "2026-09-21T15:00:00Z", "20260922"},
		{"YYYYMMDDThhmmssZ", "2026-09-21T16:13:20+02:00", "20260921T141320Z"},
		{"YYYY-MM-DD hh:mm:ss in Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25 02:30:00"},
		{"YYYY-MM-DD hh:mm:ss in Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25 02:30:00"},
		{"YYYYMMDD in Pacific/Apia", "2011-12-30T10:00:00Z", "20111231"},

		{"unix", "1969-12-31T23:59:59Z", "before 1970"},
		{"hex", "1969-12-31T23:59:59.999Z", "before 1970"},
		{"unix", "2286-11-20T17:46:40Z", "no time of this format"},
		{"unix_ms", "2286-11-20T17:46:40Z", "no time of this format"},
		{"hex", "2106-02-07T06:28:16Z", "no time of this format"},
		{"base64", "2106-02-07T06:28:16Z", "no time of this format"},
		{"base62", "3769-12-05T03:13:04Z", "no time of this format"},
		{"YYMMDD", "1999-12-31T23:59:59Z", "no digits for its year"},
		{"YYMMDD", "2100-01-01T00:00:00Z", "no digits for its year"},
		{"YYYYMMDD in Asia/Tokyo", "9999-12-31T23:00:00Z", "no digits for its year"},
		{"YYYYMMDD in America/New_York", "0000-01-01T00:00:00Z", "no digits for its year"},
		{"YYYYMMDDhh in Australia/Lord_Howe", "2026-10-03T15:30:00Z", "no time of this format"}, // 2:30, and 2:00 was never
	} {
		at := parse(t, tc.at)
		got, err := form(t, tc.form).Write(at)
		if err != nil {
			got = err.Error()
			if !strings.HasPrefix(got, "a link cannot carry the time ") || !strings.HasSuffix(got, tc.want) {
				t.Errorf("%s: %s: error %q, want %q", tc.form, tc.at, got, tc.want)
			}
		} else if got != tc.want {
			t.Errorf("%s: %s: %q, want %q", tc.form, tc.at, got, tc.want)
		}
	}
	for _, f := range []*link.TimeForm{form(t, "rfc3339"), form(t, "YYYYMMDD"), form(t, "unix_ms"), {Format: link.Laid}, {Format: 99}} {
		for _, seconds := range []int64{math.MinInt64, -62167219201, 253402300800, math.MaxInt64} {
			if text, err := f.Write(time.Unix(seconds, 0)); err == nil {
				t.Errorf("format %d: the second %d is written as %q", f.Format, seconds, text)
			}
		}
	}
	f := form(t, "YYYYMMDD")
	f.Never = "99991231"
	if text, err := f.Write(parse(t, "9999-12-31T12:00:00Z")); err == nil || !strings.Contains(err.Error(), "means for ever") {
		t.Errorf("the word for ever is written as a time: %q, error %v", text, err)
	}
}

// TestTimes: what each form names, by its beginning and its end.
func TestTimes(t *testing.T) {
	for _, tc := range []struct{ form, text, at, end string }{
		{"unix", "1790000000", "2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z"},
		{"unix_ms", "1790000000123", "2026-09-21T14:13:20.123Z", "2026-09-21T14:13:20.123000001Z"},
		{"rfc3339", "2026-09-21T16:13:20+02:00", "2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z"},
		{"rfc3339", "2026-09-21T14:13:20.5Z", "2026-09-21T14:13:20.5Z", "2026-09-21T14:13:21Z"},
		{"rfc3339", "1969-12-31T23:59:58.5Z", "1969-12-31T23:59:58.5Z", "1969-12-31T23:59:59Z"},
		{"hex", "6ab13b80", "2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z"},
		{"hex", "6AB13b80", "2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z"},
		{"hex", "0", "1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"},
		{"hex", "ffffffff", "2106-02-07T06:28:15Z", "2106-02-07T06:28:16Z"},
		{"base62", "1x8elk", "2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z"},
		{"base62", "z", "1970-01-01T00:01:01Z", "1970-01-01T00:01:02Z"},
		{"base64", "arE7gA", "2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z"},
		{"base64", "Pg", "1970-01-01T00:01:02Z", "1970-01-01T00:01:03Z"},
		{"base64", "_____w", "2106-02-07T06:28:15Z", "2106-02-07T06:28:16Z"},
		{"YYYYMMDD", "20260921", "2026-09-21T00:00:00Z", "2026-09-22T00:00:00Z"},
		{"YYYYMMDD", "20240229", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"},
		{"YYYYMMDD", "00000101", "0000-01-01T00:00:00Z", "0000-01-02T00:00:00Z"},
		{"YYMMDD", "700101", "2070-01-01T00:00:00Z", "2070-01-02T00:00:00Z"},
		{"DD.MM.YYYY", "21.09.2026", "2026-09-21T00:00:00Z", "2026-09-22T00:00:00Z"},
		{"YYYY-MM-DDZ", "2026-09-21Z", "2026-09-21T00:00:00Z", "2026-09-22T00:00:00Z"},
		{"YYYYMMDDhh", "2026092123", "2026-09-21T23:00:00Z", "2026-09-22T00:00:00Z"},
		{"YYYYMMDDhhmm", "202609211413", "2026-09-21T14:13:00Z", "2026-09-21T14:14:00Z"},
		{"YYYYMMDDThhmmssZ", "20260921T141320Z", "2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z"},
		{"YYYY-MM-DD hh:mm:ss", "2026-09-21 14:13:20", "2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z"},
		{"YYYY/MM/DD_hh:mm", "2026/09/21_14:13", "2026-09-21T14:13:00Z", "2026-09-21T14:14:00Z"},

		{"hex", "", "", ""},
		{"hex", "06ab13b80", "", ""},
		{"hex", "0x6ab13b", "", ""},
		{"hex", "6ab13b8g", "", ""},
		{"hex", "-6ab13b8", "", ""},
		{"hex", "6ab13b8\n", "", ""},
		{"base62", "", "", ""},
		{"base62", "01x8elk", "", ""},
		{"base62", "-1x8el", "", ""},
		{"base62", "1x8e_k", "", ""},
		{"base62", "é", "", ""},
		{"base64", "", "", ""},
		{"base64", "arE7gA==", "", ""},
		{"base64", "arE7gB", "", ""}, // bits that no byte has
		{"base64", "a", "", ""},
		{"base64", "arE7g", "", ""},
		{"base64", "AGqxO4A", "", ""}, // five bytes
		{"base64", "////w+", "", ""},
		{"base64", "Pg\n", "", ""},
		{"base64", "\r\nPg", "", ""},
		{"base64", "\n", "", ""},
		{"YYYYMMDD", "", "", ""},
		{"YYYYMMDD", "2026092", "", ""},
		{"YYYYMMDD", "202609210", "", ""},
		{"YYYYMMDD", "20260231", "", ""},
		{"YYYYMMDD", "20230229", "", ""},
		{"YYYYMMDD", "20260900", "", ""},
		{"YYYYMMDD", "20260021", "", ""},
		{"YYYYMMDD", "20261321", "", ""},
		{"YYYYMMDD", "2026-921", "", ""},
		{"YYYYMMDD", "+2026921", "", ""},
		{"YYYYMMDD", "２０260", "", ""}, // eight bytes
		{"YYYY-MM-DD", "2026/09/21", "", ""},
		{"YYYY-MM-DD", "20260921--", "", ""},
		{"YYYYMMDDThhmmssZ", "20260921t141320z", "", ""},
		{"YYYYMMDDThhmmssZ", "20260921T141360Z", "", ""},
		{"YYYYMMDDThhmmssZ", "20260921T146020Z", "", ""},
		{"YYYYMMDDThhmmssZ", "20260921T240000Z", "", ""},

		// Berlin: from 2:00 to 3:00 in spring, from 3:00 to 2:00 in autumn.
		{"YYYYMMDDhhmmss in Europe/Berlin", "20260329015959", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"},
		{"YYYYMMDDhhmmss in Europe/Berlin", "20260329020000", "", ""},
		{"YYYYMMDDhhmmss in Europe/Berlin", "20260329025959", "", ""},
		{"YYYYMMDDhhmmss in Europe/Berlin", "20260329030000", "2026-03-29T01:00:00Z", "2026-03-29T01:00:01Z"},
		{"YYYYMMDDhh in Europe/Berlin", "2026032901", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
		{"YYYYMMDDhh in Europe/Berlin", "2026032902", "", ""},
		{"YYYYMMDDhhmmss in Europe/Berlin", "20261025015959", "2026-10-24T23:59:59Z", "2026-10-25T00:00:00Z"},
		{"YYYYMMDDhhmmss in Europe/Berlin", "20261025020000", "2026-10-25T01:00:00Z", "2026-10-25T00:00:01Z"},
		{"YYYYMMDDhhmmss in Europe/Berlin", "20261025025959", "2026-10-25T01:59:59Z", "2026-10-25T01:00:00Z"},
		{"YYYYMMDDhhmmss in Europe/Berlin", "20261025030000", "2026-10-25T02:00:00Z", "2026-10-25T02:00:01Z"},
		{"YYYYMMDDhhmm in Europe/Berlin", "202610250230", "2026-10-25T01:30:00Z", "2026-10-25T00:31:00Z"},
		{"YYYYMMDDhh in Europe/Berlin", "2026102502", "2026-10-25T01:00:00Z", "2026-10-25T01:00:00Z"},
		{"YYYYMMDD in Europe/Berlin", "20260329", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // 23 hours
		{"YYYYMMDD in Europe/Berlin", "20261025", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, // 25 hours
		// New York, west of Greenwich.
		{"YYYYMMDDhhmm in America/New_York", "202603080230", "", ""},
		{"YYYYMMDDhhmm in America/New_York", "202611010130", "2026-11-01T06:30:00Z", "2026-11-01T05:31:00Z"},
		{"YYYYMMDD in America/New_York", "20261101", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		// The day begins at 1:00.
		{"YYYYMMDD in Asia/Beirut", "20220327", "2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z"},
		{"YYYYMMDD in Asia/Beirut", "20220326", "2022-03-25T22:00:00Z", "2022-03-26T22:00:00Z"},
		{"YYYYMMDDhh in Asia/Beirut", "2022032700", "", ""},
		{"YYYYMMDD in Africa/Cairo", "20240426", "2024-04-25T22:00:00Z", "2024-04-26T21:00:00Z"},
		{"YYYYMMDD in America/Sao_Paulo", "20181104", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		// Its last hour comes twice.
		{"YYYYMMDD in Asia/Beirut", "20221029", "2022-10-28T21:00:00Z", "2022-10-29T22:00:00Z"},
		{"YYYYMMDD in Asia/Beirut", "20221030", "2022-10-29T22:00:00Z", "2022-10-30T22:00:00Z"},
		{"YYYYMMDDhh in Asia/Beirut", "2022102923", "2022-10-29T21:00:00Z", "2022-10-29T21:00:00Z"},
		// Its first hour does: the day begins with the first.
		{"YYYYMMDD in America/Havana", "20261101", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"YYYYMMDDhh in America/Havana", "2026110100", "2026-11-01T05:00:00Z", "2026-11-01T05:00:00Z"},
		// St John's went from 0:01 to 23:01 of the day before, and in spring to 1:01.
		{"YYYYMMDD in America/St_Johns", "20101106", "2010-11-06T02:30:00Z", "2010-11-07T02:30:00Z"},
		{"YYYYMMDD in America/St_Johns", "20101107", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"},
		{"YYYYMMDDhh in America/St_Johns", "2010031400", "2010-03-14T03:30:00Z", "2010-03-14T03:31:00Z"}, // one minute
		// Half an hour.
		{"YYYYMMDDhhmm in Australia/Lord_Howe", "202604050129", "2026-04-04T14:29:00Z", "2026-04-04T14:30:00Z"},
		{"YYYYMMDDhhmm in Australia/Lord_Howe", "202604050130", "2026-04-04T15:00:00Z", "2026-04-04T14:31:00Z"},
		// Apia skipped the 30th.
		{"YYYYMMDD in Pacific/Apia", "20111229", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"YYYYMMDD in Pacific/Apia", "20111230", "", ""},
		{"YYYYMMDD in Pacific/Apia", "20111231", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		{"YYYYMMDDhh in Pacific/Apia", "2011123012", "", ""},
		// Far from any table of changes, and the last day of a leap year.
		{"YYYYMMDD in Europe/Berlin", "20281231", "2028-12-30T23:00:00Z", "2028-12-31T23:00:00Z"},
		{"YYYYMMDD in Europe/Berlin", "22041231", "2204-12-30T23:00:00Z", "2204-12-31T23:00:00Z"},
		{"YYYYMMDDhhmm in Australia/Sydney", "222812311200", "2228-12-31T01:00:00Z", "2228-12-31T01:01:00Z"},
		{"YYYYMMDD in Europe/Berlin", "99991231", "9999-12-30T23:00:00Z", "9999-12-31T23:00:00Z"},
		{"YYYYMMDD in Etc/GMT-14", "20260921", "2026-09-20T10:00:00Z", "2026-09-21T10:00:00Z"},
		{"YYYYMMDD in UTC", "20260921", "2026-09-21T00:00:00Z", "2026-09-22T00:00:00Z"},
	} {
		stamp := link.Timestamp{Text: tc.text, Present: true, Form: form(t, tc.form)}
		at, present, ok := stamp.Time()
		end, presentEnd, okEnd := stamp.End()
		if !present || !presentEnd || ok != (tc.at != "") || okEnd != ok {
			t.Errorf("%s: %q: readable %t, there %t; its end: readable %t, there %t", tc.form, tc.text, ok, present, okEnd, presentEnd)
			continue
		}
		if ok && (!at.Equal(parse(t, tc.at)) || !end.Equal(parse(t, tc.end))) {
			t.Errorf("%s: %q: %s to %s, want %s to %s", tc.form, tc.text, at.UTC().Format(time.RFC3339Nano), end.UTC().Format(time.RFC3339Nano), tc.at, tc.end)
		}
		if !ok {
			continue
		}
		stamp.Form.Exclusive = true
		end, _, _ = stamp.End()
		later, _, _ := stamp.Time()
		// Where a local time is there twice, the end is earlier: see TestExclusive.
		if !later.Equal(at) || end.After(at) || !end.Equal(at) && !strings.Contains(tc.form, " in ") {
			t.Errorf("%s, exclusive: %q: %s to %s", tc.form, tc.text, later.UTC(), end.UTC())
		}
	}
	for _, stamp := range []link.Timestamp{
		{Text: "20260921", Present: true, Format: link.Laid},
		{Text: "20260921", Present: true, Form: &link.TimeForm{Format: link.Laid}},
		{Text: "1", Present: true, Format: 99},
	} {
		if _, present, ok := stamp.Time(); ok || !present {
			t.Errorf("%+v: readable %t, there %t", stamp, ok, present)
		}
	}
}

// TestExclusive: of a local time that there is twice, a link with it ends at the first.
func TestExclusive(t *testing.T) {
	for text, want := range map[string]string{
		"YYYYMMDDhhmm in Europe/Berlin=202610250230": "2026-10-25T00:30:00Z",
		"YYYYMMDD in Europe/Berlin=20261025":         "2026-10-24T22:00:00Z",
		"YYYYMMDD in Asia/Beirut=20220327":           "2022-03-26T22:00:00Z",
		"unix_ms=1790000000123":                      "2026-09-21T14:13:20.123Z",
		"rfc3339=2026-09-21T14:13:20.5Z":             "2026-09-21T14:13:20.5Z",
	} {
		layout, text, _ := strings.Cut(text, "=")
		f := form(t, layout)
		f.Exclusive = true
		end, _, ok := link.Timestamp{Text: text, Present: true, Form: f}.End()
		if !ok || !end.Equal(parse(t, want)) {
			t.Errorf("%s: %q ends at %s, readable %t; want %s", layout, text, end.UTC(), ok, want)
		}
	}
}

// TestSums: what is added to a time never brings a link's expiry around to a
// later one, nor beyond what four digits of a year hold.
func TestSums(t *testing.T) {
	for _, tc := range []struct{ form, unit, text, plus, at, end string }{
		{"unix", "seconds", "1790000000", "0", "2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z"},
		{"unix", "seconds", "1790000000", "3600", "2026-09-21T15:13:20Z", "2026-09-21T15:13:21Z"},
		{"unix", "minutes", "1790000000", "060", "2026-09-21T15:13:20Z", "2026-09-21T15:13:21Z"},
		{"unix", "hours", "1790000000", "1", "2026-09-21T15:13:20Z", "2026-09-21T15:13:21Z"},
		{"YYYYMMDDThhmmssZ", "seconds", "20260921T141320Z", "604800", "2026-09-28T14:13:20Z", "2026-09-28T14:13:21Z"},
		{"unix_ms", "seconds", "1790000000123", "1", "2026-09-21T14:13:21.123Z", "2026-09-21T14:13:22Z"},
		{"YYYYMMDD", "days", "20260921", "1", "2026-09-22T00:00:00Z", "2026-09-22T00:00:01Z"},
		{"YYYYMMDD in Asia/Beirut", "hours", "20220327", "1", "2022-03-26T23:00:00Z", "2022-03-26T23:00:01Z"},
		{"YYYYMMDDhhmm in Europe/Berlin", "hours", "202610250230", "1", "2026-10-25T02:30:00Z", "2026-10-25T01:30:01Z"},
		{"YYYYMMDD in Europe/Berlin", "days", "20261025", "1", "2026-10-25T22:00:00Z", "2026-10-25T22:00:01Z"}, // 24 hours
		// 292 years and more
		{"unix", "hours", "1790000000", "2562048", "2319-01-01T14:13:20Z", "2319-01-01T14:13:21Z"},
		{"unix", "seconds", "0", "253402300798", "9999-12-31T23:59:58Z", "9999-12-31T23:59:59Z"},
		{"unix", "seconds", "0", "253402300800", "", ""},
		{"unix", "seconds", "1", "253402300799", "", ""},
		{"unix", "days", "0", "2932896", "9999-12-31T00:00:00Z", "9999-12-31T00:00:01Z"},
		{"unix", "days", "0", "2932897", "", ""},
		{"unix", "hours", "1790000000", "5124096", "2611-04-12T14:13:20Z", "2611-04-12T14:13:21Z"},
		{"unix", "days", "1790000000", "999999999999", "", ""},
		{"unix", "hours", "1790000000", "999999999999", "", ""},
		{"YYYYMMDDhh in America/New_York", "seconds", "9999123123", "0", "", ""},
		{"rfc3339", "days", "0000-01-01T00:00:00Z", "3652424", "9999-12-31T00:00:00Z", "9999-12-31T00:00:01Z"},
		{"rfc3339", "days", "0000-01-01T00:00:00Z", "3652425", "", ""},

		{"unix", "seconds", "1790000000", "", "", ""},
		{"unix", "seconds", "1790000000", "-1", "", ""},
		{"unix", "seconds", "1790000000", "+1", "", ""},
		{"unix", "seconds", "1790000000", "1e9", "", ""},
		{"unix", "seconds", "1790000000", "1.5", "", ""},
		{"unix", "seconds", "1790000000", " 1", "", ""},
		{"unix", "seconds", "1790000000", "0x1", "", ""},
		{"unix", "seconds", "1790000000", "0000000000001", "", ""},
		{"unix", "seconds", "1790000000", "18446744073709551617", "", ""},
		{"unix", "seconds", "", "1", "", ""},
		{"unix", "seconds", "x", "1", "", ""},
		{"unix", "", "1790000000", "1", "", ""},
	} {
		f := form(t, tc.form)
		if tc.unit != "" {
			var err error
			if f.Unit, err = link.ParseUnit(tc.unit); err != nil {
				t.Fatal(err)
			}
		}
		stamp := link.Timestamp{Text: tc.text, Plus: tc.plus, Present: true, Form: f}
		at, present, ok := stamp.Time()
		end, _, _ := stamp.End()
		switch {
		case !present || ok != (tc.at != ""):
			t.Errorf("%s and %s %s: %s, readable %t, there %t", tc.text, tc.plus, tc.unit, at.UTC(), ok, present)
		case !ok:
		case !at.Equal(parse(t, tc.at)) || !end.Equal(parse(t, tc.end)):
			t.Errorf("%s and %s %s: %s to %s, want %s to %s", tc.text, tc.plus, tc.unit, at.UTC(), end.UTC(), tc.at, tc.end)
		}
	}
	for _, unit := range []time.Duration{-time.Hour, time.Millisecond} {
		f := &link.TimeForm{Unit: unit}
		if at, _, ok := (link.Timestamp{Text: "1790000000", Plus: "1", Present: true, Form: f}).Time(); ok {
			t.Errorf("the unit %s: %s", unit, at.UTC())
		}
	}
}

func TestNever(t *testing.T) {
	f := form(t, "unix")
	f.Never = "never"
	sum := *f
	sum.Unit = time.Second
	none := form(t, "unix")
	for _, tc := range []struct {
		stamp       link.Timestamp
		present, ok bool
	}{
		{link.Timestamp{Text: "never", Form: f}, false, true},
		{link.Timestamp{Text: "Never", Form: f}, true, false},
		{link.Timestamp{Text: "never ", Form: f}, true, false},
		{link.Timestamp{Text: "", Form: f}, true, false},
		{link.Timestamp{Text: "1", Form: f}, true, true},
		{link.Timestamp{Text: "1", Plus: "never", Form: f}, true, false}, // nothing is added
		{link.Timestamp{Text: "1", Plus: "never", Form: &sum}, false, true},
		{link.Timestamp{Text: "x", Plus: "never", Form: &sum}, true, false}, // for ever from when?
		{link.Timestamp{Text: "", Plus: "never", Form: &sum}, true, false},
		{link.Timestamp{Text: "never", Plus: "1", Form: &sum}, false, true},
		{link.Timestamp{Text: "1", Plus: "1", Form: &sum}, true, true},
		{link.Timestamp{Text: "never", Form: none}, true, false},
		{link.Timestamp{Text: "", Form: none}, true, false},
	} {
		tc.stamp.Present = true
		_, present, ok := tc.stamp.Time()
		_, presentEnd, okEnd := tc.stamp.End()
		if present != tc.present || ok != tc.ok || presentEnd != present || okEnd != ok {
			t.Errorf("%q and %q: there %t, readable %t; want %t, %t", tc.stamp.Text, tc.stamp.Plus, present, ok, tc.present, tc.ok)
		}
	}
	l := &link.Link{Expires: link.Timestamp{Text: "never", Present: true, Form: f}}
	if got := (link.Policy{}).Check(l, time.Unix(0, 0)).String(); got != "" {
		t.Errorf("a link for ever: %q", got)
	}
	if got := (link.Policy{RequireExpiry: true}).Check(l, time.Unix(0, 0)).String(); got != "malformed/no_expiry" {
		t.Errorf("a link for ever where none may be: %q", got)
	}
}

func TestPolicyOr(t *testing.T) {
	d := link.Policy{RequireExpiry: true, MaxLifetime: 1, MaxAge: 2, ClockSkew: 3, MaxAhead: 4}
	if got := (link.Policy{}).Or(d); got != d {
		t.Errorf("nothing, or %+v: %+v", d, got)
	}
	p := link.Policy{MaxLifetime: 5, MaxAge: 6, ClockSkew: 7, MaxAhead: 8}
	want := p
	want.RequireExpiry = true
	if got := p.Or(d); got != want {
		t.Errorf("%+v, or %+v: %+v", p, d, got)
	}
	if got := d.Or(link.Policy{}); got != d {
		t.Errorf("%+v, or nothing: %+v", d, got)
	}
}

// TestPolicyOfForms: the policy with what is no second, and with times to come.
func TestPolicyOfForms(t *testing.T) {
	const none = ""
	hour, tenHours := time.Hour, 10*time.Hour
	for _, tc := range []struct {
		policy                      link.Policy
		form, expires, plus, issued string
		exclusive                   bool
		now, want                   string
	}{
		{link.Policy{}, "YYYYMMDD", "20260921", none, none, false, "2026-09-21T23:59:59.999Z", ""},
		{link.Policy{}, "YYYYMMDD", "20260921", none, none, false, "2026-09-22T00:00:00Z", "expired"},
		{link.Policy{}, "YYYYMMDD", "20260921", none, none, true, "2026-09-20T23:59:59.999Z", ""},
		{link.Policy{}, "YYYYMMDD", "20260921", none, none, true, "2026-09-21T00:00:00Z", "expired"},
		{link.Policy{ClockSkew: time.Minute}, "YYYYMMDD", "20260921", none, none, false, "2026-09-22T00:00:59.999Z", ""},
		{link.Policy{ClockSkew: time.Minute}, "YYYYMMDD", "20260921", none, none, false, "2026-09-22T00:01:00Z", "expired"},
		{link.Policy{}, "YYYYMMDD", "20260231", none, none, false, "2026-01-01T00:00:00Z", "malformed/expiry"},
		{link.Policy{}, "unix", "1790000000", none, none, true, "2026-09-21T14:13:19.999Z", ""},
		{link.Policy{}, "unix", "1790000000", none, none, true, "2026-09-21T14:13:20Z", "expired"},
		{link.Policy{}, "unix_ms", "1790000000123", none, none, true, "2026-09-21T14:13:20.122999999Z", ""},
		{link.Policy{}, "unix_ms", "1790000000123", none, none, true, "2026-09-21T14:13:20.123Z", "expired"},
		{link.Policy{}, "hex", "6ab13b80", none, none, false, "2026-09-21T14:13:20.999Z", ""},
		{link.Policy{}, "hex", "6ab13b80", none, none, false, "2026-09-21T14:13:21Z", "expired"},

		// A local time that there is twice: an expiry is the first, a time of issue the second.
		{link.Policy{}, "YYYYMMDDhhmm in Europe/Berlin", "202610250230", none, none, false, "2026-10-25T00:30:59Z", ""},
		{link.Policy{}, "YYYYMMDDhhmm in Europe/Berlin", "202610250230", none, none, false, "2026-10-25T00:31:00Z", "expired"},
		{link.Policy{MaxAge: hour}, "YYYYMMDDhhmm in Europe/Berlin", none, none, "202610250230", false, "2026-10-25T02:30:00Z", ""},
		{link.Policy{MaxAge: hour}, "YYYYMMDDhhmm in Europe/Berlin", none, none, "202610250230", false, "2026-10-25T02:30:01Z", "expired/max_age"},

		// A date lives to its end, a sum to the sum.
		{link.Policy{MaxLifetime: tenHours}, "YYYYMMDD", "20260921", none, none, false, "2026-09-21T14:00:00Z", ""},
		{link.Policy{MaxLifetime: tenHours}, "YYYYMMDD", "20260921", none, none, false, "2026-09-21T13:59:59Z", "malformed/max_lifetime"},
		{link.Policy{MaxLifetime: tenHours}, "YYYYMMDD", "20260922", none, none, true, "2026-09-21T14:00:00Z", ""},
		{link.Policy{MaxLifetime: hour}, "unix", "1790000000", "3600", none, false, "2026-09-21T14:13:20Z", ""},
		{link.Policy{MaxLifetime: hour}, "unix", "1790000000", "3601", none, false, "2026-09-21T14:13:20Z", "malformed/max_lifetime"},
		{link.Policy{MaxLifetime: hour}, "YYYYMMDD", "20260921", "3600", none, false, "2026-09-21T00:00:00Z", ""},
		{link.Policy{MaxLifetime: hour}, "YYYYMMDD", "20260921", "3601", none, false, "2026-09-21T00:00:00Z", "malformed/max_lifetime"},
		{link.Policy{MaxLifetime: hour}, "unix", "1790000000", "999999999999", none, false, "2026-09-21T14:13:20Z", "malformed/expiry"},

		{link.Policy{MaxAhead: hour}, "unix", none, none, "1790003600", false, "2026-09-21T14:13:20Z", ""},
		{link.Policy{MaxAhead: hour}, "unix", none, none, "1790003601", false, "2026-09-21T14:13:20Z", "not_yet_valid/issued"},
		{link.Policy{MaxAhead: hour, ClockSkew: time.Second}, "unix", none, none, "1790003601", false, "2026-09-21T14:13:20Z", ""},
		{link.Policy{MaxAhead: hour, ClockSkew: time.Second}, "unix", none, none, "1790003602", false, "2026-09-21T14:13:20Z", "not_yet_valid/issued"},
		{link.Policy{MaxAhead: hour, MaxAge: hour}, "hex", none, none, "6ab13b80", false, "2026-09-21T15:13:20Z", ""},
		{link.Policy{MaxAhead: hour, MaxAge: hour}, "hex", none, none, "6ab13b80", false, "2026-09-21T15:13:21Z", "expired/max_age"},
		{link.Policy{MaxAhead: hour}, "unix", "1789999999", none, none, false, "2026-09-21T14:13:20Z", "expired"}, // an expiry is none the longer
	} {
		f := form(t, tc.form)
		f.Exclusive = tc.exclusive
		expiry := *f
		if tc.plus != none {
			expiry.Unit = time.Second
		}
		l := &link.Link{
			Expires: link.Timestamp{Text: tc.expires, Plus: tc.plus, Present: tc.expires != none, Form: &expiry},
			Issued:  link.Timestamp{Text: tc.issued, Present: tc.issued != none, Form: f},
		}
		if got := tc.policy.Check(l, parse(t, tc.now)).String(); got != tc.want {
			t.Errorf("%+v: %s, expires %q and %q, issued %q, at %s: %q, want %q", tc.policy, tc.form, tc.expires, tc.plus, tc.issued, tc.now, got, tc.want)
		}
	}
}

// TestTimesAllocate: a time costs no memory where most links have theirs.
func TestTimesAllocate(t *testing.T) {
	for text, value := range map[string]string{
		"unix": "1790000000", "unix_ms": "1790000000123", "hex": "6ab13b80", "base62": "1x8elk", "base64": "arE7gA",
		"YYYYMMDD": "20260921", "YYMMDD": "260921", "YYYYMMDDThhmmssZ": "20260921T141320Z", "YYYY-MM-DD hh:mm in UTC": "2026-09-21 14:13",
		"YYYYMMDD in Europe/Berlin": "20260921", "YYYYMMDDhhmm in Europe/Berlin": "202609211413",
	} {
		f := form(t, text)
		f.Unit = time.Second
		l := &link.Link{Expires: link.Timestamp{Text: value, Plus: "60", Present: true, Form: f}}
		l.Issued = link.Timestamp{Text: value, Present: true, Form: form(t, text)}
		now := parse(t, "2026-09-21T14:13:20Z")
		if n := testing.AllocsPerRun(100, func() {
			_, _, _ = l.Expires.Time()
			_, _, _ = l.Expires.End()
			_ = link.Policy{MaxAge: time.Hour}.Check(l, now)
		}); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

// fuzzForms are forms of all formats, with zones of every habit.
var fuzzForms = []string{
	"unix", "unix_ms", "rfc3339", "hex", "base62", "base64",
	"YYYYMMDD", "YYMMDD", "YYYY-MM-DD", "YYYY-MM-DD hh:mm:ss", "YYYYMMDDThhmmssZ", "DD.MM.YYYY hh", "hhmmYYMMDD",
	"YYYYMMDD in Europe/Berlin", "YYYYMMDDhhmmss in Europe/Berlin", "YYYYMMDDhh in Asia/Beirut", "YYYYMMDD in Asia/Beirut",
	"YYYYMMDD in Africa/Cairo", "YYYYMMDD in America/Sao_Paulo", "YYYYMMDD in Pacific/Apia", "YYYYMMDDhhmm in Pacific/Apia",
	"YYYYMMDDhhmmss in America/St_Johns", "YYYYMMDD in America/St_Johns", "YYYYMMDDhh in Australia/Lord_Howe",
	"YYYYMMDDhhmmss in America/Juneau", "YYYYMMDD in Asia/Manila", "YYYYMMDDhhmm in Africa/Casablanca", "YYMMDDhhmmss in America/Havana",
}

// doubled reports whether the clocks of a zone show at another moment, before or
// after, what they show at this one.
func doubled(at time.Time, zone *time.Location) bool {
	if zone == nil {
		return false
	}
	offset := func(at time.Time) int {
		_, o := at.In(zone).Zone()
		return o
	}
	for _, distance := range []time.Duration{-26 * time.Hour, -13 * time.Hour, -time.Hour, time.Hour, 13 * time.Hour, 26 * time.Hour} {
		other := at.Add(time.Duration(offset(at)-offset(at.Add(distance))) * time.Second)
		if !other.Equal(at) && other.Sub(at) == time.Duration(offset(at)-offset(other))*time.Second {
			return true
		}
	}
	return false
}

// FuzzTimeForm: in all formats and zones, what is read is what was written, an end comes
// after its time, and a time that is written is read again.
func FuzzTimeForm(f *testing.F) {
	for i, text := range []string{
		"1790000000", "1790000000123", "2026-09-21T14:13:20.5+02:00", "6AB13b80", "1x8elk", "arE7gA",
		"20260921", "260921", "2026-09-21", "2026-09-21 14:13:20", "20260921T141320Z", "21.09.2026 14", "1413260921",
		"20260329", "20261025023000", "2022102923", "20220327",
		"20240426", "20181104", "20111230", "201112301200",
		"20101107000030", "20101106", "2026100402",
		"18671018120000", "18441231", "202602150230", "261101003000",
	} {
		f.Add(text, "", byte(i), false, int64(1790000000))
		f.Add(text, "3600", byte(i), true, int64(1792890000)) // where clocks go back in Berlin
	}
	f.Add("20111230", "", byte(19), false, int64(1325239200)) // where Apia moved
	f.Add("20281231", "2562048", byte(13), false, int64(1861833600))
	f.Add("9999999999", "999999999999", byte(0), false, int64(math.MaxInt64))
	f.Add("Pg\n", "-1", byte(5), true, int64(-1))
	f.Add("99991231", "1", byte(6), false, int64(253402300799))

	var forms []*link.TimeForm
	for _, text := range fuzzForms {
		forms = append(forms, form(f, text))
	}
	f.Fuzz(func(t *testing.T, text, plus string, which byte, exclusive bool, seconds int64) {
		name := fuzzForms[int(which)%len(forms)]
		form := *forms[int(which)%len(forms)]
		form.Exclusive = exclusive
		if plus != "" {
			form.Unit = time.Hour
		}
		stamp := link.Timestamp{Text: text, Plus: plus, Present: true, Form: &form}
		at, present, ok := stamp.Time()
		end, presentEnd, okEnd := stamp.End()
		if again, _, okAgain := stamp.Time(); !again.Equal(at) || okAgain != ok {
			t.Errorf("%s: %q is %s, and then %s", name, text, at, again)
		}
		if !present || !presentEnd || ok != okEnd {
			t.Errorf("%s: %q: there %t and %t, readable %t and %t", name, text, present, presentEnd, ok, okEnd)
		}
		form.Unit = 0
		stamp.Plus = ""
		base, _, readable := stamp.Time()
		if ok {
			twice := doubled(base, form.Zone)
			switch {
			case !exclusive && !twice && !at.Before(end), exclusive && !twice && !at.Equal(end), exclusive && end.After(at):
				t.Errorf("%s, exclusive %t: %q and %q: %s to %s", name, exclusive, text, plus, at.UTC(), end.UTC())
			case !readable || at.Before(base) || at.Unix() > 253402300799+14*60*60:
				t.Errorf("%s: %q and %q: %s is %s and more, readable %t", name, text, plus, at.UTC(), base.UTC(), readable)
			}
		}
		if readable {
			same := text
			switch form.Format {
			case link.RFC3339, link.Base64:
				same = "" // they have more than one text
			case link.HexSeconds:
				same = strings.ToLower(strings.Repeat("0", 8-len(text)) + text)
			case link.Laid:
			default:
				if same = strings.TrimLeft(text, "0"); same == "" {
					same = "0"
				}
			}
			written, err := form.Write(base)
			if err != nil && !base.Before(time.Unix(0, 0)) && name != "rfc3339" || err == nil && same != "" && written != same {
				t.Errorf("%s: %q is %s, which is written %q, error %v", name, text, base.UTC(), written, err)
			}
		}
		moment := time.Unix(seconds, 0)
		written, err := form.Write(moment)
		if err != nil {
			return
		}
		stamp.Text = written
		form.Exclusive = false
		at, _, ok = stamp.Time()
		end, _, _ = stamp.End()
		twice := doubled(moment, form.Zone) || doubled(at, form.Zone)
		switch {
		case !ok:
			t.Errorf("%s: %s is written %q, and not read", name, moment.UTC(), written)
		case twice: // one of two, but a clock shows the same
			again, err := form.Write(at)
			if err != nil || again != written {
				t.Errorf("%s: %s is written %q, read %s, and written %q, error %v", name, moment.UTC(), written, at.UTC(), again, err)
			}
		case form.Layout != nil && (at.After(moment) || !end.After(moment)), form.Layout == nil && at.Unix() != seconds:
			t.Errorf("%s: %s is written %q, and read %s to %s", name, moment.UTC(), written, at.UTC(), end.UTC())
		case strings.Contains(name, "ss") && at.Unix() != seconds:
			t.Errorf("%s: %s is written %q, and read %s", name, moment.UTC(), written, at.UTC())
		}
	})
}
