package sql

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/keys"
)

// Problem is implemented by the fake driver's errors that stand for a database's answer.
type Problem interface {
	error
	Problem() (text string, value, broken, stale bool)
}

func fakeDialect(connector func(dsn string) (driver.Connector, error), linger time.Duration) *dialect {
	return &dialect{
		connector: func(dsn string, _ time.Duration) (driver.Connector, error) { return connector(dsn) },
		judge: func(err error) (problem, bool) {
			var p Problem
			if !errors.As(err, &p) {
				return problem{}, false
			}
			text, value, broken, stale := p.Problem()
			return problem{text: text, value: value, broken: broken, stale: stale}, true
		},
		linger: linger,
	}
}

// AddDriver adds a kind of database for the time of the test.
func AddDriver(t testing.TB, name string, connector func(dsn string) (driver.Connector, error), linger time.Duration) {
	dialects[name] = fakeDialect(connector, linger)
	t.Cleanup(func() { delete(dialects, name) })
}

// Options are the settings of a database under test.
type Options struct {
	TTL, NegativeTTL, Timeout time.Duration
	Cache, MaxLookups         int
	Now                       func() time.Time
	Logger                    *zap.Logger
}

// Database is a database under test.
type Database struct {
	keys.UserSource
	x *database
}

// Open opens a database.
func Open(t testing.TB, o Options, c driver.Connector) *Database {
	orElse := func(d *time.Duration, other time.Duration) {
		if *d == 0 {
			*d = other
		}
	}
	orElse(&o.TTL, time.Minute)
	orElse(&o.NegativeTTL, o.TTL)
	orElse(&o.Timeout, 5*time.Second)
	if o.Cache == 0 {
		o.Cache = 1000
	}
	if o.MaxLookups == 0 {
		o.MaxLookups = 8
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	s := settings{driver: "fake", query: "SELECT", ttl: o.TTL, negativeTTL: o.NegativeTTL, timeout: o.Timeout, cache: o.Cache, maxLookups: o.MaxLookups}
	x := newDatabase(s, fakeDialect(nil, 0), stdsql.OpenDB(c), o.Logger)
	if o.Now != nil {
		x.now = o.Now
	}
	t.Cleanup(func() { _ = x.close() })
	return &Database{UserSource: &users{database: func() *database { return x }}, x: x}
}

// Close closes the database, which no configuration uses.
func (d *Database) Close() error { return d.x.close() }

// Remembered returns how many ids are remembered.
func (d *Database) Remembered() int { return d.x.memory.len() }

// Holds reports whether the memory holds the text of the id itself, and not one of its own.
func (d *Database) Holds(user string) bool {
	e := d.x.memory.index[user]
	return e != nil && unsafe.StringData(e.user) == unsafe.StringData(user)
}

// Waiting returns how many lookups are in flight or wait for their turn.
func (d *Database) Waiting() int { return int(d.x.queue.Load()) }

// Remember fills the memory.
func (d *Database) Remember(user string, secret keys.Secret) {
	d.x.memory.put(user, answer{secret: secret, exists: true}, d.x.now(), d.x.now().Add(d.x.ttl))
}

// PrepareQuery is what becomes of a query.
func PrepareQuery(driver, query string) (string, error) {
	return dialects[driver].syntax.prepare(query)
}

// Explain says what an error means.
func Explain(driver string, err error) (text string, value, broken, stale bool) {
	p := dialects[driver].explain(err)
	return p.text, p.value, p.broken, p.stale
}

// Provision checks the options, and logs to the logger.
func Provision(s *Source, logger *zap.Logger) error {
	s.logger = logger
	return s.provision()
}

// References returns how many sources use what the source uses.
func References(s *Source) int {
	n, _ := pool.References(s.key)
	return n
}

// DatabaseOf returns the identity of what the source uses.
func DatabaseOf(source keys.UserSource) any { return source.(*users).database() }

// Connect connects as a driver does, for the benefit of tests.
func Connect(c driver.Connector) (driver.Conn, error) { return c.Connect(context.Background()) }
