package cli

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/signedlink/caddy-signed-link/internal/cli/rehearsal"
)

const fuzzSecret = "b7Qf2kV9xWc4LmN8pRt6YzA3sDgH5jKe"

// carried is a site whose links have their signature in the path, in a segment, in a token
// and in a parameter.
const carried = `http://example.org {
	signed_link /unsubscribe/* keyed_hash {env.FUZZ_SECRET} {
		name mail
		path /unsubscribe/<email>/<signature> to /unsubscribe/{link.email}
		algorithm hmac-sha256
		message {link.email}
		param {link.email} email max 64
	}
	signed_link /dl/* keyed_hash {env.FUZZ_SECRET} {
		name file
		path /dl/<signature>/<time>/<file...> to /files/{link.file}
		algorithm hmac-sha256
		message {link.time}/{raw_link.file}
		expires {link.time} hex
		user none
	}
	signed_link /api/* keyed_hash {env.FUZZ_SECRET} {
		name segment
		algorithm hmac-sha256
		message {path.1}
		signature {path.2}
		param {path.1} alnum
		user {path.1}
	}
	signed_link /t* keyed_hash {env.FUZZ_SECRET} {
		name token
		token {query.t} v1:<code>:<day>:<signature>
		algorithm hmac-sha256
		message {link.code}:{link.day}
		expires {link.day} YYYY-MM-DD in Europe/Berlin never inf
		user {link.code}
		param {link.code} alnum
	}
	signed_link /q keyed_hash {env.FUZZ_SECRET} {
		name query
		algorithm hmac-sha256
		message {query.user}
		signature {query.sig}
	}
	reverse_proxy 127.0.0.1:1
}
`

// startCarried loads that site.
func startCarried(t testing.TB) (*rehearsal.Run, *probe) {
	t.Helper()
	t.Setenv("FUZZ_SECRET", fuzzSecret)
	p := new(probe)
	p.config, p.at, p.clientIP, p.method = filepath.Join(t.TempDir(), "Caddyfile"), "1790000000", "192.0.2.1", "GET"
	if err := os.WriteFile(p.config, []byte(carried), 0o600); err != nil {
		t.Fatal(err)
	}
	run, err := p.start(new(cobra.Command), nil)
	if err != nil {
		t.Fatal(err)
	}
	return run, p
}

func sum(text string) string {
	mac := hmac.New(sha256.New, []byte(fuzzSecret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// FuzzExplain: whatever is pasted, explain and verify do not panic, and show no signature:
// neither the right one nor one that came.
func FuzzExplain(f *testing.F) {
	run, p := startCarried(f)
	mail, file, segment, token, user := sum("a@b.org"), sum("6ab3cdd0/a/b%20c.pdf"), sum("jeff"), sum("jeff:2026-11-21"), sum("mike")
	rights := []string{mail, file, segment, token, user}
	for _, target := range []string{
		"/unsubscribe/a@b.org/" + mail, "/unsubscribe/a@b.org/" + mail[:50], "/unsubscribe/" + mail + "/a@b.org", "/unsubscribe/" + mail + "/" + mail, "/unsubscribe/a@b.org",
		"/unsubscribe//a@b.org/" + mail + "/", "/index.php/Unsubscribe/a@b.org/" + strings.ToUpper(mail), "/unsubscribe/a&#64;b.org/" + mail, "/other/a@b.org/" + mail,
		"/unsubscribe/a@b.org/" + mail[:30] + " " + mail[30:], "/unsubscribe/a@b.org/%" + hex.EncodeToString([]byte(mail[:1])) + mail[1:],
		"/dl/" + file + "/6ab3cdd0/a/b%20c.pdf", "/dl/6ab3cdd0/" + file + "/a/b%20c.pdf", "/dl/x/y/" + file, "/files/a/b%20c.pdf", "/files/" + file, "/dl/" + file + "/zz/..%2f..;x",
		"/api/jeff/" + segment, "/api/jeff/" + segment + "/x", "/api/jeff", "/api/" + segment + "/jeff", "/api/" + segment,
		"/t?t=v1:jeff:2026-11-21:" + token, "/t?t=v1:" + token + ":2026-11-21:jeff", "/t?t=v1:jeff:" + token, "/t?t=v1:jeff:inf:" + token + "&" + token, "/t?t=" + token, "/t",
		"/q?user=mike&sig=" + user, "/q?user=mike&amp;sig=" + user + "&" + user + "=1", "/q/" + user, "/" + user + "?t=1&sig=2",
	} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if len(target) > 300 {
			return
		}
		for _, url := range []string{"http://example.org" + target, target} {
			var out bytes.Buffer
			e := explain(run, p.screen, url)
			e.print(&out)
			if err := printJSON(&out, e); err != nil {
				t.Fatal(err)
			}
			// verify shows a query, of which it hides the parameters of signatures
			_, query, _ := strings.Cut(strings.ToLower(target), "?")
			if !slices.ContainsFunc(rights, func(right string) bool { return strings.Contains(query, right) }) {
				p.print(&out, run.Try(url).Report())
			}
			for _, right := range rights {
				if text := strings.ToLower(out.String()); strings.Contains(text, right) && !joke(target, right) {
					t.Errorf("%q: a signature is shown:\n%s", target, text)
				}
			}
			if strings.Contains(out.String(), fuzzSecret) {
				t.Errorf("%q: the secret is shown:\n%s", target, out.String())
			}
		}
	})
}

// joke reports whether a signature stands where no link has one, and no damage leads to: as the
// user of a link whose signature is another parameter, or as the host.
func joke(target, right string) bool {
	path, query, _ := strings.Cut(strings.ToLower(target), "?")
	return path == "/q" && !strings.Contains(query, "sig="+right) || !strings.HasPrefix(target, "/")
}
