package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

const canary = "c4n4ryQ7Vd2kB9xWc4LmN8pRt6YzA3sD"

// TestAttackSecretInOutput: whatever is asked of the command line, and whatever goes
// wrong, no secret is printed: what it says goes into tickets and terminals' scrollback
// (CVE-2022-29218's kin, secrets in diagnostics). Nor is a signature, but by sign, and by
// verify --json, which gives back what it was given.
func TestAttackSecretInOutput(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret := write("link.secret", canary+"\n")
	users := write("users.csv", "user,secret\njeff,"+canary+"\n")
	set := write("keys.json", `{"keys": [{"id": "a", "secret": "`+canary+`"}]}`)
	t.Setenv("CANARY", canary)
	const hash = "{\nalgorithm hmac-sha256\nmessage {query.user}\nsignature {query.sig}\nparam user alnum\n"
	good := map[string]string{
		"env":     "signed_link keyed_hash {env.CANARY} " + hash + "}",
		"file":    "signed_link keyed_hash {file." + secret + "} " + hash + "}",
		"literal": "signed_link keyed_hash " + canary + " " + hash + "}",
		"set":     "signed_link keyed_hash " + hash + "keys file " + set + "\n}",
		"users":   "signed_link keyed_hash " + hash + "user_keys file " + users + "\n}",
	}
	bad := map[string]string{
		"hex":       "signed_link keyed_hash {\nsecret {env.CANARY} {\nencoding hex\n}\nalgorithm md5\nmessage {query.user}{secret}\nsignature {query.sig}\n}",
		"in order":  "signed_link " + canary + " keyed_hash " + hash + "}",
		"algorithm": "signed_link keyed_hash " + canary + " {\nalgorithm md4\n}",
		"message":   "signed_link keyed_hash {env.CANARY} {\nalgorithm md5\nmessage {query.user}{" + canary + "}\nsignature {query.sig}\n}",
		"env":       "signed_link keyed_hash {env." + canary[:8] + "} " + hash + "}",
	}
	check := func(t *testing.T, r fixture.Ran, signature string) {
		t.Helper()
		for _, text := range []string{r.Out, r.Errors} {
			if strings.Contains(text, canary) || strings.Contains(strings.ToLower(text), strings.ToLower(canary)) {
				t.Errorf("the output holds the secret:\n%s", text)
			}
			if signature != "" && strings.Contains(text, signature) {
				t.Errorf("the output holds a signature:\n%s", text)
			}
		}
	}
	for name, definition := range good {
		t.Run(name, func(t *testing.T) {
			config := []string{"--config", fixture.WriteCaddyfile(t, definition)}
			minted := fixture.RunCommand(t, "sign", "", append(config, "--user", "jeff", "https://example.org/in")...)
			if minted.Failed {
				t.Fatal(minted.Errors)
			}
			check(t, minted, "")
			link := strings.TrimSpace(minted.Out)
			_, signature, _ := strings.Cut(link, "sig=")
			for _, url := range []string{
				link, link + "0", link[:len(link)-20], link[len("https://"):], link + "&sig=" + signature, link + " " + signature,
				strings.Replace(link, "jeff", "mike", 1), strings.Replace(link, "&", "&amp;", 1), strings.ReplaceAll(link, "=", "%3D"),
				strings.Replace(link, "?", "%3F", 1), strings.Replace(link, "?", "%3f", 1), strings.Replace(link, "?", "&", 1),
				"https://example.org/" + signature[:6],
			} {
				check(t, fixture.RunCommand(t, "explain", "", append(config, url)...), signature)
				check(t, fixture.RunCommand(t, "explain", "", append(config, "--json", url)...), signature)
				check(t, fixture.RunCommand(t, "verify", "", append(config, "--json", url)...), "")
				check(t, fixture.RunCommand(t, "verify", "", append(config, url)...), signature)
			}
			check(t, fixture.RunCommand(t, "verify", "", append(config, link)...), signature)
			check(t, fixture.RunCommand(t, "lint", "", config...), "")
			check(t, fixture.RunCommand(t, "lint", "", append(config, "--json")...), "")
			check(t, fixture.RunCommand(t, "sign", "", append(config, "--user", "mike.", "https://example.org/in")...), "")
		})
	}
	for name, definition := range bad {
		t.Run("broken: "+name, func(t *testing.T) {
			config := fixture.WriteCaddyfile(t, definition)
			for _, r := range []fixture.Ran{
				fixture.RunCommand(t, "verify", "", "--config", config, "https://example.org/"),
				fixture.RunCommand(t, "lint", "", "--config", config),
				fixture.RunCommand(t, "sign", "", "--config", config, "--user", "jeff", "https://example.org/"),
			} {
				if !r.Failed || r.Errors == "" {
					t.Errorf("this was loaded: %s", definition)
				}
				check(t, r, "")
			}
		})
	}
	check(t, fixture.RunCommand(t, "keygen", "", "--set", set, "--id", "a"), "")
	check(t, fixture.RunCommand(t, "keygen", "", "--set", secret, "--id", "a"), "")
	check(t, fixture.RunCommand(t, "verify", "", "--secret", canary, "https://example.org/"), "")
}
