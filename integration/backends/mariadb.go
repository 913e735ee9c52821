package backends

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	_ "github.com/go-sql-driver/mysql" // its driver

	"github.com/signedlink/caddy-signed-link/integration/process"
)

// StartMariaDB starts MariaDB with an empty database named app.
func StartMariaDB(t testing.TB) *Database {
	t.Helper()
	Require(t, "mariadbd", "mariadb-install-db")
	dir := databaseDir(t, "mariadb")
	lower := lowerTo(t, dir)
	data := filepath.Join(dir, "data")
	install := lower(exec.Command(program("mariadb-install-db"), "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve"))
	install.Dir = dir
	install.Env = append(os.Environ(), "TMPDIR="+dir)
	setUp(t, install)
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	accounts := filepath.Join(dir, "accounts.sql")
	if err := os.WriteFile(accounts, []byte("CREATE DATABASE IF NOT EXISTS app CHARACTER SET utf8mb4;\n"+
		"CREATE USER IF NOT EXISTS links@'127.0.0.1' IDENTIFIED BY 'canary';\nGRANT ALL ON *.* TO links@'127.0.0.1';\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return newDatabase(t, &Database{
		DSN:    fmt.Sprintf("links:canary@tcp(127.0.0.1:%d)/app", port),
		Port:   port,
		driver: "mysql",
		dir:    dir,
		command: func() *exec.Cmd {
			cmd := lower(exec.Command(program("mariadbd"), "--no-defaults", "--datadir="+data, "--port="+strconv.Itoa(port), "--bind-address=127.0.0.1",
				"--socket="+filepath.Join(dir, "s"), "--pid-file="+filepath.Join(dir, "pid"), "--tmpdir="+dir, "--init-file="+accounts,
				"--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve", "--max-connections=50"))
			cmd.Dir = dir
			return cmd
		},
	})
}
