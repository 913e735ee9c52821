package link_test

import (
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/pattern"
)

func pathPattern(t testing.TB, text string) *pattern.Pattern {
	t.Helper()
	p, err := pattern.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCarries(t *testing.T) {
	whole := link.Carrier{Link: pathPattern(t, "/u/<id>/<signature>"), Signature: true}
	segment := link.Carrier{Segment: 2, Signature: true}
	unsigned := link.Carrier{Link: pathPattern(t, "/u/<id>")}
	for _, tc := range []struct {
		carrier link.Carrier
		path    string
		want    link.Carriage
	}{
		{whole, "/u/1/x", link.Whole},
		{whole, "/u/1/x/", link.Broken},
		{whole, "/u/1", link.Broken},
		{whole, "/u/", link.Broken},
		{whole, "/U/1/x", link.Broken}, // a matcher takes it
		{whole, "/u", link.NoLink},
		{whole, "/user/1/x", link.NoLink},
		{whole, "//u/1/x", link.NoLink}, // in this reading; in others it is one
		{segment, "/a/b/x", link.Whole},
		{segment, "/a/b/", link.Whole},
		{segment, "/a/b", link.NoLink},
		{segment, "/a/b/x/y", link.Broken},
		{unsigned, "/u/1", link.NoLink}, // the query tells
	} {
		if got := tc.carrier.Carries(tc.path); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.path, got, tc.want)
		}
	}
}

func TestInternal(t *testing.T) {
	target := link.Carrier{Link: pathPattern(t, "/u/<id>/<signature>"), Target: pathPattern(t, "/in/<id>"), Signature: true}
	public := target
	public.Public = true
	fixed := link.Carrier{Link: pathPattern(t, "/u/<signature>"), Fixed: "/in", Signature: true}
	segment := link.Carrier{Segment: 2, Signature: true}
	still := link.Carrier{Link: pathPattern(t, "/u/<id>/<signature>"), Signature: true}
	for _, tc := range []struct {
		name    string
		carrier *link.Carrier
		path    string
		want    bool
		through string
	}{
		{"target", &target, "/in/1", true, ""},
		{"target", &target, "/IN/1", true, ""},
		{"target", &target, "/in/1/2", true, ""}, // rules are not asked
		{"target", &target, "/in", true, ""},
		{"target", &target, "/inner/1", false, ""},
		{"public", &public, "/in/1", false, ""},
		{"fixed", &fixed, "/in", true, ""},
		{"fixed", &fixed, "/in/", true, ""},
		{"fixed", &fixed, "/In", true, ""},
		{"fixed", &fixed, "/in/1", false, ""},
		{"segment", &segment, "/a/b", true, "/a/b/x"},
		{"segment", &segment, "/a/b/x", false, ""},
		{"segment", &segment, "/a", false, ""},
		{"as it came", &still, "/u/1/x", false, ""},
		{"none", nil, "/in/1", false, ""},
	} {
		if internal, through := tc.carrier.Internal(tc.path); internal != tc.want || through != tc.through {
			t.Errorf("%s: %s: %t, %q", tc.name, tc.path, internal, through)
		}
	}
}

// FuzzCarrier: what fits the pattern carries a link, and so does the sample; a path that a
// link leads to is internal, in any case of letters, with a slash or without.
func FuzzCarrier(f *testing.F) {
	for _, s := range [][4]string{
		{"/u/<id>/<signature>", "/in/<id>", "/u/1/x", "1"},
		{"/dl/<signature>/<file...>", "/files/<file...>", "/dl/x/a/b", "a/b"},
		{"/x-<a>--<signature>.b", "/<a>.html", "/x-1--2.b", "%C4%B0"},
		{"/abcxyz<a>01<signature>", "/İ/<a>", "/abcxyz101x", "ẞ"},
		{"/u/<signature>", "/in/<a>/", "/U/x", ""},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	f.Fuzz(func(t *testing.T, text, target, path, value string) {
		p, err := pattern.ParsePath(text)
		if err != nil || p.Index("signature") < 0 || len(p.Fields()) > 32 {
			return
		}
		c := &link.Carrier{Link: p, Signature: true}
		if to, err := pattern.ParsePath(target); err == nil && len(to.Fields()) <= 32 {
			c.Target = to
		}
		into := make([]string, len(p.Fields()))
		if fits := p.Split(path, into); fits != (c.Carries(path) == link.Whole) {
			t.Errorf("%s of %q: it fits: %t, and is %d", p, path, fits, c.Carries(path))
		}
		if c.Carries(path) == link.Whole && !p.Begins(path) {
			t.Errorf("%s: %q is a link, and does not begin like one", p, path)
		}
		sample := c.Link.Sample(nil)
		if p.Split(sample, into) != (c.Carries(sample) == link.Whole) || len(p.String()) < 60 && c.Carries(sample) != link.Whole {
			t.Errorf("%s: the sample %q carries no link", p, sample)
		}
		if c.Target == nil {
			if internal, _ := c.Internal(path); internal || c.Moves() {
				t.Errorf("%s: %q is internal, and no link leads anywhere", p, path)
			}
			return
		}
		fields := make([]string, len(c.Target.Fields()))
		for i := range fields {
			fields[i] = value
		}
		moved := string(c.Target.Join(nil, fields))
		for _, m := range []string{moved, strings.ToUpper(moved), moved + "/", strings.TrimSuffix(moved, "/")} {
			if internal, through := c.Internal(m); !internal || through != "" {
				t.Errorf("%s: %q is where a link leads, and is not internal", c.Target, m)
			}
		}
	})
}
