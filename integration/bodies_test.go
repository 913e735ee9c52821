//go:build integration

package integration

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

// sentBody is a body and its type.
type sentBody struct {
	Who, Name, Type string
	Body            []byte
}

// honestBodies are what browsers and mail programs send.
func honestBodies(t *testing.T) (all []sentBody) {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "internal", "request", "bodies", "testdata", "honest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var b sentBody
		if err := json.Unmarshal(lines.Bytes(), &b); err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// hostileBodies are what PHP, Tomcat or Jetty read as the field user, or may.
func hostileBodies() (all []sentBody) {
	const plain, form = "multipart/form-data; boundary=BB", "application/x-www-form-urlencoded"
	add := func(contentType, body string) {
		all = append(all, sentBody{"", body[:min(len(body), 150)], contentType, []byte(body)})
	}
	part := func(head string) string { return "--BB\r\n" + head + "\r\n\r\nmike\r\n--BB--\r\n" }
	x, user := "Content-Disposition: form-data; name=\"x\"\r\n\r\n1", "Content-Disposition: form-data; name=\"user\"\r\n\r\nmike"
	for _, contentType := range []string{
		plain, "multipart/form-data; boundary*=UTF-8''BB", `multipart/form-data; boundary="BB"CC`, "multipart/form-data; boundary=BB,CC",
		"multipart/form-data;boundary=BB;boundary=CC", "multipart/form-data; charset=UTF-8; boundary=BB", "Multipart/Form-Data, x; boundary=BB",
		`multipart/form-data; x="boundary=CC"; boundary=BB`, "multipart/mixed; boundary=BB", `multipart/form-data; Boundary="BB"`,
	} {
		add(contentType, part(`Content-Disposition: form-data; name="user"`))
	}
	for _, head := range []string{
		`Content-Disposition: form-data; name ="user"; x=" name="harmless"`,
		"Content-Disposition: form-data; name\t=\"user\"; x=\" name=\"harmless\"",
		`Content-Disposition: form-data; name="=?UTF-8?Q?user?="`,
		`Content-Disposition: form-data; name*=UTF-8''user`,
		`Content-Disposition: form-data; name="x"; name="user"`,
		`Content-Disposition: form-data; name="user"; name="x"`,
		`Content-Disposition: form-data; name='user'`,
		`Content-Disposition: form-data; name=user`,
		`Content-Disposition: form-data; name="us\er"`,
		`Content-Disposition: form-data; filename="y"; name="user"`,
		"Content-Disposition: form-data;\r\n name=\"user\"",
		"Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"user\"",
		"Content-Disposition : form-data; name=\"user\"",
		"X: y\r\nContent-Disposition: form-data; name=\"user\"",
		"X: y\nContent-Disposition: form-data; name=\"user\"",
		"Content-Disposition: form-data; name=\"user\x00x\"",
		"Content-Disposition: form-data; name=\"x\"; filename=\"" + strings.Repeat("y", 5_200) + "Content-Disposition: form-data; name=user\"",
		`Content-Disposition: form-data; name="user[]"`,
		`Content-Disposition: form-data; name=" user"`,
	} {
		add(plain, part(head))
	}
	for _, body := range []string{
		"preamble\r\n--BB\r\n" + user + "\r\n--BB--\r\n",
		"--BB\r\n" + x + "\r\n--BB--\r\n--BB\r\n" + user + "\r\n--BB--\r\n",
		"--BB\r\n" + x + "\n--BB\r\n" + user + "\r\n--BB--\r\n",
		"--BB\r\n" + x + "\r\n--BB\n" + user + "\r\n--BB--\r\n",
		"--BB\r\n" + x + "--BB\r\n" + user + "\r\n--BB--\r\n",
		"--BB\r\n" + x + "\r\n--BB \r\n" + user + "\r\n--BB--\r\n",
		"--BB\r\n" + x + "\r\n--BBB\r\n--BB\r\n" + user + "\r\n--BB--\r\n",
		"--BB\r\n" + user,
		"--BB\r\n" + user + "\r\n",
		strings.ReplaceAll("--BB\r\n"+user+"\r\n--BB--\r\n", "\r", ""),
	} {
		add(plain, body)
	}
	for _, contentType := range []string{
		form, "", form + ", text/plain", form + " x", form + ";x", strings.ToUpper(form), "application/x-www-form-urlencoded\t;charset=utf-8",
	} {
		add(contentType, "x=1&user=mike")
	}
	for _, body := range []string{"us%65r=mike", "user%00=mike", "user[]=mike", "+user=mike", "x=1;user=mike", "%u0075ser=mike", "user=%zz&user=mike"} {
		add(form, body)
	}
	add(form+"; charset=IBM037", "%A4%A2%85%99=mike")
	add(form+"; charset=utf-16", "%00u%00s%00e%00r=mike")
	return all
}

// TestAttackBodies sends bodies with a genuine link to real backends. Those of browsers
// arrive, and whatever else arrives has no other user than the link's; a site without a
// definition shows which of them would have had one.
func TestAttackBodies(t *testing.T) {
	apps := []application{fpm(t, "fpm"), tomcat(t)}
	sites := make(map[string]string)
	for _, b := range apps {
		profile := "servlet"
		if b.php {
			profile = "php"
		}
		sites[b.name] = "signed_link keyed_hash {env.LINK_SECRET} {\nalgorithm md5\nmessage {query.user}{secret}\nsignature {query.key}\n" +
			"param user alnum max 32\nmethods GET POST\nbackend " + profile + "\n}\n" + b.proxy(b.address)
		sites[b.name+" open"] = "signed_link unguarded\n" + b.proxy(b.address)
	}
	g := gateway.Start(t, gateway.Config{Sites: sites, Env: secrets, Quiet: true, Secure: true})
	client := g.Client(t, gateway.HTTP1)
	link := "/app/index.php?user=jeff&key=" + key("jeff")
	send := func(site string, target string, b sentBody) (int, *backends.Seen) {
		t.Helper()
		r := gateway.Request{Method: "POST", Target: target, Body: string(b.Body)}
		if b.Type != "" {
			r.Header = []gateway.Field{{Name: "Content-Type", Value: b.Type}}
		}
		answer, err := client.Do(site, r)
		if err != nil {
			t.Fatalf("%s: %q: %v", site, b.Name, err)
		}
		if answer.Status != 200 {
			return answer.Status, nil
		}
		seen, err := backends.Decode(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Status, seen
	}
	mike := func(s *backends.Seen, php bool) bool { // to a servlet `user[]` is another name
		for _, places := range []map[string][]string{s.Params, s.Post, s.Request} {
			for name, values := range places {
				if (name == "user" || php && strings.HasPrefix(name, "user")) && slices.Contains(values, "mike") {
					return true
				}
			}
		}
		return false
	}
	for _, app := range apps {
		for _, b := range honestBodies(t) {
			status, seen := send(app.name, link, b)
			if seen == nil {
				t.Errorf("%s: %s, %s: %d", app.name, b.Who, b.Name, status)
				continue
			}
			if got := seen.Params["user"]; !slices.Equal(got, []string{"jeff"}) {
				t.Errorf("%s: %s, %s: the user is %q", app.name, b.Who, b.Name, got)
			}
		}
		read := 0
		for _, b := range hostileBodies() {
			if _, seen := send(app.name, link, b); seen != nil && (mike(seen, app.php) || !slices.Equal(seen.Params["user"], []string{"jeff"})) {
				t.Errorf("%s: %s %q: %s", app.name, b.Type, b.Name, seen.Raw)
			}
			if _, seen := send(app.name+" open", "/app/index.php", b); seen != nil && mike(seen, app.php) {
				t.Logf("%s reads %s %q", app.name, b.Type, b.Name)
				read++
			}
		}
		t.Logf("%s reads the user in %d of %d bodies", app.name, read, len(hostileBodies()))
		if read < 5 {
			t.Errorf("%s reads the user in %d bodies only: the test attacks nothing", app.name, read)
		}
	}
}
