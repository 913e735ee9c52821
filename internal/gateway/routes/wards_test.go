package routes_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
)

// TestWardsOfOneSite: wherever in a site a definition stands, each gate of it refuses its
// internal paths.
func TestWardsOfOneSite(t *testing.T) {
	for name, directives := range map[string]string{
		"at the top": `
			test_gate guard g
			test_gate /dl/* moves d
			reverse_proxy app:80`,
		"handle": `
			test_gate guard g
			handle /dl/* {
				test_gate moves d
				reverse_proxy app:80
			}`,
		"route": `
			test_gate guard g
			route {
				test_gate /dl/* moves d
				reverse_proxy app:80
			}`,
		"a handle in a handle": `
			test_gate guard g
			handle /a/* {
				handle /a/b/* {
					test_gate moves d
					reverse_proxy app:80
				}
			}`,
		"handle_path": `
			test_gate guard g
			handle_path /a/* {
				test_gate moves d
				reverse_proxy app:80
			}`,
		"another handle, to another backend": `
			test_gate guard g
			handle /dl/* {
				test_gate moves d
				reverse_proxy app:80
			}
			handle {
				reverse_proxy app:81
			}`,
		"handle_errors": `
			test_gate guard g
			reverse_proxy app:80
			handle_errors {
				test_gate moves d
			}`,
		"handle_response": `
			test_gate guard g
			reverse_proxy app:80 {
				@x status 404
				handle_response @x {
					test_gate moves d
				}
			}`,
		"files": `
			test_gate guard g
			test_gate /dl/* moves d
			file_server`,
		"a named route": `
			test_gate guard g
			invoke links`,
	} {
		t.Run(name, func(t *testing.T) {
			w := walkOver(t, `
				&(links) {
					route {
						test_gate /dl/* moves d
						reverse_proxy app:80
					}
				}
				http://example.org {
					`+directives+`
				}`)
			for _, g := range []string{"g", "d"} {
				if got := w.wards(t, g, "example.org"); got != "d" {
					t.Errorf("%s has to refuse what %q leads to", g, got)
				}
			}
		})
	}
}

// TestWardsAcrossSites: a gate before the same backend refuses the internal paths of other
// sites, and no other gate does.
func TestWardsAcrossSites(t *testing.T) {
	for name, tc := range map[string]struct {
		file string
		want map[string]string // gate and host: wards
	}{
		"two hosts, two backends": {`
			http://a.example {
				test_gate /dl/* moves a
				reverse_proxy app:80
			}
			http://b.example {
				test_gate /dl/* moves b
				reverse_proxy app:81
			}`, map[string]string{"a a.example": "a", "b b.example": "b"}},
		"two hosts, one backend": {`
			http://a.example {
				test_gate /dl/* moves a
				reverse_proxy localhost:80
			}
			http://b.example {
				test_gate /dl/* moves b
				reverse_proxy 127.0.0.1:80
			}`, map[string]string{"a a.example": "a b", "b b.example": "a b"}},
		"one of a pool": {`
			http://a.example {
				test_gate /dl/* moves a
				reverse_proxy 10.0.0.1:80 10.0.0.2:80
			}
			http://b.example {
				test_gate guard b
				reverse_proxy 10.0.0.2:80 10.0.0.3:80
			}`, map[string]string{"b b.example": "a"}},
		"names that may be one": {`
			http://a.example {
				test_gate /dl/* moves a
				reverse_proxy app:80
			}
			http://b.example {
				test_gate guard b
				reverse_proxy web:80
			}`, map[string]string{"b b.example": ""}},
		"a backend of the request": {`
			http://a.example {
				test_gate /dl/* moves a
				reverse_proxy app:80
			}
			http://b.example {
				test_gate guard b
				reverse_proxy {env.BACK}
			}`, map[string]string{"b b.example": ""}},
		"two servers, one backend": {`
			http://a.example:8080 {
				test_gate /dl/* moves a
				reverse_proxy app:80
			}
			http://b.example:8081 {
				test_gate guard b
				reverse_proxy app:80
			}`, map[string]string{"b b.example": "a", "a a.example": "a"}},
		"a pool of FastCGI, one root": {`
			http://a.example {
				root /srv/a
				test_gate /dl/* moves a
				php_fastcgi unix//run/fpm.sock
			}
			http://b.example {
				root /srv/a
				test_gate guard b
				php_fastcgi unix//run/fpm.sock
			}`, map[string]string{"b b.example": "a"}},
		"a pool of FastCGI, a root above": {`
			http://a.example {
				root /srv/a/public
				test_gate /dl/* moves a
				php_fastcgi unix//run/fpm.sock
			}
			http://b.example {
				root /srv/a
				test_gate guard b
				php_fastcgi unix//run/fpm.sock
			}`, map[string]string{"b b.example": "a"}},
		"a pool of FastCGI, another root": {`
			http://a.example {
				root /srv/a
				test_gate /dl/* moves a
				php_fastcgi unix//run/fpm.sock
			}
			http://b.example {
				root /srv/b
				test_gate guard b
				php_fastcgi unix//run/fpm.sock
			}`, map[string]string{"b b.example": ""}},
		"files of one root": {`
			http://a.example {
				root /srv/a
				test_gate /dl/* moves a
				file_server
			}
			http://b.example {
				root /srv/a
				test_gate guard b
				file_server
			}
			http://c.example {
				root /srv/c
				test_gate guard c
				file_server
			}`, map[string]string{"b b.example": "a", "c c.example": ""}},
		"a backend past the definition": {`
			http://a.example {
				test_gate guard g
				handle /dl/* {
					test_gate moves a
					reverse_proxy app:80
				}
				handle {
					reverse_proxy app:81
				}
			}
			http://b.example {
				test_gate guard b
				reverse_proxy app:81
			}`, map[string]string{"g a.example": "a", "b b.example": ""}},
		"what moves nothing, and who says that he is open": {`
			http://a.example {
				test_gate /dl/* stays a
				reverse_proxy app:80
			}
			http://b.example {
				test_gate /dl/* moves b
				reverse_proxy app:80
			}
			http://c.example {
				test_gate unguarded c
				reverse_proxy app:80
			}`, map[string]string{"a a.example": "b", "b b.example": "b", "c c.example": ""}},
		"one named guard of two sites": {`
			&(guarded) {
				route {
					test_gate guard g
				}
			}
			http://a.example {
				invoke guarded
				test_gate /dl/* moves a
				reverse_proxy app:80
			}
			http://b.example {
				invoke guarded
				test_gate /dl/* moves b
				reverse_proxy app:81
			}`, map[string]string{"g a.example": "a", "g b.example": "b"}},
		"one named definition of two sites": {`
			&(links) {
				route {
					test_gate /dl/* moves d
				}
			}
			http://a.example {
				invoke links
				reverse_proxy app:80
			}
			http://b.example {
				invoke links
				reverse_proxy app:81
			}
			http://c.example {
				test_gate guard c
				reverse_proxy app:81
			}`, map[string]string{"d a.example": "d", "d b.example": "d", "c c.example": "d"}},
		"the site of all other hosts": {`
			&(guarded) {
				route {
					test_gate guard g
				}
			}
			http://a.example {
				invoke guarded
				test_gate /dl/* moves a
				reverse_proxy app:80
			}
			:80 {
				invoke guarded
				test_gate /dl/* moves b
				reverse_proxy app:81
			}`, map[string]string{"g a.example": "a", "g c.example": "b"}},
		"a guard of the error routes": {`
			http://a.example {
				test_gate /dl/* moves a
				reverse_proxy app:80
				handle_errors {
					test_gate guard e
					reverse_proxy app:82
				}
			}
			http://b.example {
				test_gate /dl/* moves b
				reverse_proxy app:81
			}`, map[string]string{"e a.example": "a", "e b.example": "b", "a a.example": "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := walkOver(t, tc.file)
			for at, want := range tc.want {
				var gate, host string
				for i, c := range at {
					if c == ' ' {
						gate, host = at[:i], at[i+1:]
					}
				}
				if got := w.wards(t, gate, host); got != want {
					t.Errorf("%s for %s has to refuse what %q leads to, want %q", gate, host, got, want)
				}
			}
		})
	}
}

// TestAttackWardsRewritten: what a rewrite behind a gate makes of a path is an internal path
// for the backend, although nobody asked for one.
func TestAttackWardsRewritten(t *testing.T) {
	for name, tc := range map[string]struct {
		gate       string
		directives string
		target     string
		want       []string
	}{
		"a prefix": {"g", `
			test_gate guard g
			test_gate /dl/* moves d
			handle_path /v1/* {
				reverse_proxy app:80
			}
			reverse_proxy app:80`, "/v1/files/x", []string{"/files/x"}},
		"a literal path": {"g", `
			test_gate guard g
			test_gate /dl/* moves d
			rewrite /old /files/x
			reverse_proxy app:80`, "/old", []string{"/files/x"}},
		"a path before it": {"d", `
			test_gate /dl/* moves d
			rewrite /pub/* /files{path}
			reverse_proxy app:80`, "/pub/x", []string{"/files/pub/x"}},
		"a rewrite of the proxy's": {"g", `
			test_gate guard g
			test_gate /dl/* moves d
			reverse_proxy /pub/* app:80 {
				rewrite /files{path}
			}
			reverse_proxy app:80`, "/pub/x", []string{"/files/pub/x"}},
		"files": {"g", `
			test_gate guard g
			test_gate /dl/* moves d
			handle_path /v1/* {
				file_server
			}
			file_server`, "/v1/files/x", []string{"/files/x"}},
		"files of another directory": {"g", `
			root /srv/www
			test_gate guard g
			test_gate /dl/* moves d
			handle_path /v1/* {
				file_server {
					root /srv/assets
				}
			}
			handle {
				file_server
			}`, "/v1/files/x", nil},
		"another backend": {"g", `
			test_gate guard g
			test_gate /dl/* moves d
			handle_path /v1/* {
				reverse_proxy app:81
			}
			handle {
				reverse_proxy app:80
			}`, "/v1/files/x", nil},
		"another backend, of which a rewrite before nobody knows": {"g", `
			test_gate guard g
			test_gate /dl/* moves d
			rewrite /a /b
			handle_path /v1/* {
				reverse_proxy app:81
			}
			handle {
				reverse_proxy app:80
			}`, "/v1/files/x", []string{"/files/x"}},
		"the same backend, of a handle in a handle": {"g", `
			test_gate guard g
			test_gate /dl/* moves d
			handle /v1/* {
				handle_path /v1/a/* {
					reverse_proxy app:80
				}
			}
			handle {
				reverse_proxy app:80
			}`, "/v1/a/files/x", []string{"/files/x"}},
		"another site": {"b", `
			test_gate /dl/* moves d
			reverse_proxy app:80
			}
			http://b.example {
				test_gate guard b
				handle_path /v1/* {
					reverse_proxy app:80
				}
				reverse_proxy app:80`, "/v1/files/x", []string{"/files/x"}},
		"another backend by something else than the path": {"g", `
			test_gate guard g
			test_gate /dl/* moves d
			@mobile header X-Mobile 1
			handle_path /v1/* {
				reverse_proxy app:80
			}
			handle @mobile {
				reverse_proxy app:81
			}
			@desktop {
				path /files/*
				header X-Desktop 1
			}
			handle @desktop {
				reverse_proxy app:80
			}`, "/v1/files/x", []string{"/files/x"}},
		"what is moved and stripped": {"g", `
			test_gate guard g
			test_gate /dl/* moves d
			handle_path /files/* {
				handle /x {
					reverse_proxy app:80
				}
			}
			handle_path /v1/* {
				reverse_proxy app:80
			}`, "/v1/files/x", []string{"/files/x"}},
		"another backend of another handle": {"g", `
			test_gate guard g
			handle /dl/* {
				test_gate moves d
				reverse_proxy app:80
			}
			handle_path /v1/* {
				reverse_proxy app:81
			}`, "/v1/files/x", nil},
		"a rewrite that has run": {"d", `
			route {
				test_gate guard g
				uri strip_prefix /v1
				test_gate /dl/* moves d
				reverse_proxy app:80
			}`, "/v1/files/x", nil},
		"the error routes": {"e", `
			test_gate /dl/* moves d
			reverse_proxy app:80
			handle_errors {
				test_gate guard e
				rewrite * /files{path}
				reverse_proxy app:80
			}`, "/x", []string{"/files/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := walkOver(t, "http://example.org {\n"+tc.directives+"\n}")
			var got []string
			wards := w.Wards(w.gates[tc.gate])
			r := asked("example.org", tc.target)
			at := slices.IndexFunc(wards, func(w routes.Ward) bool { here, err := w.Here(r); return here && err == nil })
			if at < 0 {
				t.Fatalf("of %d wards none is here", len(wards))
			}
			copied := func(u *url.URL) (*http.Request, error) { return asked("example.org", u.RequestURI()), nil }
			urls, ok := wards[at].Ahead().Rewritten(r, copied)
			if !ok {
				t.Fatal("nobody can say")
			}
			for _, u := range urls {
				made, _ := copied(u)
				if leads, err := wards[at].Leads(made); leads || err != nil {
					got = append(got, u.EscapedPath())
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%s may come as %q, want %q", tc.target, got, tc.want)
			}
		})
	}
}
