package exchange_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// TestAnswers: what the browser, and caches on the way, may do with the answer to a
// verified request, through Caddy's own proxy, file server and error routes.
func TestAnswers(t *testing.T) {
	fixture.SetSecrets(t)
	release := make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.URL.Query() {
			if header, ok := strings.CutPrefix(name, "set-"); ok {
				w.Header()[http.CanonicalHeaderKey(header)] = values
			}
		}
		switch r.URL.Path {
		case "/app/early":
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
		case "/app/stream":
			fmt.Fprint(w, "first,")
			_ = http.NewResponseController(w).Flush()
			<-release
		case "/app/304":
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, "done")
	}))
	t.Cleanup(backend.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.txt"), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := gatewaytest.Run(t, "", fixture.Autologin("/app/* recognize")+fixture.Autologin("/file/*")+fixture.Autologin("/off/*", "referrer_policy off")+
		fixture.Autologin("/strict/*", "referrer_policy no-referrer")+fixture.Autologin("/observe/* observe")+fixture.Autologin("/two/* recognize", "referrer_policy origin")+
		`signed_link /two/* akid {env.AKID_SECRET} {
			redir bad_signature /help
		}
		header /set/* Referrer-Policy unsafe-url
		`+fixture.Autologin("/set/*")+`
		handle_path /file/* {
			root * `+dir+`
			file_server
		}
		handle /app/down {
			reverse_proxy unix/`+filepath.Join(dir, "nobody")+`
		}
		handle {
			reverse_proxy `+strings.TrimPrefix(backend.URL, "http://")+`
		}
		handle_errors {
			respond "failed with {err.status_code}"
		}`)

	const public = "&set-Cache-Control=public,+max-age%3D60,s-maxage%3D600"
	for _, tc := range []struct {
		name, target   string
		status         int
		cache, referer string
		body           string
	}{
		{"nothing of its own", "/app/x?" + fixture.GoodLink, 200, "private", "same-origin", "done"},
		{"its own", "/app/x?" + fixture.GoodLink + "&set-Cache-Control=no-store&set-Referrer-Policy=origin", 200, "no-store", "origin", "done"},
		{"an empty policy of its own", "/app/x?" + fixture.GoodLink + "&set-Referrer-Policy=", 200, "private", "", "done"},
		{"for everybody", "/app/x?" + fixture.GoodLink + public, 200, "private, max-age=60", "same-origin", "done"},
		{"not modified", "/app/304?" + fixture.GoodLink + public, 304, "private, max-age=60", "same-origin", ""},
		{"early hints", "/app/early?" + fixture.GoodLink, 200, "private", "same-origin", "done"},
		{"a backend that is down", "/app/down?" + fixture.GoodLink, 502, "private", "same-origin", "failed with 502"},
		{"a file", "/file/page.txt?" + fixture.GoodLink, 200, "private", "same-origin", "a file"},
		{"no file", "/file/none?" + fixture.GoodLink, 404, "private", "same-origin", "failed with 404"},
		{"policy off", "/off/x?" + fixture.GoodLink + public, 200, "private, max-age=60", "", "done"},
		{"another policy", "/strict/x?" + fixture.GoodLink, 200, "private", "no-referrer", "done"},
		{"a policy of the operator's", "/set/x?" + fixture.GoodLink, 200, "private", "unsafe-url", "done"},
		{"two definitions", "/two/x?" + fixture.GoodLink + "&akid=.jeff.x", 400, "no-store", "", "failed with 400"},
		{"refused by the second", "/two/x?" + fixture.GoodLink + "&akid=" + fixture.BadAKID, 302, "no-store", "", ""},
		{"nobody", "/app/x?a=b" + public, 200, "public, max-age=60,s-maxage=600", "", "done"},
		{"a bad link", "/app/x?" + fixture.BadLink + public, 200, "public, max-age=60,s-maxage=600", "", "done"},
		{"another route", "/open?a=b" + public, 200, "public, max-age=60,s-maxage=600", "", "done"},
		{"observe", "/observe/x?" + fixture.GoodLink + public, 200, "public, max-age=60,s-maxage=600", "", "done"},
		{"refused", "/file/page.txt?" + fixture.BadLink, 401, "no-store", "", "failed with 401"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			early := 0
			trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
				early++
				if code != 103 || header.Get("Link") == "" || header.Get("Cache-Control")+header.Get("Referrer-Policy") != "" {
					t.Errorf("%d %v", code, header)
				}
				return nil
			}}
			r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, "http://example.org"+tc.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			a, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Body.Close()
			body, err := io.ReadAll(a.Body)
			if err != nil {
				t.Fatal(err)
			}
			cache, referer := a.Header["Cache-Control"], a.Header["Referrer-Policy"]
			if a.StatusCode != tc.status || strings.Join(cache, "|") != tc.cache || strings.Join(referer, "|") != tc.referer || string(body) != tc.body {
				t.Errorf("%d %q, Cache-Control %q, Referrer-Policy %q", a.StatusCode, body, cache, referer)
			}
			if (early == 1) != (tc.name == "early hints") {
				t.Errorf("%d informational answers", early)
			}
		})
	}

	t.Run("streaming", func(t *testing.T) {
		a, err := client.Get("http://example.org/app/stream?" + fixture.GoodLink)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		first := make([]byte, len("first,"))
		if _, err := io.ReadFull(a.Body, first); err != nil || a.Header.Get("Cache-Control") != "private" {
			t.Errorf("%q %v %v", first, a.Header, err)
		}
		close(release) // only now, so that nothing may wait for the end
		if rest, err := io.ReadAll(a.Body); err != nil || string(rest) != "done" {
			t.Errorf("%q %v", rest, err)
		}
	})
}
