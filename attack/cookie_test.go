package attack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// TestAttackCookieShadow: $_REQUEST prefers a cookie where request_order holds C. The
// cookie is cut, nobody is refused for one, and the other cookies stay as they are.
func TestAttackCookieShadow(t *testing.T) {
	for _, mode := range []string{"require", "recognize"} {
		s := refusedAs(t, mode)
		a := s.Get("/x?"+fixture.GoodLink, "Cookie: a=1; user=admin;  b=%zz; user[]=x; us.er=1; user[%00]=x", "Cookie: key=x;user[x%00]=y; us%65r=z")
		if a.Seen == nil {
			t.Fatalf("refused: %s", a.Body)
		}
		if got := a.Seen.Headers["Cookie"]; len(got) != 1 || got[0] != "a=1;  b=%zz; us.er=1" {
			t.Errorf("%s: the backend gets the cookies %q", mode, got)
		}
	}
	a := refusedAs(t, "observe").Get("/x?"+fixture.GoodLink, "Cookie: user=admin")
	if got := a.Seen.Headers["Cookie"]; len(got) != 1 || got[0] != "user=admin" {
		t.Errorf("observe changes cookies: %q", got)
	}
}

// TestAttackCookieShadowOfWholeQuery: where the message covers every parameter, a cookie
// shadows each of them, and not only those that the definition names.
func TestAttackCookieShadowOfWholeQuery(t *testing.T) {
	t.Setenv("KEY", fixture.HMACKey)
	for message, signed := range map[string]string{"{sorted_query}": "a=1&b=2&list[]=3&page=7&user=jeff", "{query}": "user=jeff&page=7&list[]=3&a=1;b=2"} {
		last := map[string]string{"{sorted_query}": "a=1&b=2", "{query}": "a=1;b=2"}[message]
		for _, backend := range []string{"php", "servlet", "strict"} {
			s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.KEY} {
				algorithm hmac-sha256
				message `+message+`
				signature {query.sig}
				user {query.user}
				ignore utm_*
				backend `+backend+`
			}
			test_backend`)
			const cookies = "x=1; page=9; pag%65=8; list=4; list[]=5; b=3;sig=0; user=admin; utm_source=mail; Page=1"
			a := s.Get("/x?utm_source=news&user=jeff&page=7&list[]=3&"+last+"&sig="+fixture.Sum256(fixture.HMACKey, signed), "Cookie: "+cookies, "Cookie: page=2")
			if a.Seen == nil {
				t.Fatalf("%s, %s: %d %s", message, backend, a.Code, a.Body)
			}
			want := []string{"x=1; utm_source=mail; Page=1"}
			if backend == "servlet" {
				want = []string{cookies, "page=2"}
			}
			if got := a.Seen.Headers["Cookie"]; !slices.Equal(got, want) {
				t.Errorf("%s, %s: the backend gets the cookies %q, want %q", message, backend, got, want)
			}
		}
	}
}

// TestAttackTruncatedCookie: Caddy cuts HTTP_COOKIE off at 65,481 bytes, and `userX=1` may
// end as `user`. Cookies that do not fit go whole; nobody is refused for them.
func TestAttackTruncatedCookie(t *testing.T) {
	const most = 65_481
	for _, tc := range []struct {
		name  string
		lines []string
		want  []string
	}{
		{"all fits", []string{"a=" + strings.Repeat("x", most-2)}, []string{"a=" + strings.Repeat("x", most-2)}},
		{"cut within a name", []string{"a=" + strings.Repeat("x", most-2-6) + "; userX=1"}, []string{"a=" + strings.Repeat("x", most-2-6)}},
		{"cut behind a name", []string{"a=" + strings.Repeat("x", most-2-5) + ";user=1;b=2"}, []string{"a=" + strings.Repeat("x", most-2-5) + ";b=2"}},
		{"the next one does not fit", []string{"a=" + strings.Repeat("x", most-2-5) + ";b=234"}, []string{"a=" + strings.Repeat("x", most-2-5)}},
		{"one line too many", []string{"a=" + strings.Repeat("x", most-2-5), "userX=1"}, []string{"a=" + strings.Repeat("x", most-2-5)}},
		{"a comma too many", []string{"a=" + strings.Repeat("x", most-2-1), "b=1"}, []string{"a=" + strings.Repeat("x", most-2-1)}},
		{"one of a second line", []string{"a=1", "b=" + strings.Repeat("x", most-7-3) + "; userX=1"}, []string{"a=1", "b=" + strings.Repeat("x", most-7-3)}},
		{"none fits", []string{"userX" + strings.Repeat("x", most)}, nil},
	} {
		for _, mode := range []string{"require", "recognize"} {
			s := refusedAs(t, mode)
			r := gatewaytest.Request(t, "GET", "/x?"+fixture.GoodLink, "")
			r.Header["Cookie"] = slices.Clone(tc.lines)
			a := s.Do(r)
			if a.Seen == nil {
				t.Errorf("%s, %s: refused: %s", mode, tc.name, a.Body)
				continue
			}
			if got := a.Seen.Headers["Cookie"]; !slices.Equal(got, tc.want) {
				t.Errorf("%s, %s: %d lines, %d bytes arrive", mode, tc.name, len(got), len(strings.Join(got, ", ")))
			}
		}
	}
	// nobody's, and where no PHP can stand behind
	long := "a=" + strings.Repeat("x", most-2-6) + "; userX=1"
	if a := refusedAs(t, "recognize").Get("/x?"+fixture.BadLink, "Cookie: "+long); a.Seen == nil || a.Seen.Headers.Get("Cookie") != long[:most-6] {
		t.Error("a cookie of nobody's request is not bounded")
	}
	if a := refusedAs(t, "", "backend servlet").Get("/x?"+fixture.GoodLink, "Cookie: "+long); a.Seen == nil || a.Seen.Headers.Get("Cookie") != long {
		t.Error("cookies before a servlet container changed")
	}
}
