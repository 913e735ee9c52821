package attack_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
)

// TestAttackFormOfLink: a path has the form of a link, and to the backend it is the page that
// only links lead to, because both begin alike: of /f/x/a.pdf the file is x/a.pdf. Where the
// definition judges it, it is a link that does not verify. It must not pass for one where
// nobody judges it: in another site before the same backend, and made by a rewrite.
func TestAttackFormOfLink(t *testing.T) {
	const definition = `@m path /f /f/*
	signed_link @m keyed_hash {
		secret 0123456789abcdef0123456789abcdef
		path /f/<signature>/<file...> to /f/{link.file}
		algorithm hmac-sha256
		message {link.file}
		param {link.file} text max 40
		user {link.file}
		missing pass
	}
	`
	for name, tc := range map[string]struct{ second, behind, path string }{ // the second site, if there is one, is asked
		"at its place":      {"", "", "/f/x/a.pdf"},
		"another site":      {"b.test {\nsigned_link guard\nreverse_proxy 127.0.0.1:1\n}", "", "/f/x/a.pdf"},
		"strip_prefix":      {"", "uri /v1/* strip_prefix /v1", "/v1/f/x/a.pdf"},
		"handle_path":       {"", "handle_path /v1/* {\nreverse_proxy 127.0.0.1:1\n}", "/v1/f/x/a.pdf"},
		"both":              {"b.test {\nsigned_link guard\nuri /v1/* strip_prefix /v1\nreverse_proxy 127.0.0.1:1\n}", "", "/v1/f/x/a.pdf"},
		"another, nested":   {"b.test {\nsigned_link guard\nhandle /f/* {\nreverse_proxy 127.0.0.1:1\n}\n}", "", "/f/x/a.pdf"},
		"another, readings": {"b.test {\nsigned_link guard\nreverse_proxy 127.0.0.1:1\n}", "", "/x/../f/x/a.pdf"},
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewaytest.Load(t, "{\nauto_https off\n}\nhttp://a.test {\n"+definition+tc.behind+"\nreverse_proxy 127.0.0.1:1\n}\n"+"http://"+orNobody(tc.second)+"\n")
			r := gatewaytest.Request(t, http.MethodGet, tc.path, "")
			if r.Host = "a.test"; tc.second != "" {
				r.Host = "b.test"
			}
			if a := s.Do(r); a.Code != http.StatusUnauthorized && a.Code != http.StatusBadRequest {
				t.Errorf("%s: got %d %s", tc.path, a.Code, a.Body)
			}
		})
	}
}

// TestAttackFormOfOtherLink: the links of one definition stand where those of another one lead
// to. They are judged, by the one whose links they are, unless it only observes.
func TestAttackFormOfOtherLink(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("42"))
	signature := hex.EncodeToString(m.Sum(nil))
	definition := func(path, mode string) string {
		return "signed_link " + path + "* " + mode + " keyed_hash {\nsecret " + secret + "\npath " + path + "<id>/<signature> to /u/{link.id}\nalgorithm hmac-sha256\nmessage {link.id}\nparam {link.id} digits\nuser {link.id}\n}\n"
	}
	site := func(name, body string) string { return "http://" + name + " {\n" + body + "test_backend\n}\n" }
	for name, tc := range map[string]struct {
		file string
		good bool
	}{
		"another definition":       {site("a.test", definition("/old/", "require")+definition("/u/", "require")), true},
		"the same in another site": {site("a.test", definition("/u/", "require")) + site("b.test", definition("/u/", "require")), true},
		"one that observes":        {site("a.test", definition("/old/", "require")+definition("/u/", "observe")), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewaytest.Load(t, "{\nauto_https off\n}\n"+tc.file)
			get := func(path string) *gatewaytest.Answer {
				r := gatewaytest.Request(t, http.MethodGet, path, "")
				r.Host = "a.test"
				return s.Do(r)
			}
			if a := get("/u/42/" + signature); (a.Seen != nil && a.Seen.URI == "/u/42" && a.Header1(t, "X-Verified-User") == "42") != tc.good {
				t.Errorf("a good link: got %d %s", a.Code, a.Body)
			}
			for _, path := range []string{"/u/43/" + signature, "/u/43/x", "/u/43", "/u/43/", "/x/../u/43/x"} {
				if a := get(path); a.Seen != nil {
					t.Errorf("%s: got %d %s", path, a.Code, a.Body)
				}
			}
		})
	}
}

// TestAttackSlashBehindSegment: of a link whose last segment is the signature the page is the
// path without it, and to many backends also with a slash at its end.
func TestAttackSlashBehindSegment(t *testing.T) {
	s := gatewaytest.Load(t, `{
		auto_https off
	}
	http://a.test {
		@m path /v /v/*
		signed_link @m keyed_hash {
			secret 0123456789abcdef0123456789abcdef
			signature {path.2}
			algorithm hmac-sha256
			message {path.1}
			user {path.1}
			missing pass
		}
		handle_path /v1/* {
			reverse_proxy 127.0.0.1:1
		}
		reverse_proxy 127.0.0.1:1
	}
	http://b.test {
		signed_link guard
		reverse_proxy 127.0.0.1:1
	}`)
	for target, refused := range map[string]bool{
		"a.test/v/42": true, "a.test/v/42/": true, "a.test/v1/v/42": true, "a.test/v1/v/42/": true,
		"b.test/v/42": true, "b.test/v/42/": true, "b.test/v//42/": true, "b.test/v": false, "b.test/v/42/x/y": false, "b.test/x/42/": false,
	} {
		host, path, _ := strings.Cut(target, "/")
		r := gatewaytest.Request(t, http.MethodGet, "/"+path, "")
		r.Host = host
		if a := s.Do(r); (a.Code != http.StatusBadGateway) != refused {
			t.Errorf("%s: got %d %s", target, a.Code, a.Body)
		}
	}
}

// orNobody is a site, or one that nobody asks.
func orNobody(site string) string {
	if site == "" {
		return "nobody.test {\nrespond ok\n}"
	}
	return site
}
