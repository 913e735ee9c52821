// Package sql brings the key source that takes the secrets of users from the
// application's own database.
package sql

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	stdsql "database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/block"
	"github.com/signedlink/caddy-signed-link/internal/sourcemetrics"
	"github.com/signedlink/caddy-signed-link/keys"
)

func init() {
	caddy.RegisterModule(Source{})
}

// metricsLabel is the source of the metrics.
const metricsLabel = "sql"

// Drivers are the values of `driver`.
var Drivers = []string{"mysql", "postgres"}

// The defaults.
const (
	defaultTTL        = time.Minute
	defaultTimeout    = 2 * time.Second
	defaultCache      = 10_000
	defaultMaxLookups = 16
)

// Source looks up the secret of each user in the application's own database,
// PostgreSQL or MySQL and MariaDB, with a query that the operator writes.
//
// The query has one parameter, the user's id, and returns two columns, id and secret.
// The id must come back byte for byte as it was asked for, because databases find 12
// for `12abc` and `admin` for `ADMIN`; without such a row, or with NULL or an empty
// secret in it, there is no such user. The user must have a `param` rule: what breaks it
// is never looked up.
//
// The query only reads: it runs in a read-only transaction, as a prepared statement, over
// a connection of a pool. The DSN should be that of an account that may read these two
// columns and nothing else. Nothing connects when the configuration is loaded or
// validated; a database that does not answer in time is `keys_unavailable` for those whose
// secret is not remembered. Connections and what is remembered survive a reload that
// changes none of the options.
//
//	{
//		"source": "sql",
//		"driver": "postgres",
//		"dsn": "{env.LINKS_DSN}",
//		"query": "SELECT id, secret_token FROM users WHERE id = ?"
//	}
type Source struct {
	// The kind of database: `mysql`, for MariaDB, too, or `postgres`. Required.
	Driver string `json:"driver"`

	// Where the database is, and as whom to connect, `{env.NAME}` or `{file./path}`:
	// `user:password@tcp(host:3306)/database` for `mysql`,
	// `postgres://user:password@host:5432/database` for `postgres`. Required.
	DSN string `json:"dsn"`

	// One SELECT with one parameter, written as `?` (or `$1`, with `postgres`), that
	// returns the user's id and secret in this order. Required.
	Query string `json:"query"`

	// How long a secret is remembered: one that changed counts after that time at the
	// latest. Default: `1m`.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// How long it is remembered that a user does not exist. Any other time than that of
	// `ttl` draws a warning, because then the time of an answer tells who exists. Default:
	// as `ttl`.
	NegativeTTL caddy.Duration `json:"negative_ttl,omitempty"`

	// The longest time that a lookup takes, a new connection and the wait for its turn
	// included. Default: `2s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How many ids are remembered, those of users and those that are nobody's together.
	// When there are more, those that nobody asked for lately make room, whosesoever they
	// are. Default: 10000.
	Cache int `json:"cache,omitempty"`

	// How many lookups may run at once, each over a connection of its own. Default: 16.
	MaxLookups int `json:"max_lookups,omitempty"`

	logger   *zap.Logger
	settings settings
	dsn      keys.Secret
	open     func() driver.Connector // a function, as are secrets: printers do not follow it
	key      any                     // in the pool; nil while nothing of it is taken
	users    *users
}

// CaddyModule returns the Caddy module information.
func (Source) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.signed_link.keys.sql",
		New: func() caddy.Module { return new(Source) },
	}
}

// UnmarshalCaddyfile sets up the source. No error shows the DSN. Syntax:
//
//	user_keys sql mysql|postgres <dsn> {
//		query        <sql>
//		ttl          <duration>
//		negative_ttl <duration>
//		timeout      <duration>
//		cache        <n>
//		max_lookups  <n>
//	}
func (s *Source) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	const syntax = "user_keys sql mysql|postgres {env.NAME} { query <sql> }"
	_, args := block.Source(d)
	switch {
	case len(args) > 2:
		return d.Errf("write `%s`", block.UserKeysSyntax)
	case len(args) == 0 || !slices.Contains(Drivers, args[0]):
		hint := ""
		if len(args) > 0 { // it is not shown, because it may be the DSN
			hint = block.DidYouMean(args[0], Drivers...)
		}
		return d.Errf("user_keys sql: name the kind of database first, mysql (for MariaDB, too) or postgres, as in `%s`%s", syntax, hint)
	case len(args) == 1:
		return d.Errf("user_keys sql: the DSN is missing, which says where the database is; write `%s`", syntax)
	}
	s.Driver, s.DSN = args[0], args[1]
	seen := make(block.Seen)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.Once(d); err != nil {
			return err
		}
		if err := s.option(d); err != nil {
			return err
		}
	}
	if s.Query == "" {
		return d.Err("user_keys sql: the query is missing; write query `SELECT id, secret_token FROM users WHERE id = ?` in its block")
	}
	return nil
}

// option reads the option at the dispenser.
func (s *Source) option(d *caddyfile.Dispenser) (err error) {
	switch d.Val() {
	case "query":
		words := d.RemainingArgs()
		if len(words) != 1 {
			return d.Err("query takes one argument; put the SQL in backquotes, as in query `SELECT id, secret_token FROM users WHERE id = ?`")
		}
		s.Query = words[0]
	case "ttl":
		s.TTL, err = block.Duration(d)
	case "negative_ttl":
		s.NegativeTTL, err = block.Duration(d)
	case "timeout":
		s.Timeout, err = block.Duration(d)
	case "cache":
		s.Cache, err = block.Int(d, 1)
	case "max_lookups":
		s.MaxLookups, err = block.Int(d, 1)
	default:
		err = block.Unknown(d, []string{"query", "ttl", "negative_ttl", "timeout", "cache", "max_lookups"})
	}
	return err
}

// NeedsRule implements [keys.RuleNeeder].
func (*Source) NeedsRule() bool { return true }

// Provision checks the options and resolves the DSN. It connects to nothing.
func (s *Source) Provision(ctx caddy.Context) error {
	s.logger = ctx.Logger()
	if err := sourcemetrics.Register(ctx.GetMetricsRegistry(), metricsLabel); err != nil {
		return err
	}
	return s.provision()
}

func (s *Source) provision() error {
	d, ok := dialects[s.Driver]
	switch {
	case ok:
	case s.Driver == "":
		return errors.New("driver is missing; write mysql, for MariaDB, too, or postgres")
	default:
		return fmt.Errorf("driver: unknown value %.40q%s; write mysql, for MariaDB, too, or postgres", s.Driver, block.DidYouMean(s.Driver, Drivers...))
	}
	query, err := d.syntax.prepare(s.Query)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	for _, o := range []struct {
		name  string
		value caddy.Duration
	}{{"ttl", s.TTL}, {"negative_ttl", s.NegativeTTL}, {"timeout", s.Timeout}} {
		if o.value < 0 {
			return fmt.Errorf("%s: write a duration above zero, such as 30s or 5m", o.name)
		}
	}
	if s.Cache < 0 || s.MaxLookups < 0 {
		return errors.New("cache and max_lookups: write a number of at least 1, or leave the option out")
	}
	if s.MaxLookups > 1000 {
		return fmt.Errorf("max_lookups: %d is more than any database serves at once; write at most 1000", s.MaxLookups)
	}
	orElse := func(d caddy.Duration, other time.Duration) time.Duration {
		if d == 0 {
			return other
		}
		return time.Duration(d)
	}
	s.settings = settings{
		driver:     s.Driver,
		query:      query,
		ttl:        orElse(s.TTL, defaultTTL),
		timeout:    orElse(s.Timeout, defaultTimeout),
		cache:      s.Cache,
		maxLookups: s.MaxLookups,
	}
	s.settings.negativeTTL = orElse(s.NegativeTTL, s.settings.ttl)
	if s.settings.negativeTTL != s.settings.ttl {
		s.logger.Warn("negative_ttl is not ttl: who is forgotten sooner than the other, a user or a stranger, is looked up sooner, "+
			"and the time of an answer tells who exists; leave negative_ttl out, or write the same time as that of ttl",
			zap.String("driver", s.Driver), zap.Duration("ttl", s.settings.ttl), zap.Duration("negative_ttl", s.settings.negativeTTL))
	}
	if s.Cache == 0 {
		s.settings.cache = defaultCache
	}
	if s.MaxLookups == 0 {
		s.settings.maxLookups = defaultMaxLookups
	}
	if s.DSN == "" {
		return errors.New("dsn is missing; write {env.NAME} or {file./path}, and there where the database is and as whom to connect")
	}
	dsn, literal, err := keys.Resolve(s.DSN)
	if err != nil {
		return fmt.Errorf("dsn: %w", err)
	}
	if literal {
		s.logger.Warn("the DSN of a database stands in clear in the configuration, and so in Caddy's API and saved configuration; write {env.NAME} or {file./path}",
			zap.String("driver", s.Driver))
	}
	connector, err := d.connector(dsn, s.settings.timeout)
	if err != nil {
		return fmt.Errorf("dsn: %w", err)
	}
	s.dsn = keys.NewSecret([]byte(dsn))
	s.open = func() driver.Connector { return connector }
	return nil
}

// pool holds the databases that configurations use, by a digest of all that makes them
// what they are.
var pool = caddy.NewUsagePool()

// digestKey makes digests of DSNs worthless to whoever sees one.
var digestKey = func() (key [32]byte) {
	rand.Read(key[:]) // it never fails: crypto/rand ends the process instead
	return key
}()

func (s *Source) digest() ([sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	text, err := json.Marshal([]any{
		s.settings.driver, s.settings.query, s.settings.ttl, s.settings.negativeTTL, s.settings.timeout, s.settings.cache, s.settings.maxLookups,
	})
	if err != nil {
		return sum, err
	}
	mac := hmac.New(sha256.New, digestKey[:])
	mac.Write(text)
	mac.Write(s.dsn.Bytes()) // what stands before it says its own end
	return [sha256.Size]byte(mac.Sum(sum[:0])), nil
}

// OpenUsers takes the database out of the pool, or puts it there. It connects to nothing.
func (s *Source) OpenUsers() (keys.UserSource, error) {
	if s.users != nil {
		return s.users, nil
	}
	if s.open == nil {
		return nil, errors.New("sql user keys: not provisioned")
	}
	key, err := s.digest()
	if err != nil {
		return nil, err
	}
	value, shared, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		return newDatabase(s.settings, dialects[s.Driver], stdsql.OpenDB(s.open()), s.logger), nil
	})
	if err != nil {
		return nil, err
	}
	s.key = key
	x := value.(*database)
	if shared {
		x.logger.Store(s.logger) // the log of the configuration before may be closed soon
	}
	s.users = &users{database: func() *database { return x }}
	return s.users, nil
}

// Cleanup lets go of what OpenUsers took, and of nothing else.
func (s *Source) Cleanup() error {
	if s.key == nil {
		return nil
	}
	key := s.key
	s.key = nil
	_, err := pool.Delete(key)
	return err
}

// users is the source of user keys, hidden from printers that work by reflection: the
// driver's part of a database holds the DSN.
type users struct{ database func() *database }

// UserKey implements [keys.UserSource].
func (u *users) UserKey(ctx context.Context, user string) (keys.Secret, error) {
	return u.database().userKey(ctx, user)
}

// String says what kind of database it is.
func (u *users) String() string { return "user keys in " + u.database().driver }

const redacted = "REDACTED"

// String says what is configured, less the DSN and the query.
func (s Source) String() string { return fmt.Sprintf("user keys in %s (%s)", s.Driver, redacted) }

// GoString is the same as String.
func (s Source) GoString() string { return s.String() }

// Format implements fmt.Formatter: it writes the same as String for every verb.
func (s Source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue implements slog.LogValuer: it is the same as String.
func (s Source) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Interface guards
var (
	_ caddy.Module       = (*Source)(nil)
	_ caddy.Provisioner  = (*Source)(nil)
	_ caddy.CleanerUpper = (*Source)(nil)
	_ caddy.Destructor   = (*database)(nil)
	_ keys.UserOpener    = (*Source)(nil)
	_ keys.RuleNeeder    = (*Source)(nil)
	_ keys.UserSource    = (*users)(nil)
	_ fmt.Formatter      = Source{}
)
