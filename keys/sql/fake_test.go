package sql_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// server is a database without a network. It compares ids as MariaDB does: without
// regard to case and trailing blanks, and a number by the digits at the beginning.
type server struct {
	mu        sync.Mutex
	rows      [][2]driver.Value // id and secret
	columns   int               // in place of 2
	delay     time.Duration
	hang      chan struct{}   // if not nil, queries wait until it is closed, or their context is done
	err       error           // of every query
	values    map[string]bool // ids that the database cannot compare with its column
	panics    bool
	down      bool
	epoch     int // grows with every restart: connections of another epoch are dead
	queries   int
	prepares  int
	connects  int
	open      int // connections
	running   int
	busiest   int
	begins    int // transactions
	readWrite int // those that were not read-only
}

func newServer(users map[string]string) *server {
	s := &server{}
	for id, secret := range users {
		s.rows = append(s.rows, [2]driver.Value{id, secret})
	}
	return s
}

// set changes the server.
func (s *server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// get reads one of the server's counters.
func (s *server) get(n *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *n
}

func (s *server) restart() { s.set(func() { s.epoch++; s.down = false }) }

// answer is an error that the database answers with.
type answer struct {
	text                 string
	value, broken, stale bool
}

func (a *answer) Error() string { return a.text + ", and the DSN is fake://canary" }

func (a *answer) Problem() (string, bool, bool, bool) { return a.text, a.value, a.broken, a.stale }

func (s *server) Connect(context.Context) (driver.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, &net.OpError{Op: "dial", Net: "canary", Err: syscall.ECONNREFUSED}
	}
	s.connects++
	s.open++
	return &conn{s: s, epoch: s.epoch}, nil
}

func (s *server) Driver() driver.Driver { return nil }

type conn struct {
	s     *server
	epoch int
}

// alive is called with the lock.
func (c *conn) alive() error {
	if c.s.down || c.epoch != c.s.epoch {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (c *conn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not used") }
func (c *conn) Begin() (driver.Tx, error)           { return nil, errors.New("not used") }
func (c *conn) Close() error                        { c.s.set(func() { c.s.open-- }); return nil }

func (c *conn) IsValid() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.alive() == nil
}

func (c *conn) PrepareContext(context.Context, string) (driver.Stmt, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.prepares++
	return &stmt{c}, c.alive()
}

func (c *conn) BeginTx(_ context.Context, o driver.TxOptions) (driver.Tx, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.begins++
	if !o.ReadOnly {
		c.s.readWrite++
	}
	return c, c.alive()
}

func (c *conn) Commit() error   { return nil }
func (c *conn) Rollback() error { return nil }

type stmt struct{ c *conn }

func (*stmt) Close() error                               { return nil }
func (*stmt) NumInput() int                              { return 1 }
func (*stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.New("not used") }
func (*stmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errors.New("not used") }

func (q *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s := q.c.s
	s.mu.Lock()
	if err := q.c.alive(); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	s.queries++
	s.running++
	s.busiest = max(s.busiest, s.running)
	hang, delay := s.hang, s.delay
	s.mu.Unlock()
	defer s.set(func() { s.running-- })
	if hang == nil {
		closed := make(chan struct{})
		close(closed)
		hang = closed
	}
	select {
	case <-hang:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := q.c.alive(); err != nil {
		return nil, err
	}
	if s.panics {
		panic("fake://canary")
	}
	if s.err != nil {
		return nil, s.err
	}
	if s.values[args[0].Value.(string)] {
		return nil, &answer{text: "no value of the column", value: true}
	}
	r := &rows{columns: 2}
	if s.columns != 0 {
		r.columns = s.columns
	}
	for _, row := range s.rows {
		if id, ok := row[0].(string); !ok || sloppy(id) == sloppy(args[0].Value.(string)) {
			r.rows = append(r.rows, row)
		}
	}
	return r, nil
}

// sloppy is what the server compares.
func sloppy(id string) string {
	id = strings.TrimSpace(id)
	end := 0
	for end < len(id) && '0' <= id[end] && id[end] <= '9' {
		end++
	}
	if end > 0 {
		return strings.TrimLeft(id[:end], "0")
	}
	return strings.ToLower(id)
}

type rows struct {
	columns int
	rows    [][2]driver.Value
}

func (r *rows) Columns() []string { return make([]string, r.columns) }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(dest []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(dest, r.rows[0][:])
	r.rows = r.rows[1:]
	return nil
}
