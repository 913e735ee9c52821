package signedlink_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/markdown"
	"github.com/signedlink/caddy-signed-link/link"
)

// secretsOfPages puts files and variables in the place of those that a page names.
func secretsOfPages(t *testing.T, text string) string {
	t.Helper()
	for _, m := range regexp.MustCompile(`\{env\.(\w+)\}`).FindAllStringSubmatch(text, -1) {
		value := "kX3v9QzT7mB2wL5n" + m[1]
		switch m[1] {
		case "SHORT_SECRET":
			value = "s3cr3t-canary"
		case "PUBLISHED_SECRET":
			value = "ThisTokenIsNotSecretChangeIt"
		}
		t.Setenv(m[1], value)
	}
	file := filepath.Join(t.TempDir(), "tokens.csv")
	if err := os.WriteFile(file, []byte("user,secret\n42,kX3v9QzT7mB2wL5n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(filepath.Dir(file), "other.csv")
	if err := os.WriteFile(other, []byte("user,secret\n42,"+strings.Repeat("n", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("/etc/caddy/tokens.csv", file, "/etc/caddy/other.csv", other).Replace(text)
}

// schemeFinding is a finding about a scheme.
type schemeFinding struct {
	link.Finding
	Definition, Scheme, Origin string
	Allowed                    bool
}

// found are the findings of all definitions, or the error at load.
func found(t *testing.T, text string) ([]schemeFinding, error) {
	t.Helper()
	s, err := gatewaytest.TryLoad(t, secretsOfPages(t, text))
	if err != nil {
		return nil, err
	}
	var all []schemeFinding
	for _, g := range s.App.Gates() {
		for _, c := range g.Definition.Schemes {
			for _, f := range c.Findings {
				all = append(all, schemeFinding{f, g.Label, c.Name, g.Origin, f.Allowed || c.Allowed[f.Code]})
			}
		}
	}
	return all, nil
}

func has(all []schemeFinding, code string) bool {
	return slices.ContainsFunc(all, func(f schemeFinding) bool { return f.Code == code })
}

// TestFindingPages: every code has its page and its line in the table; the page's first
// configuration has the finding, and each one of its cure has not.
func TestFindingPages(t *testing.T) {
	table, err := os.ReadFile("docs/findings/README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("docs/findings/*.md")
	if err != nil || len(pages) != len(link.FindingCodes)+1 {
		t.Errorf("%d pages for %d codes: %v", len(pages)-1, len(link.FindingCodes), err)
	}
	for _, c := range link.FindingCodes {
		t.Run(c.Code, func(t *testing.T) {
			data, err := os.ReadFile(c.Page())
			if err != nil {
				t.Fatal(err)
			}
			if row := "| [" + c.Code + "](" + c.Code + ".md) | " + c.Severity.String() + " | " + c.Title + " |\n"; !strings.Contains(string(table), row) {
				t.Errorf("the table lacks %s", row)
			}
			if !strings.HasPrefix(string(data), "# "+c.Code+": "+c.Title+"\n") {
				t.Errorf("the page has another title than %s: %s", c.Code, c.Title)
			}
			blocks, _, err := markdown.Blocks(string(data))
			if err != nil {
				t.Fatal(err)
			}
			count := map[string]int{}
			for _, b := range blocks {
				if b.Lang != "caddyfile" {
					continue
				}
				count[b.Section]++
				all, err := found(t, b.Text)
				switch b.Section {
				case "Found":
					switch {
					case err != nil && (!strings.Contains(err.Error(), "("+c.Code+")") || c.Severity < link.Danger):
						t.Errorf("line %d: %v", b.Line, err)
					case err == nil && (!has(all, c.Code) || c.Severity == link.Fatal):
						t.Errorf("line %d: there is no such finding: %+v", b.Line, all)
					case err == nil && c.Severity == link.Danger && !strings.Contains(b.Text, "allow "+c.Code):
						t.Errorf("line %d: it loads", b.Line)
					}
				case "The cure":
					open := func(f schemeFinding) bool { return f.Code == c.Code && !f.Allowed }
					if err != nil || slices.ContainsFunc(all, open) {
						t.Errorf("line %d: %v %+v", b.Line, err, all)
					}
				default:
					t.Errorf("line %d: a configuration in %q", b.Line, b.Section)
				}
			}
			if count["Found"] != 1 || count["The cure"] == 0 {
				t.Errorf("configurations: %v", count)
			}
		})
	}
}

// TestFindings: what is dangerous is refused, with two links that show it; `allow` lifts
// it, but not what is fatal; and it is still there to be listed.
func TestFindings(t *testing.T) {
	definition := func(lines ...string) string {
		return gatewaytest.SiteFile("signed_link keyed_hash {env.S} {\nalgorithm hmac-sha256\nsignature {query.sig}\n" + strings.Join(lines, "\n") + "\n}\n")
	}
	for name, tc := range map[string]struct {
		lines []string
		err   string
		codes string // with ! where allowed
	}{
		"refused":           {[]string{"message {query.action}{query.id}", "user none", "param action alnum", "param id digits"}, `Caddyfile:6: signed_link: keyed_hash: message: nothing says where {query.action} ends and {query.id} begins, so whoever holds one link can make others (ambiguous_message): action="11" id="1" and action="1" id="11" both sign "111"; restrict`, ""},
		"says how to allow": {[]string{"message {query.action}{query.id}", "user none"}, "or write `allow ambiguous_message between {query.action} {query.id}`; see https://github.com/signedlink/caddy-signed-link/blob/main/docs/findings/ambiguous_message.md", ""},
		"allowed":           {[]string{"message {query.action}{query.id}", "user none", "allow ambiguous_message"}, "", "ambiguous_message! no_expiry"},
		"two at once":       {[]string{"message {query.a}{query.b}", "expires {query.exp}", "user none", "allow ambiguous_message"}, "(unsigned_expiry)", ""},
		"fatal":             {[]string{"message {query.user}", "allow unsigned_identity"}, "allow: unsigned_identity cannot be allowed", ""},
		"allowed warning":   {[]string{"message {query.user}", "allow no_expiry"}, "", "no_expiry!"},
		"max_age":           {[]string{"message {query.user}|{query.iat}", "issued {query.iat}", "user {query.user}", "max_age 1h"}, "", ""},
		"issued alone":      {[]string{"message {query.user}|{query.iat}", "issued {query.iat}", "user {query.user}"}, "", "no_expiry"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := found(t, definition(tc.lines...))
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
				return
			}
			var codes []string
			for _, f := range all {
				if f.Allowed {
					f.Code += "!"
				}
				if f.Origin != "Caddyfile:6" || f.Scheme != "keyed_hash" || f.Definition != "keyed_hash" {
					t.Errorf("%+v", f)
				}
				codes = append(codes, f.Code)
			}
			if err != nil || strings.Join(codes, " ") != tc.codes {
				t.Errorf("%v, findings %q, want %q", err, codes, tc.codes)
			}
		})
	}
}

// TestFindingsInLog: a warning is one line, a note and what is allowed are none, and no
// line holds anything of a secret.
func TestFindingsInLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	text := "{\n\tadmin off\n\tauto_https off\n\tlog {\n\t\toutput file " + file + "\n\t\tlevel WARN\n\t}\n}\n" + `http:// {
		signed_link /a* akid {env.SHORT_SECRET}
		signed_link /b* keyed_hash {env.SHORT_SECRET} {
			algorithm hmac-sha256
			message {query.user}
			signature {query.sig}
			allow weak_secret
		}
		signed_link /c* keyed_hash {env.LINK_SECRET} {
			name addressed
			algorithm hmac-sha256
			message {query.until}{path}{client_ip}
			signature {query.sig}
			expires {query.until}
			user none
			allow ambiguous_message between {path} {client_ip}
		}
	}
	`
	gatewaytest.Load(t, secretsOfPages(t, text))
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]int{"weak_secret": 1, "no_expiry": 1, "shared_secret": 1, "shared_users": 1, "short_signature": 0, "ambiguous_message": 0} {
		if got := strings.Count(string(data), `"code":"`+code+`"`); got != want {
			t.Errorf("%s: %d lines, want %d:\n%s", code, got, want, data)
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n") {
		if strings.Contains(line, `"code"`) && (!strings.Contains(line, `"origin":"Caddyfile:`) || !strings.Contains(line, `"cure":"`) || !strings.Contains(line, `"page":"https://`)) {
			t.Errorf("the line says too little: %s", line)
		}
	}
	if strings.Contains(string(data), "canary") {
		t.Errorf("the log has a secret:\n%s", data)
	}
}

// TestShared: which secrets and users two schemes may have in common.
func TestShared(t *testing.T) {
	keyed := func(name, secret, message string, more ...string) string {
		return "signed_link /" + name + "* keyed_hash {env." + secret + "} {\nname " + name + "\nalgorithm hmac-sha256\nmessage " + message + "\nsignature {query.sig}\n" + strings.Join(more, "\n") + "\n}\n"
	}
	sial := "signed_link /do* sial {\nname %\nuser_keys file /etc/caddy/tokens.csv\naction {query.do}\nparam user digits\nparam action one_of a b\n}\n"
	for name, tc := range map[string]struct {
		directives string
		want       string
	}{
		"the same twice":          {keyed("a", "A", "{query.user}") + keyed("b", "A", "{query.user}"), ""},
		"two messages":            {keyed("a", "A", "{query.user}") + keyed("b", "A", "/x{query.user}"), "shared_secret"},
		"two messages, allowed":   {keyed("a", "A", "{query.user}", "allow shared_secret") + keyed("b", "A", "/x{query.user}"), ""},
		"two secrets":             {keyed("a", "A", "{query.user}") + keyed("b", "B", "x{query.user}"), ""},
		"two users":               {keyed("a", "A", "{query.user}") + keyed("b", "B", "{query.id}"), "shared_users"},
		"two users, allowed":      {keyed("a", "A", "{query.user}") + keyed("b", "B", "{query.id}", "allow shared_users"), ""},
		"nobody":                  {keyed("a", "A", "{query.user}") + keyed("b", "B", "{query.id}", "user none"), ""},
		"AKID and text":           {"signed_link /a* akid {env.A}\nsigned_link /b* akid {env.A} {\ntext token\n}\n", ""},
		"AKID and another":        {"signed_link /a* akid {env.A}\n" + keyed("b", "A", "{query.id}", "user none"), "shared_secret"},
		"secrets of users":        {strings.ReplaceAll(sial, "%", "a") + strings.ReplaceAll(sial, "%", "b"), ""},
		"secrets of users, twice": {strings.ReplaceAll(sial, "%", "a") + strings.ReplaceAll(sial, "%", "b\nparams x\nparam x digits"), "shared_secret"},
		"other secrets of users": {strings.ReplaceAll(sial, "%", "a") +
			strings.NewReplacer("%", "b\nparams x\nparam x digits", "tokens.csv", "other.csv").Replace(sial), ""},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := found(t, gatewaytest.SiteFile(tc.directives))
			if err != nil {
				t.Fatal(err)
			}
			var codes []string
			for _, f := range all {
				if strings.HasPrefix(f.Code, "shared_") && !f.Allowed {
					codes = append(codes, f.Code)
				}
			}
			if got := strings.Join(codes, " "); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
