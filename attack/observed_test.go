package attack_test

import (
	"net/http"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
)

// TestAttackObservedTarget: a definition on trial that only observes leads to the same page
// as one that refuses, as when a new form of links is tried out beside the old one. It must
// not open that page.
func TestAttackObservedTarget(t *testing.T) {
	definition := func(path, mode string) string {
		return "signed_link " + path + "* " + mode + ` keyed_hash {
			secret 0123456789abcdef0123456789abcdef
			path ` + path + `<file>/<signature> to /files/{link.file}
			algorithm hmac-sha256
			message {link.file}
			param {link.file} text max 40
			user {link.file}
		}
		`
	}
	for name, site := range map[string]string{
		"first":  definition("/new/", "observe") + definition("/dl/", "require"),
		"last":   definition("/dl/", "require") + definition("/new/", "observe"),
		"both":   definition("/a/", "observe") + definition("/dl/", "require") + definition("/new/", "observe"),
		"nested": "signed_link guard\nhandle /a/* {\n" + definition("/a/", "observe") + "test_backend\n}\nhandle /dl/* {\n" + definition("/dl/", "require") + "test_backend\n}\nhandle {\n",
	} {
		t.Run(name, func(t *testing.T) {
			site += "test_backend\n"
			if name == "nested" {
				site += "}\n"
			}
			s := gatewaytest.LoadSite(t, site)
			for _, path := range []string{"/files/a.pdf", "/files/a.pdf/", "/x/../files/a.pdf", "/FILES/a.pdf", "//files/a.pdf"} {
				if a := s.Get(path); a.Seen != nil || a.Code != http.StatusUnauthorized {
					t.Errorf("%s: got %d %s", path, a.Code, a.Body)
				}
			}
		})
	}
	s := gatewaytest.LoadSite(t, definition("/new/", "observe")+"test_backend\n")
	if a := s.Get("/files/a.pdf"); a.Seen == nil {
		t.Errorf("observed alone: got %d %s", a.Code, a.Body)
	}
}
