package backends

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // its driver

	"github.com/signedlink/caddy-signed-link/integration/process"
)

// postgresBin returns the directory of the newest PostgreSQL: Debian keeps them out of
// PATH, one directory for each version.
func postgresBin() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	best, bin := 0, ""
	for _, dir := range found {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if _, missing := os.Stat(filepath.Join(dir, "postgres")); err == nil && missing == nil && version > best {
			best, bin = version, dir
		}
	}
	return bin
}

// StartPostgres starts PostgreSQL with an empty database in UTF-8.
func StartPostgres(t testing.TB) *Database {
	t.Helper()
	Require(t, "postgresql")
	bin, dir := postgresBin(), databaseDir(t, "postgres")
	lower := lowerTo(t, dir)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("canary"), 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	initdb := lower(exec.Command(filepath.Join(bin, "initdb"), "--pgdata="+data, "--username=links", "--pwfile="+password,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"))
	initdb.Dir = dir
	setUp(t, initdb)
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return newDatabase(t, &Database{
		DSN:    fmt.Sprintf("postgres://links:canary@127.0.0.1:%d/postgres?sslmode=disable", port),
		Port:   port,
		driver: "pgx",
		dir:    dir,
		command: func() *exec.Cmd {
			cmd := lower(exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port),
				"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=50",
				"-c", "shared_buffers=16MB", "-c", "fsync=off"))
			cmd.Dir = dir
			return cmd
		},
	})
}
