package signedlink_test

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/devel/ratio"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/link"
)

// The budgets of the way of a request. Times are compared with something else that is
// measured in the same run, and never asserted; allocations are asserted.

func init() {
	caddy.RegisterModule(testNothing{})
	httpcaddyfile.RegisterHandlerDirective("test_nothing", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return testNothing{}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_nothing", httpcaddyfile.Before, "reverse_proxy")
	caddy.RegisterModule(testNoop{})
	httpcaddyfile.RegisterHandlerDirective("test_noop", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return testNoop{}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_noop", httpcaddyfile.Before, "method")
}

// testNothing is a backend that costs nothing.
type testNothing struct{}

func (testNothing) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_nothing", New: func() caddy.Module { return new(testNothing) }}
}

func (testNothing) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func (testNothing) ServeHTTP(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// testNoop is a handler that hands on: what Caddy takes for any handler in a chain.
type testNoop struct{}

func (testNoop) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_noop", New: func() caddy.Module { return new(testNoop) }}
}

func (testNoop) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}

// nobody is a client that reads nothing.
type nobody struct{ header http.Header }

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) Write(b []byte) (int, error) { return len(b), nil }
func (n *nobody) WriteHeader(int)             {}

// secret64 has the length of the secrets of ActionKit instances.
const secret64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// hotLink is a definition, and a link that it verifies.
type hotLink struct {
	name      string
	directive string
	target    string
	bare      func() func() // what the same message costs without any gateway
}

// bareDigest returns a function that computes the digest of the message.
func bareDigest[A any](sum func([]byte) A, message string) func() func() {
	return func() func() {
		b := []byte(message)
		return func() { _ = sum(b) }
	}
}

// bareHMAC returns a function that computes the HMAC of the message with a state that
// holds the key.
func bareHMAC(digest func() hash.Hash, key, message string) func() func() {
	return func() func() {
		m, b := hmac.New(digest, []byte(key)), []byte(message)
		out := make([]byte, 0, 64)
		return func() {
			m.Reset()
			m.Write(b)
			out = m.Sum(out[:0])
		}
	}
}

func akidOf(secret, cleartext string) string {
	sum := sha256.Sum256([]byte(secret + "." + cleartext))
	return cleartext + "." + base64.RawURLEncoding.EncodeToString(sum[:])[:6]
}

// hotLinks are the links whose way from query to verdict allocates nothing.
func hotLinks(t testing.TB) []hotLink {
	t.Helper()
	t.Setenv("AKID_SECRET", secret64)
	t.Setenv("KEY", fixture.HMACKey)
	t.Setenv("AUTOLOGIN_SECRET", fixture.AutologinSecret)
	return []hotLink{
		{
			"akid", "signed_link recognize akid {env.AKID_SECRET}",
			"/page?akid=" + akidOf(secret64, "2695.103007") + "&source=mail",
			bareDigest(sha256.Sum256, secret64+".2695.103007"),
		},
		{
			"hmac-sha256", `signed_link keyed_hash {env.KEY} {
				algorithm hmac-sha256
				message {query.user}|{query.exp}
				signature {query.sig}
				expires {query.exp}
				user {query.user}
			}`,
			"/page?user=jeff&exp=4102444800&sig=" + fixture.Sum256(fixture.HMACKey, "jeff|4102444800"),
			bareHMAC(sha256.New, fixture.HMACKey, "jeff|4102444800"),
		},
		{
			"md5", fixture.Autologin("", "param user alnum max 32"),
			"/page?" + fixture.GoodLink,
			bareDigest(md5.Sum, "jeff"+fixture.AutologinSecret),
		},
		{
			"sial", `signed_link sial {
				user_keys inline {
					5678 {env.KEY}
				}
				params comment
				param user digits
				param action one_of delete keep
				param comment digits max 12
			}`,
			"/page?user=5678&action=delete&comment=42&sig=" + fixture.Sum1("5678delete42"+fixture.HMACKey),
			bareDigest(sha1.Sum, "5678delete42"+fixture.HMACKey),
		},
		{
			"query", `signed_link keyed_hash {env.KEY} {
				algorithm hmac-sha256
				message {path}?{sorted_query}
				signature {query.sig}
				user {query.user}
				ignore utm_*
			}`,
			"/page?utm_source=mail&user=jeff&page=7&sig=" + fixture.Sum256(fixture.HMACKey, "/page?page=7&user=jeff"),
			bareHMAC(sha256.New, fixture.HMACKey, "/page?page=7&user=jeff"),
		},
		{
			"token", `signed_link keyed_hash {env.KEY} {
				token {query.t} <user>:<exp>:<signature>
				algorithm hmac-sha256
				message {link.user}|{link.exp}
				expires {link.exp}
			}`,
			"/page?t=jeff:4102444800:" + fixture.Sum256(fixture.HMACKey, "jeff|4102444800"),
			bareHMAC(sha256.New, fixture.HMACKey, "jeff|4102444800"),
		},
		{
			"path", `signed_link keyed_hash {env.KEY} {
				strip none
				path /page/<user>/<exp>/<signature>
				algorithm hmac-sha256
				message {link.user}|{link.exp}
				expires {link.exp}
			}`,
			"/page/jeff/4102444800/" + fixture.Sum256(fixture.HMACKey, "jeff|4102444800"),
			bareHMAC(sha256.New, fixture.HMACKey, "jeff|4102444800"),
		},
	}
}

// judging returns a function that takes the link from query to verdict.
func judging(t testing.TB, directive, target string) func() {
	t.Helper()
	s, err := gatewaytest.TryLoad(t, gatewaytest.SiteFile(directive+"\ntest_nothing"))
	if err != nil {
		t.Fatal(err)
	}
	d := s.Handlers()[0].Gate().Definition
	path, raw, _ := strings.Cut(target, "?")
	r := &link.Request{Method: http.MethodGet, Scheme: "https", Host: "example.org", Path: path}
	now, ctx := time.Unix(1790000000, 0), context.Background()
	v := new(definition.Verdict)
	f := func() {
		*v = definition.Verdict{}
		d.JudgeInto(ctx, v, r, nil, r.Query.Parse(raw), now)
		if !v.None() {
			panic(v.String())
		}
	}
	f()
	return f
}

func BenchmarkVerdict(b *testing.B) {
	for _, l := range hotLinks(b) {
		b.Run(l.name, func(b *testing.B) { ratio.Report(b, l.bare(), judging(b, l.directive, l.target)) })
	}
}

// noop stands in the place of signed_link in what it is compared with.
const noop = "test_noop\n"

// serving returns a function that sends a request with the headers of a browser into
// the server's own entry point.
func serving(t testing.TB, directives, target string) func() {
	t.Helper()
	s, err := gatewaytest.TryLoad(t, gatewaytest.SiteFile(directives+"\ntest_nothing"))
	if err != nil {
		t.Fatal(err)
	}
	sample := gatewaytest.Request(t, http.MethodGet, target, "",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"Accept-Language: en-US,en;q=0.5", "Accept-Encoding: gzip, deflate, br, zstd",
		"Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: cross-site",
		"Upgrade-Insecure-Requests: 1", "Cookie: session=0123456789abcdef0123456789abcdef")
	w := &nobody{header: make(http.Header)}
	header := make(http.Header, len(sample.Header)+8)
	var u url.URL
	r := new(http.Request)
	return func() {
		clear(header)
		maps.Copy(header, sample.Header)
		clear(w.header)
		u = *sample.URL
		*r = *sample
		r.Header, r.URL = header, &u
		s.Server.ServeHTTP(w, r)
	}
}

// BenchmarkVerdictFresh compares with an HMAC that begins with hmac.New, as most do.
func BenchmarkVerdictFresh(b *testing.B) {
	l := hotLinks(b)[1]
	key, message := []byte(fixture.HMACKey), []byte("jeff|4102444800")
	fresh := func() {
		m := hmac.New(sha256.New, key)
		m.Write(message)
		m.Sum(nil)
	}
	b.Run(l.name, func(b *testing.B) { ratio.Report(b, fresh, judging(b, l.directive, l.target)) })
}

// BenchmarkCarriers are a token and a path of three fields, against the same link of three
// parameters.
func BenchmarkCarriers(b *testing.B) {
	links := make(map[string]hotLink)
	for _, l := range hotLinks(b) {
		links[l.name] = l
	}
	plain := judging(b, links["hmac-sha256"].directive, links["hmac-sha256"].target)
	for _, name := range []string{"token", "path"} {
		b.Run(name, func(b *testing.B) { ratio.Report(b, plain, judging(b, links[name].directive, links[name].target)) })
	}
}

// BenchmarkKeyring is a link of the last of many keys, against the first.
func BenchmarkKeyring(b *testing.B) {
	b.Setenv("OTHER", "another secret of ActionKit, which verifies no link of this test")
	l := hotLinks(b)[0]
	one := judging(b, l.directive, l.target)
	for _, n := range []int{1, 2, 10} {
		var keys strings.Builder
		for i := range n - 1 {
			fmt.Fprintf(&keys, "secret {env.OTHER} old%d\n", i)
		}
		ring := judging(b, "signed_link akid {\n"+keys.String()+"secret {env.AKID_SECRET} new\n}", l.target)
		b.Run(strconv.Itoa(n), func(b *testing.B) { ratio.Report(b, one, ring) })
	}
}

func BenchmarkHandler(b *testing.B) {
	for _, l := range hotLinks(b) {
		b.Run(l.name, func(b *testing.B) {
			ratio.Beyond(b, serving(b, noop, l.target), serving(b, l.directive, l.target))
		})
	}
	b.Run("unmatched", func(b *testing.B) {
		b.Setenv("AKID_SECRET", secret64)
		ratio.Beyond(b, serving(b, "test_noop /app/*\n", "/open?a=1"), serving(b, "signed_link /app/* akid {env.AKID_SECRET}", "/open?a=1"))
	})
	b.Run("guard", func(b *testing.B) {
		ratio.Beyond(b, serving(b, noop, "/open?a=1"), serving(b, "signed_link guard", "/open?a=1"))
	})
	b.Run("behind-a-guard", func(b *testing.B) {
		l := hotLinks(b)[0]
		ratio.Beyond(b, serving(b, noop+noop, l.target), serving(b, "signed_link guard\n"+l.directive, l.target))
	})
}

func BenchmarkHandlerParallel(b *testing.B) {
	for _, l := range hotLinks(b) {
		b.Run(l.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				f := serving(b, l.directive, l.target)
				for pb.Next() {
					f()
				}
			})
		})
	}
}

// BenchmarkUsers compares a user's key out of many with the key of a set of one.
func BenchmarkUsers(b *testing.B) {
	const options = "algorithm hmac-sha256\nmessage {query.user}\nsignature {query.sig}\nuser {query.user}\n"
	b.Setenv("KEY", secret64)
	one := serving(b, "signed_link keyed_hash {env.KEY} {\n"+options+"}", "/?user=500000&sig="+fixture.Sum256(secret64, "500000"))
	for _, n := range []int{1, 1000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "users.csv")
			var text strings.Builder
			text.WriteString("user,secret\n")
			for i := range n {
				fmt.Fprintf(&text, "%d,%064d\n", i+500000-n/2, i)
			}
			if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
				b.Fatal(err)
			}
			secret := fmt.Sprintf("%064d", n/2)
			many := serving(b, "signed_link keyed_hash {\nuser_keys file "+file+"\n"+options+"}", "/?user=500000&sig="+fixture.Sum256(secret, "500000"))
			ratio.Report(b, one, many)
		})
	}
}
