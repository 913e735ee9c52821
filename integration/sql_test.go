//go:build integration

package integration

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

// database is a kind of database, and what its SQL has for itself.
type database struct {
	driver  string
	start   func(testing.TB) *backends.Database
	setup   []string
	slow    string // takes half a minute
	writes  string // a query that writes
	running string // counts the slow queries that run still
}

var databases = map[string]database{
	"postgres": {
		driver: "postgres", start: backends.StartPostgres,
		slow:    "SELECT id, secret_token FROM users WHERE id = ? AND pg_sleep(30) IS NOT NULL",
		writes:  "WITH w AS (UPDATE users SET secret_token = 'overwritten' RETURNING id) SELECT id, secret_token FROM users WHERE id = ?",
		running: "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()",
	},
	"mariadb": {
		driver: "mysql", start: backends.StartMariaDB,
		setup: []string{
			"CREATE FUNCTION overwrite() RETURNS INT MODIFIES SQL DATA BEGIN UPDATE users SET secret_token = 'overwritten'; RETURN 1; END",
		},
		slow:    "SELECT id, secret_token FROM users WHERE id = ? AND SLEEP(30) = 0",
		writes:  "SELECT id, secret_token FROM users WHERE id = ? AND overwrite() = 1",
		running: "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(30)%' AND id <> connection_id()",
	},
}

// site is a site with action links whose secrets are in the database.
func (d database) site(mode, query, rule, options string) string {
	return "signed_link " + mode + ` sial {
	action {path} prefix /do/
	user_keys sql ` + d.driver + ` {env.LINKS_DSN} {
		query "` + query + `"
		ttl 300ms
		timeout 500ms
		` + options + `
	}
	param user ` + rule + `
}
respond "user={http.signed_link.user} reason={http.signed_link.reason}"
`
}

// TestSQL verifies action links with secrets from the users table of a real database.
func TestSQL(t *testing.T) {
	t.Parallel()
	for name, d := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testSQL(t, d)
		})
	}
}

func testSQL(t *testing.T, d database) {
	db := d.start(t)
	db.Exec(append([]string{
		"CREATE TABLE users (id INT PRIMARY KEY, secret_token VARCHAR(100))",
		"INSERT INTO users VALUES (12, 'secret of 12'), (13, 'secret of 13'), (14, NULL), (15, '')",
		"CREATE TABLE members (name VARCHAR(100) PRIMARY KEY, secret_token VARCHAR(100))",
		"INSERT INTO members VALUES ('admin', 'secret of admin'), ('12', 'secret of 12')",
	}, d.setup...)...)

	const numbers = "SELECT id, secret_token FROM users WHERE id = ?"
	const names = "SELECT name, secret_token FROM members WHERE name = ?"
	g := gateway.Start(t, gateway.Config{
		Sites: map[string]string{
			"numbers":   d.site("require", numbers, "digits", ""),
			"lenient":   d.site("require", numbers, "text max 20000", ""),
			"names":     d.site("require", names, "text max 20000", ""),
			"recognize": d.site("recognize", numbers, "digits", "negative_ttl 100ms"),
			"slow":      d.site("require", d.slow, "digits", "max_lookups 2"),
			"writes":    d.site("require", d.writes, "digits", ""),
			"wrong":     d.site("require", "SELECT id, no_such_column FROM users WHERE id = ?", "digits", ""),
		},
		Env: []string{"LINKS_DSN=" + db.DSN},
	})
	client := &http.Client{Timeout: 20 * time.Second}
	get := func(site, user, secret string) (status int, body string) {
		sum := sha1.Sum([]byte(user + "delete" + secret))
		response, err := client.Get("http://" + g.Address(site) + "/do/delete?user=" + url.QueryEscape(user) + "&sig=" + hex.EncodeToString(sum[:]))
		if err != nil {
			t.Errorf("%s, user %.40q: %v", site, user, err)
			return 0, ""
		}
		defer response.Body.Close()
		b := make([]byte, 1000)
		n, _ := response.Body.Read(b)
		return response.StatusCode, string(b[:n])
	}
	expect := func(site, user, secret string, want int) {
		t.Helper()
		if status, body := get(site, user, secret); status != want || status == 200 && !strings.HasPrefix(body, "user="+user+" ") {
			t.Errorf("%s, user %.40q: %d %q, want %d", site, user, status, body, want)
		}
	}

	// Links verify with the secret of their user, and with no other.
	for _, site := range []string{"numbers", "lenient", "names"} {
		expect(site, "12", "secret of 12", 200)
		expect(site, "12", "secret of 13", 401)
		expect(site, "99", "secret of 12", 401)
	}
	expect("numbers", "13", "secret of 13", 200)
	expect("names", "admin", "secret of admin", 200)
	for _, user := range []string{"14", "15"} { // NULL, and empty
		expect("numbers", user, "", 401)
		expect("numbers", user, "NULL", 401)
	}

	// Ids that the database finds 12 or admin for, or that it cannot read at all; each
	// with the secret of whom it would find.
	for _, user := range []string{
		"12abc", " 12", "12 ", "012", "+12", "12.0", "1.2e1", "0xc", "１２", "99999999999999999999", "' OR '1'='1", "e\u0301",
		"ADMIN", "Admin", "admin ", "\u00e1dmin", "adm\u0131n", "\U0001F600", "12\x00", "\x00", "ad\x00min",
		"12" + strings.Repeat(" ", 10<<10), strings.Repeat("1", 10<<10),
	} {
		for site, secret := range map[string]string{"numbers": "secret of 12", "lenient": "secret of 12", "names": "secret of admin"} {
			if status, body := get(site, user, secret); status != 400 && status != 401 {
				t.Errorf("%s: the id %.40q: %d %s", site, user, status, body)
			}
		}
	}
	// and never was it the database that failed
	if log := g.Log(); strings.Contains(log, "user keys cannot be looked up") {
		t.Errorf("hostile ids made errors:\n%s", log)
	}

	// A query that writes does not, and one that is wrong is said to be.
	expect("writes", "12", "secret of 12", 503)
	expect("wrong", "12", "secret of 12", 503)
	var secret string
	if err := db.Open().QueryRow("SELECT secret_token FROM users WHERE id = 12").Scan(&secret); err != nil || secret != "secret of 12" {
		t.Errorf("the secret in the table is %q, %v", secret, err)
	}
	for _, want := range []string{"the query wants to write", "no_such_column"} {
		if !strings.Contains(g.Log(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}

	// A slow query is cut off, here and in the database.
	began := time.Now()
	expect("slow", "12", "secret of 12", 503)
	if took := time.Since(began); took < 400*time.Millisecond || took > 5*time.Second {
		t.Errorf("the slow query took %s", took)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		n := -1
		if err := db.Open().QueryRow(d.running).Scan(&n); n == 0 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d slow queries run still in the database: %v", n, err)
		}
	}

	// A new secret counts within the TTL.
	expect("numbers", "13", "secret of 13", 200)
	db.Exec("UPDATE users SET secret_token = 'new secret of 13' WHERE id = 13")
	changed := time.Now()
	for status := 0; status != 200; status, _ = get("numbers", "13", "new secret of 13") {
		if time.Since(changed) > 5*time.Second {
			t.Fatal("the new secret does not count")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("the new secret counted after %s, with a TTL of 300ms", time.Since(changed).Round(time.Millisecond))
	expect("numbers", "13", "secret of 13", 401)

	killUnderLoad(t, db, get)

	if log := g.Log(); strings.Contains(log, "canary") || strings.Contains(log, "secret of") || strings.Contains(log, "panic") {
		t.Errorf("the log shows a secret, or a panic:\n%s", log)
	}
}

// killUnderLoad kills the database and starts it again, three times, while links are
// followed: no verdict is wrong, and what cannot be known is said to be so.
func killUnderLoad(t *testing.T, db *backends.Database, get func(site, user, secret string) (int, string)) {
	t.Helper()
	stop := make(chan struct{})
	var workers sync.WaitGroup
	var verified, refused, unavailable, nobody atomic.Int64
	worker := func(site, user, secret string, allowed map[int]*atomic.Int64) {
		workers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := user
				if id == "" {
					id = fmt.Sprintf("7%06d", i)
				}
				status, body := get(site, id, secret)
				count := allowed[status]
				if site == "recognize" && strings.HasPrefix(body, "user= ") {
					count = &nobody
				}
				if count == nil || count == &verified && !strings.HasPrefix(body, "user="+id+" ") {
					t.Errorf("%s, user %s: %d %s", site, id, status, body)
					return
				}
				count.Add(1)
			}
		})
	}
	for range 2 {
		worker("numbers", "12", "secret of 12", map[int]*atomic.Int64{200: &verified, 503: &unavailable})
		worker("numbers", "12", "another secret", map[int]*atomic.Int64{401: &refused, 503: &unavailable})
		worker("numbers", "", "secret of 12", map[int]*atomic.Int64{401: &refused, 503: &unavailable})
		worker("recognize", "12", "secret of 12", map[int]*atomic.Int64{200: &verified})
	}
	eventually := func(site string, want int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			status, _ := get(site, "12", "secret of 12")
			if status == want {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%s: %d, and not yet %d", site, status, want)
				return
			}
		}
	}
	for range 3 {
		eventually("numbers", 200)
		db.Kill()
		if status, body := get("numbers", "12", "another secret"); status != 401 && status != 503 {
			t.Errorf("while the database is down: %d %s", status, body)
		}
		eventually("numbers", 503) // once it is no longer remembered
		db.Start()
		eventually("numbers", 200)
	}
	close(stop)
	workers.Wait()
	if verified.Load() == 0 || refused.Load() == 0 || unavailable.Load() == 0 || nobody.Load() == 0 {
		t.Error("something never happened")
	}
	t.Logf("%d verified, %d refused, %d unavailable, %d recognized as nobody, over three crashes", verified.Load(), refused.Load(), unavailable.Load(), nobody.Load())
}
