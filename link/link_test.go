package link_test

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

func TestRefusal(t *testing.T) {
	for _, tc := range []struct {
		refusal link.Refusal
		none    bool
		text    string
	}{
		{link.Refusal{}, true, ""},
		{link.Refuse(link.Missing, ""), false, "missing"},
		{link.Refuse(link.Ambiguous, "duplicate"), false, "ambiguous/duplicate"},
	} {
		if tc.refusal.None() != tc.none || tc.refusal.String() != tc.text {
			t.Errorf("%#v: none %t, %q; want %t, %q", tc.refusal, tc.refusal.None(), tc.refusal, tc.none, tc.text)
		}
	}
}

// TestReasons: the codes are in logs and metrics of people who filter for them.
func TestReasons(t *testing.T) {
	want := []link.Reason{
		"missing", "malformed", "ambiguous", "bad_signature", "expired", "not_yet_valid", "out_of_scope",
		"method", "body", "keys_unavailable", "throttled",
	}
	if !slices.Equal(link.Reasons, want) {
		t.Errorf("reasons %v, want %v", link.Reasons, want)
	}
}

func TestRequestValue(t *testing.T) {
	r := linktest.NewRequest("https://example.org/?a=%41+b&us%65r=x&user=jeff&flag&empty=&user=mike&%=%zz&=nameless")
	for _, tc := range []struct {
		name, value, raw string
		there            bool
	}{
		{"a", "A b", "%41+b", true},
		{"user", "jeff", "jeff", true},
		{"flag", "", "", true},
		{"empty", "", "", true},
		{"%", "%zz", "%zz", true},
		{"", "nameless", "nameless", true},
		{"us%65r", "x", "x", true},
		{"User", "", "", false},
		{"A", "", "", false},
		{"b", "", "", false},
	} {
		value, ok := r.Value(tc.name)
		raw, rawOK := r.RawValue(tc.name)
		if value != tc.value || raw != tc.raw || ok != tc.there || rawOK != tc.there {
			t.Errorf("%q: %q (%q), %t; want %q (%q), %t", tc.name, value, raw, ok, tc.value, tc.raw, tc.there)
		}
	}
}

func TestClaims(t *testing.T) {
	var c link.Claims
	if c.Get("user") != "" {
		t.Error("no claims state a user")
	}
	c.Set("user", "1")
	c.Set("mailing", "2")
	c.Set("user", "3")
	if want := (link.Claims{{Name: "user", Value: "3"}, {Name: "mailing", Value: "2"}}); !slices.Equal(c, want) {
		t.Errorf("%v, want %v", c, want)
	}
	if c.Get("user") != "3" || c.Get("mailing") != "2" || c.Get("User") != "" {
		t.Errorf("user %q, mailing %q, User %q", c.Get("user"), c.Get("mailing"), c.Get("User"))
	}
}

func TestDescriptionNames(t *testing.T) {
	d := link.Description{Signature: make([]string, 1, 4), Signed: []string{"a", "b"}}
	d.Signature[0] = "sig"
	names := d.Names()
	if want := []string{"sig", "a", "b"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	names[0], names[1] = "x", "y"
	if want := (link.Description{Signature: []string{"sig"}, Signed: []string{"a", "b"}}); !reflect.DeepEqual(d, want) {
		t.Errorf("changing the names changed the description: %+v", d)
	}
}

func TestIgnore(t *testing.T) {
	ig := link.Ignore{"utm_*", "fbclid", "mc_", "", "x[a]", "y[*", "[z]"}
	for name, want := range map[string]bool{
		"utm_source": true, "utm_": true, "utm": false, "UTM_source": false, "xutm_a": false, "utm%5Fsource": false,
		"fbclid": true, "fbclid2": false, "mc_": true, "mc_cid": false, "": false, "utm_*": true,
		"x[a]": true, "x%5Ba%5d": true, "x%5bb]": false, "%78[a]": false, "y[1]": true, "y%5B1%5D": true, "%5Bz%5D": true, "[z]": true,
	} {
		if got := ig.Match(name); got != want {
			t.Errorf("%q: %t, want %t", name, got, want)
		}
	}
	if link.Ignore(nil).Match("") {
		t.Error("an empty list matches the empty name")
	}
}

func TestTimestamp(t *testing.T) {
	at := func(s string) time.Time {
		tm, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return tm
	}
	for _, tc := range []struct {
		format link.TimeFormat
		text   string
		want   time.Time // zero: no time
	}{
		{link.Unix, "0", at("1970-01-01T00:00:00Z")},
		{link.Unix, "1790000000", at("2026-09-21T14:13:20Z")},
		{link.Unix, "9999999999", at("2286-11-20T17:46:39Z")},
		{link.Unix, "0000000001", at("1970-01-01T00:00:01Z")},
		{link.UnixMS, "1790000000123", at("2026-09-21T14:13:20.123Z")},
		{link.UnixMS, "9999999999999", at("2286-11-20T17:46:39.999Z")},
		{link.RFC3339, "2026-09-21T14:13:20Z", at("2026-09-21T14:13:20Z")},
		{link.RFC3339, "2026-09-21T16:13:20+02:00", at("2026-09-21T14:13:20Z")},
		{link.RFC3339, "2026-09-21T14:13:20.5Z", at("2026-09-21T14:13:20.5Z")},

		{link.Unix, "", time.Time{}},
		{link.Unix, "1790000000123", time.Time{}}, // milliseconds: in the year 58692
		{link.Unix, "00000000001", time.Time{}},
		{link.Unix, "9223372036854775808", time.Time{}},
		{link.Unix, "18446744073709551617", time.Time{}},
		{link.Unix, strings.Repeat("9", 10<<10), time.Time{}},
		{link.Unix, "-1", time.Time{}},
		{link.Unix, "+1790000000", time.Time{}},
		{link.Unix, " 1790000000", time.Time{}},
		{link.Unix, "1790000000 ", time.Time{}},
		{link.Unix, "1790000000\n", time.Time{}},
		{link.Unix, "1790000000\x00", time.Time{}},
		{link.Unix, "1e99", time.Time{}},
		{link.Unix, "1E9", time.Time{}},
		{link.Unix, "1.5", time.Time{}},
		{link.Unix, "1_000", time.Time{}},
		{link.Unix, "1,000", time.Time{}},
		{link.Unix, "0x6AB13A80", time.Time{}},
		{link.Unix, "abc", time.Time{}},
		{link.Unix, "never", time.Time{}},
		{link.Unix, "NaN", time.Time{}},
		{link.Unix, "１７９００", time.Time{}},
		{link.Unix, "٣", time.Time{}},
		{link.Unix, "2026-09-21T14:13:20Z", time.Time{}},
		{link.UnixMS, "17900000001234", time.Time{}},
		{link.UnixMS, "", time.Time{}},
		{link.UnixMS, "-1790000000123", time.Time{}},
		{link.RFC3339, "", time.Time{}},
		{link.RFC3339, "1790000000", time.Time{}},
		{link.RFC3339, "2026-09-21", time.Time{}},
		{link.RFC3339, "2026-09-21 14:13:20Z", time.Time{}},
		{link.RFC3339, "2026-09-21T14:13:20", time.Time{}},
		{link.RFC3339, "2026-09-21t14:13:20z", time.Time{}},
		{link.RFC3339, "2026-09-21T4:13:20Z", time.Time{}},
		{link.RFC3339, "2026-09-21T14:13:20,5Z", time.Time{}},
		{link.RFC3339, "2026-09-21T24:13:20Z", time.Time{}},
		{link.RFC3339, "2026-02-30T14:13:20Z", time.Time{}},
		{link.RFC3339, "2026-09-21T14:13:20 02:00", time.Time{}},
		{link.RFC3339, "2026-09-21T14:13:20+24:00", time.Time{}},
		{link.RFC3339, "10000-01-01T00:00:00Z", time.Time{}},
		{link.RFC3339, "2026-09-21T14:13:20Z\x00", time.Time{}},
	} {
		got, present, ok := link.Timestamp{Text: tc.text, Present: true, Format: tc.format}.Time()
		if !present {
			t.Errorf("%.40q: the time is not there", tc.text)
		}
		if ok == tc.want.IsZero() || ok && !got.Equal(tc.want) {
			t.Errorf("%.40q (format %d): %s, readable %t; want %s", tc.text, tc.format, got, ok, tc.want)
		}
	}
	if _, present, ok := (link.Timestamp{}).Time(); present || !ok {
		t.Errorf("the zero timestamp: present %t, readable %t; want neither there nor wrong", present, ok)
	}
	if _, present, ok := (link.Timestamp{Text: "1"}).Time(); present || !ok {
		t.Errorf("text without Present: present %t, readable %t", present, ok)
	}
}

// TestPolicyCheck: the clock stands at 1790000000.
func TestPolicyCheck(t *testing.T) {
	const (
		now = 1790000000
		no  = "" // the link does not state it
	)
	for _, tc := range []struct {
		name            string
		policy          link.Policy
		expires, issued string
		want            string
	}{
		{"nothing demanded, nothing stated", link.Policy{}, no, no, ""},
		{"before the expiry", link.Policy{}, "1790000001", no, ""},
		{"the expiry is inclusive", link.Policy{}, "1790000000", no, ""},
		{"a second late", link.Policy{}, "1789999999", no, "expired"},
		{"long ago", link.Policy{}, "0", no, "expired"},
		{"far future", link.Policy{}, "9999999999", no, ""},
		{"unreadable", link.Policy{}, "soon", no, "malformed/expiry"},
		{"never expires by an exponent", link.Policy{}, "1e99", no, "malformed/expiry"},
		{"never expires by milliseconds", link.Policy{}, "1790000000000", no, "malformed/expiry"},
		{"negative", link.Policy{}, "-1", no, "malformed/expiry"},

		{"skew", link.Policy{ClockSkew: 5 * time.Second}, "1789999995", no, ""},
		{"beyond the skew", link.Policy{ClockSkew: 5 * time.Second}, "1789999994", no, "expired"},

		{"expiry demanded and there", link.Policy{RequireExpiry: true}, "1790000001", no, ""},
		{"expiry demanded", link.Policy{RequireExpiry: true}, no, no, "malformed/no_expiry"},
		{"expiry demanded, time of issue stated", link.Policy{RequireExpiry: true}, no, "1789999999", "malformed/no_expiry"},

		{"issued just now", link.Policy{}, no, "1790000000", ""},
		{"issued in the future", link.Policy{}, no, "1790000001", "not_yet_valid/issued"},
		{"issued in the future, within the skew", link.Policy{ClockSkew: time.Second}, no, "1790000001", ""},
		{"issued in the future and expired", link.Policy{}, "1", "1790000001", "not_yet_valid/issued"},
		{"unreadable time of issue", link.Policy{}, no, "x", "malformed/issued"},

		{"young enough", link.Policy{MaxAge: time.Hour}, no, "1789996400", ""},
		{"too old", link.Policy{MaxAge: time.Hour}, no, "1789996399", "expired/max_age"},
		{"too old, within the skew", link.Policy{MaxAge: time.Hour, ClockSkew: time.Second}, no, "1789996399", ""},
		{"of unknown age", link.Policy{MaxAge: time.Hour}, "1790000001", no, "malformed/no_issue_time"},
		{"too old and expired", link.Policy{MaxAge: time.Hour}, "1", "1", "expired"},

		{"short-lived", link.Policy{MaxLifetime: time.Hour}, "1790003600", no, ""},
		{"lives too long from now", link.Policy{MaxLifetime: time.Hour}, "1790003601", no, "malformed/max_lifetime"},
		{"lives too long, within the skew", link.Policy{MaxLifetime: time.Hour, ClockSkew: time.Second}, "1790003601", no, ""},
		{"lives long enough from its issue", link.Policy{MaxLifetime: time.Hour}, "1790000100", "1789996500", ""},
		{"lives too long from its issue", link.Policy{MaxLifetime: time.Hour}, "1790000100", "1789996499", "malformed/max_lifetime"},
		{"lives for ever", link.Policy{MaxLifetime: time.Hour}, no, no, "malformed/no_expiry"},
		{"lives for ever from its issue", link.Policy{MaxLifetime: time.Hour}, no, "1789999999", "malformed/no_expiry"},
		{"lived too long, and is over", link.Policy{MaxLifetime: time.Hour}, "1789999999", "1", "expired"},
	} {
		stamp := func(text string) link.Timestamp { return link.Timestamp{Text: text, Present: text != no} }
		l := &link.Link{Expires: stamp(tc.expires), Issued: stamp(tc.issued)}
		if got := tc.policy.Check(l, time.Unix(now, 0)).String(); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	// A link is valid to the end of the second that it names; milliseconds are exact.
	for _, tc := range []struct {
		format link.TimeFormat
		text   string
		now    time.Time
		want   string
	}{
		{link.Unix, "1790000000", time.Unix(now, 999_999_999), ""},
		{link.Unix, "1790000000", time.Unix(now+1, 0), "expired"},
		{link.RFC3339, "2026-09-21T14:13:20Z", time.Unix(now, 999_999_999), ""},
		{link.RFC3339, "2026-09-21T14:13:20Z", time.Unix(now+1, 0), "expired"},
		{link.UnixMS, "1790000000123", time.Unix(now, 123_000_000), ""},
		{link.UnixMS, "1790000000123", time.Unix(now, 124_000_000), "expired"},
	} {
		l := &link.Link{Expires: link.Timestamp{Text: tc.text, Present: true, Format: tc.format}}
		if got := (link.Policy{}).Check(l, tc.now).String(); got != tc.want {
			t.Errorf("%s at %s: %q, want %q", tc.text, tc.now.UTC(), got, tc.want)
		}
	}
	// An empty expiry is one that cannot be read, not none.
	l := &link.Link{Expires: link.Timestamp{Present: true}}
	if got := (link.Policy{}).Check(l, time.Unix(now, 0)).String(); got != "malformed/expiry" {
		t.Errorf("an empty expiry: %q, want malformed/expiry", got)
	}
}

// FuzzTimestamp: what is read as a time is just what was written.
func FuzzTimestamp(f *testing.F) {
	for _, text := range []string{"", "0", "1790000000", "00", "-1", "1e9", "9999999999", "99999999999", "2026-09-21T14:13:20Z", "2026-09-21T14:13:20,5Z", "\x00", "１"} {
		f.Add(text)
	}
	decimal := func(text string, n int64, digits int) bool {
		return len(text) <= digits && strings.TrimLeft(text, "0") == strings.TrimLeft(strconv.FormatInt(n, 10), "0")
	}
	f.Fuzz(func(t *testing.T, text string) {
		for format, right := range map[link.TimeFormat]func(at time.Time) bool{
			link.Unix:    func(at time.Time) bool { return decimal(text, at.Unix(), 10) },
			link.UnixMS:  func(at time.Time) bool { return decimal(text, at.UnixMilli(), 13) },
			link.RFC3339: func(at time.Time) bool { return strings.HasPrefix(text, at.Format("2006-01-02T15:04:05")) },
		} {
			at, present, ok := link.Timestamp{Text: text, Present: true, Format: format}.Time()
			if !present || ok && !right(at) {
				t.Errorf("%q (format %d) is read as %s, present %t", text, format, at, present)
			}
		}
	})
}
