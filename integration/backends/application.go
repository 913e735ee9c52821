package backends

import (
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Application is an application of Debian's, unmodified, in PHP-FPM and with a database of
// its own, that believes who its web server says the user is.
type Application struct {
	*FPM
	Database *Database
	// Page is the path of the page on which it logs in.
	Page string
	// Cookie is the name of its session's cookie.
	Cookie string

	who func(session string, body []byte) (string, error)
}

// Who is the user whom the application takes for logged in, by the page that it has
// answered with and the session that it belongs to; "" is nobody.
func (a *Application) Who(t testing.TB, session string, body []byte) string {
	t.Helper()
	who, err := a.who(session, body)
	if err != nil {
		t.Fatal(err)
	}
	return who
}

const (
	ttrssPages  = "/usr/share/tt-rss/www"
	ttrssSchema = "/usr/share/tt-rss/schema/ttrss_schema_pgsql.sql"
	cactiPages  = "/usr/share/cacti/site"
	cactiSchema = "/usr/share/cacti/conf_templates/cacti.sql"
)

// ApplicationHost is the name under which the applications are reached.
const ApplicationHost = "application.example"

// StartTTRSS starts tt-rss with PostgreSQL. It logs in, and creates, whoever
// REMOTE_USER names, or else the header Remote-User, or else PHP_AUTH_USER (its plugin
// auth_remote); its own administrator is admin.
func StartTTRSS(t testing.TB) *Application {
	t.Helper()
	Require(t, "tt-rss", "postgresql")
	db := StartPostgres(t)
	psql := exec.Command(filepath.Join(postgresBin(), "psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--output="+os.DevNull, "--file="+ttrssSchema, db.DSN)
	psql.Env = append(os.Environ(), "PGOPTIONS=-c client_min_messages=error")
	setUp(t, psql)

	dir := databaseDir(t, "tt-rss")
	root := filepath.Join(dir, "www")
	copyScripts(t, ttrssPages, root)
	server := parseURL(t, db.DSN)
	password, _ := server.User.Password()
	settings, err := os.ReadFile("/etc/tt-rss/config.php")
	if err != nil {
		t.Fatal(err)
	}
	// Debian's settings, less those of its own database and of this place: what is defined
	// first stays.
	own := fmt.Sprintf(`<?php
define('DB_TYPE', 'pgsql');
define('DB_HOST', '%s');
define('DB_PORT', '%s');
define('DB_USER', '%s');
define('DB_PASS', '%s');
define('DB_NAME', '%s');
define('SELF_URL_PATH', 'http://%s/');
define('LOCK_DIRECTORY', '%[7]s/lock');
define('CACHE_DIR', '%[7]s/cache');
define('PLUGINS', 'auth_internal, auth_remote');
define('LOG_DESTINATION', '');
define('CHECK_FOR_UPDATES', false);
`, server.Hostname(), server.Port(), server.User.Username(), password, strings.TrimPrefix(server.Path, "/"), ApplicationHost, dir)
	for line := range strings.Lines(string(settings)) {
		name, _, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "define('"), "'")
		if found && strings.Contains(line, "define(") && !strings.Contains(own, "'"+name+"'") {
			own += line
		}
	}
	if err := os.Remove(filepath.Join(root, "config.php")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "config.php"), []byte(own))
	if err := os.Remove(filepath.Join(root, "feed-icons")); err != nil { // a link
		t.Fatal(err)
	}
	for _, writable := range []string{"lock", "cache/images", "cache/export", "cache/upload", "cache/simplepie", "cache/feeds", "cache/starred-images", "www/feed-icons"} {
		if err := os.MkdirAll(filepath.Join(dir, writable), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	sessions := db.Open()
	return &Application{
		FPM:      startApplication(t, dir, root),
		Database: db,
		Page:     "/",
		Cookie:   "ttrss_sid",
		// Its pages do not say whose they are; it keeps its sessions in the database.
		who: func(session string, _ []byte) (string, error) {
			var encoded string
			err := sessions.QueryRow("SELECT data FROM ttrss_sessions WHERE id = $1", session).Scan(&encoded)
			if errors.Is(err, sql.ErrNoRows) {
				return "", nil
			}
			if err != nil {
				return "", err
			}
			data, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				return "", err
			}
			return firstMatch(ttrssName, data), nil
		},
	}
}

// ttrssName is the user in a session of tt-rss, as PHP writes it.
var ttrssName = regexp.MustCompile(`(?:^|;)name\|s:\d+:"([^"]*)";`)

// cactiName is the user in a page of Cacti.
var cactiName = regexp.MustCompile(`Logged in as <[^>]*>([^<]*)<`)

func firstMatch(pattern *regexp.Regexp, text []byte) string {
	if found := pattern.FindSubmatch(text); found != nil {
		return string(found[1])
	}
	return ""
}

// StartCacti starts Cacti with MariaDB, with Web Basic Authentication: it logs in whoever
// PHP_AUTH_USER names, or else REMOTE_USER, or else the headers of these names. It knows
// admin, jeff and mike.
func StartCacti(t testing.TB) *Application {
	t.Helper()
	Require(t, "cacti", "mariadbd", "mariadb")
	db := StartMariaDB(t)
	schema, err := os.Open(cactiSchema)
	if err != nil {
		t.Fatal(err)
	}
	defer schema.Close()
	port := fmt.Sprint(db.Port)
	mariadb := exec.Command(program("mariadb"), "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--port="+port, "--user=links", "--password=canary", "app")
	mariadb.Stdin = schema
	setUp(t, mariadb)
	dir := databaseDir(t, "cacti")
	version, err := os.ReadFile(filepath.Join(cactiPages, "include", "cacti_version"))
	if err != nil {
		t.Fatal(err)
	}
	db.Exec(
		"REPLACE INTO settings (name, value) VALUES ('auth_method', '2')",
		"REPLACE INTO settings (name, value) VALUES ('path_cactilog', '"+filepath.Join(dir, "site", "log", "cacti.log")+"')",
		"REPLACE INTO settings (name, value) VALUES ('path_stderrlog', '"+filepath.Join(dir, "site", "log", "cacti_stderr.log")+"')",
		"TRUNCATE version",
		"INSERT INTO version (cacti) VALUES ('"+strings.TrimSpace(string(version))+"')",
		// administrators that the web server has authenticated: realm 2
		"UPDATE user_auth SET realm = 2, must_change_password = '' WHERE username = 'admin'",
	)
	for _, user := range []string{"jeff", "mike"} {
		db.Exec(
			"INSERT INTO user_auth (username, password, realm, full_name, login_opts, policy_graphs, policy_trees, policy_hosts, policy_graph_templates, enabled)"+
				" VALUES ('"+user+"', '', 2, '"+user+"', 1, 1, 1, 1, 1, 'on')",
			"INSERT INTO user_auth_realm (realm_id, user_id) SELECT 8, id FROM user_auth WHERE username = '"+user+"'",
			"INSERT INTO user_auth_realm (realm_id, user_id) SELECT 7, id FROM user_auth WHERE username = '"+user+"'",
		)
	}

	root := filepath.Join(dir, "site")
	copyScripts(t, cactiPages, root)
	config := filepath.Join(root, "include", "config.php")
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	write(t, config, []byte(fmt.Sprintf(`<?php
$database_type = 'mysql';
$database_default = 'app';
$database_hostname = '127.0.0.1';
$database_username = 'links';
$database_password = 'canary';
$database_port = '%s';
$database_retries = 5;
$database_ssl = false;
$poller_id = 1;
$url_path = '/cacti/';
$cacti_session_name = 'Cacti';
`, port)))
	for _, writable := range []string{"log", "cache", "rra"} {
		if err := os.RemoveAll(filepath.Join(root, writable)); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(root, writable), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return &Application{
		FPM:      startApplication(t, dir, root),
		Database: db,
		Page:     "/cacti/index.php",
		Cookie:   "Cacti",
		who:      func(_ string, body []byte) (string, error) { return firstMatch(cactiName, body), nil },
	}
}

// startApplication starts PHP-FPM, with all that is in the directory its own.
func startApplication(t testing.TB, dir, root string) *FPM {
	t.Helper()
	sessions := filepath.Join(dir, "sessions")
	if err := os.Mkdir(sessions, 0o777); err != nil {
		t.Fatal(err)
	}
	return StartFPM(t, WithTCP(), WithINI("session.save_path", sessions), WithINI("memory_limit", "256M"), WithINI("date.timezone", "UTC"),
		func(o *phpOptions) { o.application, o.directory, o.modules = root, dir, true })
}

// copyScripts copies the tree of an application such that its scripts find each other in
// the copy; what holds no script is a link to the original.
func copyScripts(t testing.TB, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		switch {
		case entry.IsDir() && hasScripts(t, source):
			copyScripts(t, source, target)
		case entry.Type().IsRegular() && filepath.Ext(source) == ".php":
			text, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			write(t, target, text)
		default:
			if resolved, err := filepath.EvalSymlinks(source); err == nil {
				source = resolved
			}
			if err := os.Symlink(source, target); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func hasScripts(t testing.TB, dir string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".php" {
			found = true
			return filepath.SkipAll
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// everything returns all directories below the directory, and itself.
func everything(t testing.TB, dir string) (directories []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			directories = append(directories, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return directories
}

func parseURL(t testing.TB, text string) *url.URL {
	t.Helper()
	parsed, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
