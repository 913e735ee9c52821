package attack_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

// vectorFamily is a file of testdata/vectors as a Caddyfile of testdata/declared declares it.
type vectorFamily struct {
	vectors, caddyfile string
	least              int // so many vectors are in the file

	// env is what the Caddyfile reads from the environment for this vector.
	env func(v *linktest.Vector) map[string]string
	// user is the vector's user as the declaration names it; nil: it names none.
	user func(v *linktest.Vector) string
	// signature is the signature in the link, which must not arrive; nil: the last parameter.
	signature *regexp.Regexp
}

func secretOnly(v *linktest.Vector) map[string]string { return map[string]string{"SECRET": v.Secret} }

var vectorFamilies = []vectorFamily{
	{
		vectors: "lighttpd_secdownload", caddyfile: "lighttpd", least: 53, env: secretOnly,
		signature: regexp.MustCompile(`^https://[^/]+/\w+/([\w-]{20,})/`),
	},
	{
		vectors: "nginx_secure_link", caddyfile: "nginx", least: 61, env: secretOnly,
		user: func(v *linktest.Vector) string {
			if strings.Contains(v.URL, "/hostq/") || strings.Contains(v.URL, "/arg/") {
				user, _ := linktest.NewRequest(v.URL).Value("user")
				return user
			}
			return ""
		},
		signature: regexp.MustCompile(`(?:/p/|[?&]md5=)([\w-]{20,})`),
	},
	{
		vectors: "akid", caddyfile: "akid", least: 34, env: secretOnly,
		user: func(v *linktest.Vector) string { // the mailing and the user
			token, _ := linktest.NewRequest(v.URL).Value("akid")
			return token[:max(strings.LastIndexByte(token, '.'), 0)]
		},
		signature: regexp.MustCompile(`\.([\w-]{6})$`),
	},
	{
		vectors: "verifiable_url", caddyfile: "verifiable_url", least: 32,
		env: func(v *linktest.Vector) map[string]string {
			return map[string]string{"SECRET": v.Secret, "HASH": v.Param("hash")}
		},
		user:      func(v *linktest.Vector) string { return v.User },
		signature: regexp.MustCompile(`[?&]key=(\w{32,})`),
	},
	{
		vectors: "sial", caddyfile: "sial", least: 46, env: sialEnv,
		user:      func(v *linktest.Vector) string { return v.User },
		signature: regexp.MustCompile(`[?&]sig=(\w{40})`),
	},
}

// sialEnv says of a vector of sial.jsonl how the variant is written that it names.
func sialEnv(v *linktest.Vector) map[string]string {
	env := map[string]string{"ALGORITHM": "sha1", "PARAMS": "separator -"}
	switch v.Param("template") {
	case "sha1-plain":
		env["MESSAGE"] = "{user}{action}{params}{secret}"
	case "sha1-dash":
		env["MESSAGE"] = "{user}-{action}-{params}-{secret}"
	case "sha1-colon":
		env["MESSAGE"] = "{user}:{action}:{params}:{secret}"
	case "sha1-signed":
		env["MESSAGE"] = "--signed-{user}-{action}-{params}-{secret}--"
	case "hmac-derivative":
		env["MESSAGE"], env["ALGORITHM"] = "--signed-{action}={params}", "hmac-sha1"
	}
	if v.Param("params_serialize") == "to_query" {
		env["PARAMS"] = "as form"
	}
	return env
}

// decided is a row of the table of docs/vectors.md.
type decided struct{ reference, here, why string }

// decisions reads the table of docs/vectors.md.
func decisions(t *testing.T) map[string]decided {
	t.Helper()
	page, err := os.ReadFile(fixture.Path("docs", "vectors.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]decided)
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z_]+-\d+) \|[^|]*\| (\w+) \| (\w+) \| ([^|]+) \|$`).FindAllStringSubmatch(string(page), -1) {
		if _, twice := rows[m[1]]; twice {
			t.Errorf("docs/vectors.md decides %s twice", m[1])
		}
		rows[m[1]] = decided{m[2], m[3], m[4]}
	}
	return rows
}

// TestVectorsDeclared: links of real signers get the verdict of the real verifier, through
// whole configurations in the language. Where it differs, or can be argued about,
// docs/vectors.md decides, and nothing is ever valid here that is not there.
func TestVectorsDeclared(t *testing.T) {
	rows := decisions(t)
	if len(rows) == 0 {
		t.Fatal("docs/vectors.md decides nothing")
	}
	seen := make(map[string]bool)
	for _, f := range vectorFamilies {
		t.Run(f.vectors, func(t *testing.T) {
			vectors := linktest.Load(t, fixture.Path("testdata", "vectors", f.vectors+".jsonl"))
			if len(vectors) < f.least {
				t.Errorf("there are %d vectors, and were %d", len(vectors), f.least)
			}
			users := usersFile(t, vectors)
			sites := make(map[string]*gatewaytest.Site)
			for _, v := range vectors {
				seen[v.ID] = true
				site := f.site(t, sites, &v, users)
				word, answer := f.verdict(t, site, &v)
				reference := v.Expect
				if v.Verdict != "" {
					reference = v.Verdict
				}
				row, listed := rows[v.ID]
				switch {
				case word == linktest.Valid && reference != linktest.Valid:
					t.Errorf("%s (%s): valid here, and %s for the reference: %s", v.ID, v.Why, reference, v.URL)
				case listed && (row.here != word || row.reference != reference):
					t.Errorf("%s (%s): docs/vectors.md says %s there and %s here, it is %s and %s (%s)", v.ID, v.Why, row.reference, row.here, reference, word, answer.Body)
				case !listed && word != reference:
					t.Errorf("%s (%s): %s (%s) here, and %s for the reference: %s", v.ID, v.Why, word, answer.Body, reference, v.URL)
				case !listed && v.Arguable:
					t.Errorf("%s (%s): arguable, and docs/vectors.md does not decide it; %s here, %s there", v.ID, v.Why, word, reference)
				case listed && !v.Arguable && word == reference:
					t.Errorf("%s (%s): docs/vectors.md decides what nobody argues about", v.ID, v.Why)
				}
			}
		})
	}
	for id := range rows {
		if !seen[id] {
			t.Errorf("docs/vectors.md decides %s, and there is no such vector", id)
		}
	}
}

// usersFile is a file of users' secrets with those of all vectors.
func usersFile(t *testing.T, vectors []linktest.Vector) string {
	t.Helper()
	var lines []string
	for _, v := range vectors {
		if name := v.Param("user_param"); name != "" {
			user, _ := linktest.NewRequest(v.URL).Value(name)
			if line := user + "," + v.Secret + "\n"; !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "users.csv")
	if err := os.WriteFile(path, []byte("user,secret\n"+strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// site is the declaration with the environment of the vector, loaded once for each.
func (f *vectorFamily) site(t *testing.T, sites map[string]*gatewaytest.Site, v *linktest.Vector, users string) *gatewaytest.Site {
	t.Helper()
	env := f.env(v)
	env["USERS"] = users
	var key strings.Builder
	for _, name := range []string{"SECRET", "HASH", "ALGORITHM", "MESSAGE", "PARAMS", "USERS"} {
		t.Setenv(name, env[name])
		key.WriteString(env[name] + "\x00")
	}
	if s := sites[key.String()]; s != nil {
		return s
	}
	sites[key.String()] = gatewaytest.Load(t, declared(t, f.caddyfile))
	return sites[key.String()]
}

// declared is a Caddyfile of testdata/declared that logs nothing.
func declared(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(fixture.Path("testdata", "declared", name+".Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	quiet := strings.Replace(string(text), "\tadmin off\n", "\tadmin off\n\tlog {\n\t\toutput discard\n\t}\n", 1)
	if quiet == string(text) {
		t.Fatalf("%s does not begin with `admin off`", name)
	}
	return quiet
}

// verdict is what becomes of the vector at the gateway: valid is what arrives verified.
func (f *vectorFamily) verdict(t *testing.T, site *gatewaytest.Site, v *linktest.Vector) (word string, a *gatewaytest.Answer) {
	t.Helper()
	now := v.Now
	if now == 0 {
		now = 1790000000
	}
	site.At(time.Unix(now, 0))
	_, rest, _ := strings.Cut(v.URL, "://")
	host, target, _ := strings.Cut(rest, "/")
	r := gatewaytest.Request(t, "GET", "/"+target, "")
	r.Host = host
	if address := v.Param("remote_addr"); address != "" {
		r.RemoteAddr = address + ":1234"
	}
	a = site.Do(r)
	switch {
	case a.Seen == nil && a.Code == 410:
		return linktest.Expired, a
	case a.Seen == nil && a.Code >= 400 && a.Code < 500:
		return linktest.Invalid, a
	case a.Seen == nil || a.Code != 200:
		t.Fatalf("%s: status %d, %s", v.ID, a.Code, a.Body)
	}
	want := ""
	if f.user != nil {
		want = f.user(v)
	}
	if got := a.Header1(t, "X-Verified-User"); got != want {
		t.Errorf("%s: the user is %q, want %q", v.ID, got, want)
	}
	if m := f.signature.FindStringSubmatch(v.URL); m != nil {
		for _, text := range []string{a.Seen.URI, a.Seen.RequestURI, a.Seen.OrigURI, a.Seen.OrigTarget, a.Seen.OrigText} {
			if strings.Contains(text, m[1]) {
				t.Errorf("%s: the signature reaches the backend: %s", v.ID, text)
			}
		}
	} else {
		t.Errorf("%s is valid, and the test does not find its signature: %s", v.ID, v.URL)
	}
	return linktest.Valid, a
}
