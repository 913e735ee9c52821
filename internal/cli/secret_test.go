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
		"path":    "signed_link /u/* keyed_hash {env.CANARY} {\nalgorithm hmac-sha256\nmessage {link.user}\npath /u/<user>/<signature> to /v/{link.user}\nparam {link.user} alnum\n}",
		"kept":    "signed_link /u/* keyed_hash {env.CANARY} {\nalgorithm hmac-sha256\nencoding base64url\nmessage {link.user}\nstrip none\npath /u/<user>/<signature>\n}",
		"watched": "signed_link /u/* observe keyed_hash {env.CANARY} {\nalgorithm hmac-sha256\nmessage {link.user}\npath /u/<user>/<signature> to /v/{link.user}\n}",
		"segment": "signed_link /u/* keyed_hash {env.CANARY} {\nalgorithm hmac-sha256\nmessage {path.1}\nsignature {path.2}\nparam {path.1} alnum\nuser {path.1}\n}",
		"token":   "signed_link keyed_hash {env.CANARY} {\nalgorithm hmac-sha256\nmessage {link.user}\ntoken {query.sig} <user>-<signature>\nparam {link.user} alnum\n}",
		"base64":  "signed_link keyed_hash {env.CANARY} {\nalgorithm hmac-sha256\nmessage {link.user}\ntoken {query.sig} unbase64 <signature>:<user>\nparam {link.user} alnum\n}",
	}
	bad := map[string]string{
		"hex":       "signed_link keyed_hash {\nsecret {env.CANARY} {\nencoding hex\n}\nalgorithm md5\nmessage {query.user}{secret}\nsignature {query.sig}\n}",
		"in order":  "signed_link " + canary + " keyed_hash " + hash + "}",
		"algorithm": "signed_link keyed_hash " + canary + " {\nalgorithm md4\n}",
		"message":   "signed_link keyed_hash {env.CANARY} {\nalgorithm md5\nmessage {query.user}{" + canary + "}\nsignature {query.sig}\n}",
		"env":       "signed_link keyed_hash {env." + canary[:8] + "} " + hash + "}",
	}
	pieces := false // nothing is shown of a signature in the path
	check := func(t *testing.T, r fixture.Ran, signature string) {
		t.Helper()
		for _, text := range []string{r.Out, r.Errors} {
			if strings.Contains(text, canary) || strings.Contains(strings.ToLower(text), strings.ToLower(canary)) {
				t.Errorf("the output holds the secret:\n%s", text)
			}
			if signature != "" && strings.Contains(text, signature) {
				t.Errorf("the output holds a signature:\n%s", text)
			}
			for i := 0; pieces && i+20 <= len(signature); i++ {
				if strings.Contains(text, signature[i:i+20]) {
					t.Errorf("the output holds a piece of a signature:\n%s", text)
					break
				}
			}
		}
	}
	for name, definition := range good {
		t.Run(name, func(t *testing.T) {
			config := []string{"--config", fixture.WriteCaddyfile(t, definition)}
			signs := append(config, "--user", "jeff", "https://example.org/in")
			switch name {
			case "path", "kept", "watched":
				signs[len(signs)-1] = "https://example.org/u"
			case "segment":
				signs = append(config, "https://example.org/u/jeff")
			}
			minted := fixture.RunCommand(t, "sign", "", signs...)
			if minted.Failed {
				t.Fatal(minted.Errors)
			}
			check(t, minted, "")
			link := strings.TrimSpace(minted.Out)
			_, signature, inQuery := strings.Cut(link, "sig=")
			if !inQuery {
				signature = link[strings.LastIndexByte(link, '/')+1:]
			}
			if name == "token" {
				_, signature, _ = strings.Cut(signature, "-")
			}
			pieces = !inQuery
			half := len(link) - len(signature)/2
			damaged := []string{
				link[:half] + "%0D%0A" + link[half:], link[:half] + " " + link[half:], link[:half] + "=\n" + link[half:], link + "/", link + ").",
			}
			if inQuery {
				damaged = append(damaged, "https://example.org/in?sig="+signature+"-jeff", "https://example.org/in?sig=jeff:"+signature, "https://example.org/in?sig="+signature)
			} else {
				damaged = append(damaged,
					link+"%3Futm_source=x", strings.Replace(link, "/u/", "/U//", 1), strings.Replace(link, "/u/", "/index.php/u/", 1), strings.Replace(link, "/u/", "/other/", 1),
					"https://example.org/u/"+signature+"/jeff", "https://example.org/u/"+signature, "https://example.org/u/"+signature+"/"+signature,
					"https://example.org/"+signature, "https://example.org/v/"+signature, "https://example.org/v/jeff", "/u/jeff/"+signature,
				)
			}
			for _, url := range append(damaged,
				link, link+"0", link[:len(link)-20], link[len("https://"):], link+"&sig="+signature, link+" "+signature,
				strings.Replace(link, "jeff", "mike", 1), strings.Replace(link, "&", "&amp;", 1), strings.ReplaceAll(link, "=", "%3D"),
				strings.Replace(link, "?", "%3F", 1), strings.Replace(link, "?", "%3f", 1), strings.Replace(link, "?", "&", 1),
				"https://example.org/"+signature[:6],
			) {
				check(t, fixture.RunCommand(t, "explain", "", append(config, url)...), signature)
				check(t, fixture.RunCommand(t, "explain", "", append(config, "--json", url)...), signature)
				check(t, fixture.RunCommand(t, "verify", "", append(config, "--json", url)...), "")
				check(t, fixture.RunCommand(t, "verify", "", append(config, url)...), signature)
			}
			check(t, fixture.RunCommand(t, "verify", "", append(config, link)...), signature)
			check(t, fixture.RunCommand(t, "lint", "", config...), "")
			check(t, fixture.RunCommand(t, "lint", "", append(config, "--json")...), "")
			check(t, fixture.RunCommand(t, "sign", "", append(config, "--user", "mike.", "https://example.org/in")...), "")
			check(t, fixture.RunCommand(t, "sign", "", append(config, "https://example.net/none/"+signature)...), map[bool]string{true: signature}[!inQuery])
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
