package backends

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/process"
)

const databaseStartLimit = 60 * time.Second

// Database is a running database server with data of its own.
type Database struct {
	// DSN is for the Go driver, as an account that may read and write.
	DSN string
	// Port is where it listens on 127.0.0.1.
	Port int

	t       testing.TB
	driver  string // of database/sql
	command func() *exec.Cmd
	dir     string

	mu      sync.Mutex
	process *process.Process
	starts  int
}

// Open returns a pool of connections, closed with the test.
func (d *Database) Open() *sql.DB {
	d.t.Helper()
	db, err := sql.Open(d.driver, d.DSN)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { db.Close() })
	return db
}

// Exec runs statements.
func (d *Database) Exec(statements ...string) {
	d.t.Helper()
	db := d.Open()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			d.t.Fatalf("%.200s: %v", statement, err)
		}
	}
}

// Kill ends the server at once, as a crash does.
func (d *Database) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.process != nil {
		d.process.Kill()
		d.process = nil
	}
}

// Start starts the server again, on the same port, and waits until it answers.
func (d *Database) Start() {
	d.t.Helper()
	deadline := time.Now().Add(databaseStartLimit)
	for attempt := 1; ; attempt++ {
		err := d.start(deadline)
		if err == nil {
			return
		}
		if attempt == 3 || time.Now().After(deadline) {
			d.t.Fatal(err)
		}
		d.Kill()
		time.Sleep(time.Second) // what the killed one left behind is still ending
	}
}

func (d *Database) start(deadline time.Time) error {
	d.mu.Lock()
	d.starts++
	p, err := process.Start(d.command(), filepath.Join(d.dir, "output-"+strconv.Itoa(d.starts)+".log"))
	d.process = p
	d.mu.Unlock()
	if err != nil {
		return err
	}
	db, err := sql.Open(d.driver, d.DSN)
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		if err = db.Ping(); err == nil {
			return nil
		}
		if p.Ended() || time.Now().After(deadline) {
			return errors.New(err.Error() + "; its output:\n" + p.Output())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// unprivileged is the account as which databases run if the tests run as root, which
// PostgreSQL refuses.
const unprivileged = "nobody"

// lowerTo has the command run without privileges, if there are any, and gives it the
// directories.
func lowerTo(t testing.TB, directories ...string) func(*exec.Cmd) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		return func(cmd *exec.Cmd) *exec.Cmd { return cmd }
	}
	account, err := user.Lookup(unprivileged)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range directories {
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	return func(cmd *exec.Cmd) *exec.Cmd {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		return cmd
	}
}

// databaseDir makes a directory that an account without privileges can reach: that of
// t.TempDir is below one that only its owner can.
func databaseDir(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// newDatabase starts the server.
func newDatabase(t testing.TB, d *Database) *Database {
	t.Helper()
	d.t = t
	t.Cleanup(d.Kill)
	d.Start()
	return d
}

// setUp runs a command to its end.
func setUp(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}
