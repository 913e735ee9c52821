package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/cli/rehearsal"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

// The commands run here within the test, for tables; cmd/caddy runs them as people do.

// ofVector is the definition that a vector is for, and the user that it names.
func ofVector(t *testing.T, v linktest.Vector, users string) (definition, user string) {
	t.Helper()
	switch v.Param("kind") + v.Param("construction") + v.Param("template") {
	case "akid":
		return "signed_link akid {env.VECTOR_SECRET}", v.User
	case "custom_hash":
		return "signed_link akid {env.VECTOR_SECRET} {\ntoken {query.id}\ntext text max 2000\nallow akid_shape\n}", ""
	case "hex(H(value + secret))":
		return "signed_link keyed_hash {env.VECTOR_SECRET} {\nalgorithm " + v.Param("hash") +
			"\nmessage {query.user}{secret}\nsignature {query.key}\nuser {query.user} utf8\n}", v.User
	}
	options := map[string]string{"single": "separator -", "values-sorted-dash": "separator -", "to_query": "as form"}[v.Param("params_serialize")]
	message := map[string]string{
		"sha1-plain":      "message {user}{action}{params}{secret}",
		"sha1-dash":       "message {user}-{action}-{params}-{secret}",
		"sha1-colon":      "message {user}:{action}:{params}:{secret}",
		"sha1-signed":     "message --signed-{user}-{action}-{params}-{secret}--",
		"hmac-derivative": "algorithm hmac-sha1\nmessage --signed-{action}={params}",
	}[v.Param("template")]
	return "signed_link sial {\nuser_keys file " + users + "\nuser {query." + v.Param("user_param") + "} utf8\naction {path} prefix /\nparams * " + options + "\n" +
		message + "\nallow ambiguous_message unsigned_names\n}", v.User
}

// usersOf writes a file of the users' secrets in vectors.
func usersOf(t *testing.T, vectors []linktest.Vector) string {
	t.Helper()
	users := make(map[string]string)
	for _, v := range vectors {
		if user, ok := linktest.NewRequest(v.URL).Value(v.Param("user_param")); ok {
			users[user] = v.Secret
		}
	}
	content, err := json.Marshal(users)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "users.json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestVerifyVectors feeds the links of the real signers through `verify --json -`: the
// verdict and the user are those of the vectors.
func TestVerifyVectors(t *testing.T) {
	for _, name := range []string{"akid", "verifiable_url", "sial"} {
		t.Run(name, func(t *testing.T) {
			all := linktest.Load(t, fixture.Path("testdata", "vectors", name+".jsonl"))
			users := ""
			if name == "sial" {
				users = usersOf(t, all)
			}
			groups := make(map[[2]string][]linktest.Vector)
			for _, v := range all {
				definition, user := ofVector(t, v, users)
				v.User = user
				group := [2]string{definition, fmt.Sprint(v.Now)}
				if users == "" {
					group[1] += v.Secret
				}
				groups[group] = append(groups[group], v)
			}
			for group, vectors := range groups {
				verifyVectors(t, group[0], vectors)
			}
			t.Logf("%d links with %d configurations", len(all), len(groups))
		})
	}
}

func verifyVectors(t *testing.T, definition string, vectors []linktest.Vector) {
	t.Helper()
	t.Setenv("VECTOR_SECRET", vectors[0].Secret)
	var urls strings.Builder
	for _, v := range vectors {
		urls.WriteString(v.URL + "\n")
	}
	r := fixture.RunCommand(t, "verify", urls.String(), "--config", fixture.WriteCaddyfile(t, definition), "--json", "--at", fmt.Sprint(vectors[0].Now), "-")
	if r.Errors != "" {
		t.Fatalf("%s\n%s", definition, r.Errors)
	}
	lines := strings.Split(strings.TrimSuffix(r.Out, "\n"), "\n")
	if len(lines) != len(vectors) {
		t.Fatalf("%d lines for %d links", len(lines), len(vectors))
	}
	for i, v := range vectors {
		var got rehearsal.Report
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatalf("%v: %s", err, lines[i])
		}
		if got.Verdict != v.Expect || v.Expect == linktest.Valid && got.User != v.User || got.URL != v.URL {
			t.Errorf("%s (%s): %s, want %s and user %q: %s", v.ID, v.Why, lines[i], v.Expect, v.User, v.URL)
		}
		if (got.Forwarded != nil) != (v.Expect == linktest.Valid) {
			t.Errorf("%s: verdict %s, and forwarded is %v", v.ID, got.Verdict, got.Forwarded)
		}
	}
}

// TestVerifyAstray: of a link that only a reading leads into a nested definition, verify
// says which definition that is, in each mode.
func TestVerifyAstray(t *testing.T) {
	fixture.SetSecrets(t)
	for mode, refused := range map[string]bool{"": true, "recognize": false, "observe": false} {
		config := fixture.WriteCaddyfile(t, "signed_link guard\nhandle /app* {\n"+fixture.Autologin(mode)+"\nreverse_proxy 127.0.0.1:1\n}\nhandle {\nreverse_proxy 127.0.0.1:1\n}")
		for _, path := range []string{"/x/..;/app/login", "/index.php/app"} {
			r := fixture.RunCommand(t, "verify", "", "--config", config, "--json", "http://example.org"+path+"?"+fixture.GoodLink)
			var got rehearsal.Report
			if err := json.Unmarshal([]byte(r.Out), &got); err != nil {
				t.Fatalf("%v: %s%s", err, r.Out, r.Errors)
			}
			if !strings.Contains(got.Definition, "keyed_hash (") || got.Detail != "path" || (got.Forwarded == nil) != refused {
				t.Errorf("%q %s: %s", mode, path, r.Out)
			}
		}
		r := fixture.RunCommand(t, "verify", "", "--config", config, "--json", "http://example.org/other")
		if strings.Contains(r.Out, "definition\"") || !strings.Contains(r.Out, "no definition judges") {
			t.Errorf("%q, an honest address of the rest: %s", mode, r.Out)
		}
	}
}

// TestVerifyMoved: behind the move a request goes on as one for the new path, in the rehearsal
// as in the server: through nested handles, handle_path, rewrites and other definitions.
func TestVerifyMoved(t *testing.T) {
	t.Setenv("MOVED_SECRET", fixture.HMACKey)
	const moves = "signed_link /dl/* keyed_hash {env.MOVED_SECRET} {\nname moves\nalgorithm hmac-sha256\nmessage {link.file}\n" +
		"path /dl/<signature>/<file...> to /files/{link.file}\nuser none\n}\n"
	const backend = "BACKEND\n"
	link := "/dl/" + fixture.Sum256(fixture.HMACKey, "a/b c.pdf") + "/a/b%20c.pdf?lang=de"
	for name, tc := range map[string]struct {
		routes, target, want string // what the backend gets; a status where it gets nothing
	}{
		"plain":               {moves + backend, link, "/files/a/b%20c.pdf?lang=de"},
		"a handle":            {moves + "handle /dl/* {\nrewrite /wrong\n" + backend + "}\nhandle /files/* {\n" + backend + "}\nhandle {\nrespond 404\n}", link, "/files/a/b%20c.pdf?lang=de"},
		"a handle of the old": {moves + "handle /dl/* {\nrewrite /wrong\n" + backend + "}\nhandle {\nrewrite /rest\n" + backend + "}", link, "/rest?lang=de"},
		"handle_path":         {moves + "handle_path /files/* {\n" + backend + "}\nhandle {\nrespond 404\n}", link, "/a/b%20c.pdf?lang=de"},
		"a rewrite":           {moves + "handle /files/* {\nuri replace /files /inner\n" + backend + "}\nrespond 404", link, "/inner/a/b%20c.pdf?lang=de"},
		"a route":             {"route {\n" + moves + "@moved path /files/*\nroute @moved {\n" + backend + "}\nrespond 404\n}", link, "/files/a/b%20c.pdf?lang=de"},
		"in a handle":         {"signed_link guard\nhandle /dl/* {\nroute {\n" + moves + "handle /files/* {\n" + backend + "}\nrespond 404\n}\n}\nhandle {\nrespond 404\n}", link, "/files/a/b%20c.pdf?lang=de"},
		"another definition":  {"route {\n" + moves + "signed_link /files/* keyed_hash {env.MOVED_SECRET} {\nname second\nalgorithm md5\nmessage {query.u}{secret}\nsignature {query.k}\nparam u digits\n}\n" + backend + "}", link, "401"},
		"by a matcher":        {moves + "@pdf path_regexp ^/files/.*\\.pdf$\nhandle @pdf {\n" + backend + "}\nhandle {\nrespond 404\n}", link, "/files/a/b%20c.pdf?lang=de"},
		"damaged":             {moves + "handle /files/* {\n" + backend + "}\nhandle {\nrespond 404\n}", "/dl/" + strings.Repeat("0", 64) + "/a/b%20c.pdf", "401"},
		"internal":            {moves + "handle /files/* {\n" + backend + "}\nhandle {\nrespond 404\n}", "/files/a/b%20c.pdf", "401"},
		"of another name":     {moves + "handle_path /v1/* {\n" + backend + "}\nhandle {\n" + backend + "}", "/v1/files/x", "401"},
	} {
		t.Run(name, func(t *testing.T) {
			config := fixture.WriteCaddyfile(t, strings.ReplaceAll(tc.routes, backend, "reverse_proxy 127.0.0.1:1\n"))
			r := fixture.RunCommand(t, "verify", "", "--config", config, "--json", "http://example.org"+tc.target)
			var got rehearsal.Report
			if err := json.Unmarshal([]byte(r.Out), &got); err != nil {
				t.Fatalf("%v: %s%s", err, r.Out, r.Errors)
			}
			uri := fmt.Sprint(got.Status)
			if got.Forwarded != nil {
				uri = got.Forwarded.URI
			}
			if uri != tc.want {
				t.Errorf("the rehearsal ends with %s, want %s: %s", uri, tc.want, r.Out)
			}
			site := gatewaytest.LoadSite(t, strings.ReplaceAll(tc.routes, backend, "test_backend\n"))
			answer := site.Get("http://example.org" + tc.target)
			served := fmt.Sprint(answer.Code)
			if answer.Seen != nil {
				served = answer.Seen.URI
			}
			if served != tc.want {
				t.Errorf("the server ends with %s, want %s", served, tc.want)
			}
		})
	}
}

// TestVerifyScript: with FastCGI verify says which script runs, and the target that the
// application sees.
func TestVerifyScript(t *testing.T) {
	fixture.SetSecrets(t)
	config := fixture.WriteCaddyfile(t, fixture.Autologin("", "backend php")+"\nroot * testdata\nphp_fastcgi 127.0.0.1:1")
	r := fixture.RunCommand(t, "verify", "", "--config", config, "--json", "http://example.org/app/index.php/login?"+fixture.GoodLink)
	var got rehearsal.Report
	if err := json.Unmarshal([]byte(r.Out), &got); err != nil {
		t.Fatalf("%v: %s%s", err, r.Out, r.Errors)
	}
	if f := got.Forwarded; f == nil || f.URI != "/app/index.php/login?user=jeff" || f.Script != "/index.php" {
		t.Errorf("%s%s", r.Out, r.Errors)
	}
}

// TestMisspelt: a name with a slip in it brings the name that was meant.
func TestMisspelt(t *testing.T) {
	fixture.SetSecrets(t)
	config := fixture.WriteCaddyfile(t, fixture.Autologin("", "name newsletter"))
	for name, want := range map[string]string{
		"News-Letter": `no definition and no scheme is named "News-Letter" (did you mean "newsletter"?); there are`,
		"akid":        `no definition and no scheme is named "akid"; there are`,
	} {
		r := fixture.RunCommand(t, "verify", "", "--config", config, "--name", name, "http://example.org/")
		if !r.Failed || !strings.Contains(r.Errors, want) {
			t.Errorf("--name %s: %s%s; want %s", name, r.Out, r.Errors, want)
		}
	}
}
