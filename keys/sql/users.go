package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/singleflight"

	"github.com/signedlink/caddy-signed-link/internal/sourcemetrics"
	"github.com/signedlink/caddy-signed-link/keys"
)

const (
	// maxRows is how many rows for one id are looked at. A collation that finds
	// ADMIN for admin gives several.
	maxRows = 64

	// maxSecret is the greatest length of a user's secret, in bytes.
	maxSecret = 4096

	// waiting lookups for each one in flight; with more, the next fail at once
	queueFactor = 64

	// sameProblem is how long the log keeps quiet about a problem that it has named.
	sameProblem = time.Minute
)

// settings are what makes two sources the same.
type settings struct {
	driver      string
	query       string // as the database takes it
	ttl         time.Duration
	negativeTTL time.Duration
	timeout     time.Duration
	cache       int
	maxLookups  int
}

// database is the source of user keys that several configurations may share. What it
// has no goroutine for, it has no state for: without a lookup nothing runs.
type database struct {
	settings
	dialect *dialect
	db      *stdsql.DB
	now     func() time.Time
	logger  atomic.Pointer[zap.Logger] // of the configuration that came last

	memory  *cache // of users and strangers
	flights singleflight.Group
	slots   chan struct{} // one for each lookup in flight
	queue   atomic.Int64  // lookups in flight or waiting for a slot

	stmtMu sync.Mutex
	stmt   *statement

	mu      sync.Mutex
	closed  atomic.Bool    // set with mu
	retired bool           // no configuration uses it: no connection is kept
	lookups sync.WaitGroup // added to while not closed

	logMu  sync.Mutex
	logged map[string]time.Time
}

func newDatabase(s settings, d *dialect, db *stdsql.DB, logger *zap.Logger) *database {
	db.SetMaxOpenConns(s.maxLookups)
	db.SetMaxIdleConns(s.maxLookups)
	db.SetConnMaxIdleTime(time.Minute)
	db.SetConnMaxLifetime(10 * time.Minute)
	x := &database{
		settings: s,
		dialect:  d,
		db:       db,
		now:      time.Now,
		memory:   newCache(s.cache),
		slots:    make(chan struct{}, s.maxLookups),
		logged:   make(map[string]time.Time),
	}
	x.logger.Store(logger)
	return x
}

// unavailable is the error of a lookup that gave no answer.
func unavailable(text string) error { return fmt.Errorf("%w: %s", keys.ErrUnavailable, text) }

// userKey answers from memory, or asks the database. A lookup goes on for the others
// who wait for the same user when the request that began it is given up.
func (x *database) userKey(ctx context.Context, user string) (keys.Secret, error) {
	// No database that speaks of text has such an id; asking it makes errors only.
	if user == "" || len(user) > keys.MaxUserIDBytes || strings.IndexByte(user, 0) >= 0 || !utf8.ValidString(user) {
		return keys.Secret{}, keys.ErrNoUser
	}
	if x.closed.Load() {
		return keys.Secret{}, unavailable("its configuration is no longer in force")
	}
	if a, known := x.memory.get(user, x.now()); known {
		return a.userKey()
	}
	select {
	case result := <-x.flights.DoChan(user, func() (any, error) { return x.lookUp(user) }):
		secret, _ := result.Val.(keys.Secret)
		return secret, result.Err
	case <-ctx.Done():
		return keys.Secret{}, unavailable("the request was given up")
	}
}

// lookUp asks the database and remembers the answer.
func (x *database) lookUp(user string) (secret keys.Secret, err error) {
	if !x.enter() {
		return keys.Secret{}, unavailable("its configuration is no longer in force")
	}
	defer x.lookups.Done()
	if a, known := x.memory.get(user, x.now()); known {
		return a.userKey() // a flight that ended since this one was called for
	}
	if x.queue.Add(1) > int64(cap(x.slots)*(1+queueFactor)) {
		x.queue.Add(-1)
		return x.failed(problem{text: "too many lookups wait for the database"})
	}
	defer x.queue.Add(-1)
	ctx, cancel := context.WithTimeout(context.Background(), x.timeout)
	defer cancel()
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-ctx.Done():
		return x.failed(problem{text: fmt.Sprintf("all of max_lookups were busy for %s", x.timeout)})
	}

	asked, began := x.now(), time.Now()
	secret, found, err := x.ask(ctx, user)
	sourcemetrics.Seconds.WithLabelValues(metricsLabel).Observe(time.Since(began).Seconds())
	if err != nil {
		p := x.dialect.explain(err)
		if !p.value {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				p.text = fmt.Sprintf("the database did not answer within %s", x.timeout)
			}
			return x.failed(p)
		}
		x.log(zap.InfoLevel, "the database cannot compare an id with its column, so there is no such user", p.text)
	}
	ttl := x.ttl
	if !found {
		ttl = x.negativeTTL
	}
	// What is true was true when it was asked for, not when it came.
	a := answer{secret: secret, exists: found}
	x.memory.put(user, a, asked, asked.Add(ttl))
	return a.userKey()
}

func (x *database) failed(p problem) (keys.Secret, error) {
	sourcemetrics.Errors.WithLabelValues(metricsLabel).Inc()
	x.log(zap.ErrorLevel, "user keys cannot be looked up", p.text)
	return keys.Secret{}, unavailable(p.text)
}

// log names a problem once in a while.
func (x *database) log(level zapcore.Level, message, cause string) {
	x.logMu.Lock()
	now := time.Now()
	last, again := x.logged[cause]
	quiet := again && now.Sub(last) < sameProblem
	if !quiet {
		if len(x.logged) >= 64 {
			clear(x.logged)
		}
		x.logged[cause] = now
	}
	x.logMu.Unlock()
	if quiet {
		return
	}
	if c := x.logger.Load().Check(level, message); c != nil {
		c.Write(zap.String("driver", x.driver), zap.String("cause", cause))
	}
}

// ask asks the database, a second time over a new connection if the first one broke:
// after a restart of the database every pooled connection is dead.
func (x *database) ask(ctx context.Context, user string) (secret keys.Secret, found bool, err error) {
	defer func() {
		if r := recover(); r != nil { // a driver's, on an answer that it did not expect
			err = &queryError{text: fmt.Sprintf("the driver failed: a %T", r)}
		}
	}()
	for attempt := 1; ; attempt++ {
		secret, found, err = x.once(ctx, user)
		if err == nil || ctx.Err() != nil || attempt == 2 {
			return secret, found, err
		}
		switch p := x.dialect.explain(err); {
		case p.broken:
			x.dropIdle()
		case p.stale:
		default:
			return secret, found, err
		}
	}
}

// once runs the query once.
func (x *database) once(ctx context.Context, user string) (secret keys.Secret, found bool, err error) {
	stmt, err := x.prepared(ctx)
	if err != nil {
		return secret, false, err
	}
	defer func() { x.release(stmt, err != nil && x.dialect.explain(err).stale) }()
	tx, err := x.db.BeginTx(ctx, &stdsql.TxOptions{ReadOnly: true})
	if err != nil {
		return secret, false, err
	}
	secret, found, err = x.run(ctx, tx.StmtContext(ctx, stmt.stmt), user)
	// Not deferred: after a driver's panic database/sql waits in here for ever.
	_ = tx.Rollback() // nothing was written
	return secret, found, err
}

func (x *database) run(ctx context.Context, stmt *stdsql.Stmt, user string) (secret keys.Secret, found bool, err error) {
	rows, err := stmt.QueryContext(ctx, user)
	if err != nil {
		return secret, false, err
	}
	columns, err := rows.Columns()
	switch {
	case err != nil:
	case len(columns) != 2:
		err = &queryError{text: fmt.Sprintf("the query returns %d columns; it returns two, the user's id and secret, in this order", len(columns))}
	default:
		secret, found, err = x.read(rows, user)
	}
	_ = rows.Close() // not deferred either; read has its error
	return secret, found, err
}

// read looks among the rows for the one whose id is, byte for byte, the one that was
// asked for: databases find 12 for `12abc` and `admin` for `ADMIN`.
func (x *database) read(rows *stdsql.Rows, user string) (secret keys.Secret, found bool, err error) {
	seen := false
	var first keys.Secret
	for n := 1; rows.Next(); n++ {
		if n > maxRows {
			x.log(zap.WarnLevel, "an id has no secret that counts", fmt.Sprintf("the query returns more than %d rows for one id", maxRows))
			return keys.Secret{}, false, nil
		}
		var id, value stdsql.RawBytes
		if err := rows.Scan(&id, &value); err != nil {
			return keys.Secret{}, false, &queryError{text: "the query returns an id or a secret that is no text; convert it in the query"}
		}
		if id == nil || string(id) != user {
			continue
		}
		if len(value) > maxSecret {
			x.log(zap.WarnLevel, "an id has no secret that counts", fmt.Sprintf("a secret has more than %d bytes", maxSecret))
			return keys.Secret{}, false, nil
		}
		if seen && string(first.Bytes()) != string(value) {
			x.log(zap.WarnLevel, "an id has no secret that counts", "the query returns several rows with the same id and different secrets")
			return keys.Secret{}, false, nil
		}
		seen, first = true, keys.NewSecret(value)
	}
	if err := rows.Err(); err != nil {
		return keys.Secret{}, false, err
	}
	return first, !first.Empty(), nil
}

// statement is the prepared query. One that is stale is closed when nobody uses it.
type statement struct {
	stmt  *stdsql.Stmt
	users int
	stale bool
}

// prepared returns the prepared query, which the caller releases.
func (x *database) prepared(ctx context.Context) (*statement, error) {
	x.stmtMu.Lock()
	if s := x.stmt; s != nil {
		s.users++
		x.stmtMu.Unlock()
		return s, nil
	}
	x.stmtMu.Unlock()
	// Without the lock: several may prepare at once, and one of them is kept.
	stmt, err := x.db.PrepareContext(ctx, x.query)
	if err != nil {
		return nil, err
	}
	x.stmtMu.Lock()
	defer x.stmtMu.Unlock()
	s := &statement{stmt: stmt, users: 1}
	if x.stmt == nil {
		x.stmt = s
	} else {
		s.stale = true
	}
	return s, nil
}

func (x *database) release(s *statement, stale bool) {
	x.stmtMu.Lock()
	defer x.stmtMu.Unlock()
	s.users--
	s.stale = s.stale || stale
	if s.stale && x.stmt == s {
		x.stmt = nil
	}
	if s.stale && s.users == 0 {
		_ = s.stmt.Close()
	}
}

// dropIdle closes the connections that nobody uses.
func (x *database) dropIdle() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.db.SetMaxIdleConns(0)
	if !x.retired {
		x.db.SetMaxIdleConns(x.maxLookups)
	}
}

// enter counts a lookup, unless the database is closed.
func (x *database) enter() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed.Load() {
		return false
	}
	x.lookups.Add(1)
	return true
}

// Destruct implements caddy.Destructor: no configuration uses the database any more.
// Requests of the last one may still be under way, and finish; meanwhile no connection
// is kept open.
func (x *database) Destruct() error {
	x.mu.Lock()
	x.retired = true
	x.mu.Unlock()
	x.dropIdle()
	if x.dialect.linger <= 0 {
		return x.close()
	}
	time.AfterFunc(x.dialect.linger, func() { _ = x.close() })
	return nil
}

// close waits for the lookups in flight, none of which takes longer than the timeout.
func (x *database) close() error {
	x.mu.Lock()
	x.closed.Store(true)
	x.mu.Unlock()
	x.lookups.Wait()
	return x.db.Close()
}
