package sql

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
)

// dialect is one kind of database.
type dialect struct {
	syntax syntax

	// connector reads a DSN and connects to nothing. Its error never shows the DSN.
	connector func(dsn string, timeout time.Duration) (driver.Connector, error)

	// judge says what an error of the driver means; ok is false for one that is not
	// the database's own answer.
	judge func(err error) (p problem, ok bool)

	// linger is how long a pool that no configuration uses any more answers those
	// who hold it still.
	linger time.Duration
}

// problem is why a lookup failed, in words that may be logged: they hold nothing of
// the DSN, nothing of the data, and no more of the query than names.
type problem struct {
	text   string
	value  bool // the id was the cause: there is no such user
	broken bool // the connection was: another one may do
	stale  bool // the prepared statement was
}

// linger is longer than any request needs from its arrival to its verdict.
const linger = 10 * time.Second

var dialects = map[string]*dialect{
	"mysql":    {syntax: syntax{backslash: true}, connector: mysqlConnector, judge: judgeMySQL, linger: linger},
	"postgres": {syntax: syntax{dollar: true}, connector: postgresConnector, judge: judgePostgres, linger: linger},
}

// mysqlConnector is for MySQL and MariaDB.
func mysqlConnector(dsn string, timeout time.Duration) (driver.Connector, error) {
	const cure = "write user:password@tcp(host:3306)/database, or user:password@unix(/path/to/socket)/database"
	if scheme, _, ok := strings.Cut(dsn, "://"); ok && !strings.ContainsAny(scheme, ":@/") {
		return nil, errors.New("the DSN is a URL, which this driver does not read; " + cure)
	}
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, errors.New("the DSN cannot be read; " + cure) // the driver's error may show it
	}
	config.Logger = &mysql.NopLogger{}
	config.MultiStatements = false
	config.InterpolateParams = false // the server takes the id apart from the query
	config.AllowAllFiles = false
	config.ParseTime = false
	if config.Timeout == 0 || config.Timeout > timeout {
		config.Timeout = timeout
	}
	c, err := mysql.NewConnector(config)
	if err != nil {
		return nil, errors.New("the DSN has an option that the driver does not know, or with a wrong value; " + cure)
	}
	return &mysqlSession{Connector: c, timeout: timeout}, nil
}

// mysqlSession has the server end what takes too long: it goes on with a query whose
// client has gone.
type mysqlSession struct {
	driver.Connector

	timeout time.Duration
}

func (s *mysqlSession) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	e, ok := c.(driver.ExecerContext)
	if !ok {
		return c, nil
	}
	for _, set := range []string{ // MariaDB's, and MySQL's
		fmt.Sprintf("SET SESSION max_statement_time = %.3f", s.timeout.Seconds()),
		fmt.Sprintf("SET SESSION max_execution_time = %d", max(1, s.timeout.Milliseconds())),
	} {
		_, err = e.ExecContext(ctx, set, nil)
		if server, ok := errors.AsType[*mysql.MySQLError](err); !ok || server.Number != 1193 {
			break
		}
	}
	if _, ok := errors.AsType[*mysql.MySQLError](err); err != nil && !ok {
		_ = c.Close()
		return nil, err
	}
	return c, nil // a server that knows neither does without
}

func postgresConnector(dsn string, timeout time.Duration) (driver.Connector, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// the driver's error may show it
		return nil, errors.New("the DSN cannot be read; write postgres://user:password@host:5432/database, with %XX for what is special in URLs, or host=/run/postgresql user=name dbname=database")
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	if config.ConnectTimeout == 0 || config.ConnectTimeout > timeout {
		config.ConnectTimeout = timeout
	}
	if _, ok := config.RuntimeParams["application_name"]; !ok {
		config.RuntimeParams["application_name"] = "caddy signed_link"
	}
	// A query that takes too long is cancelled at the server, too.
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 250 * time.Millisecond}
	}
	return stdlib.GetConnector(*config), nil
}

// Errors of MySQL and MariaDB that the value of the id causes: collations that do not
// mix, characters that a column's charset does not have, text that is no number, date or
// other value of the column's type.
var mysqlValue = []uint16{1264, 1267, 1270, 1271, 1292, 1300, 1366, 1406, 1411, 1690, 1977, 3854, 3988}

var mysqlTexts = map[uint16]string{
	1040: "the database has too many connections",
	1044: "the database refuses this user the database that the DSN names",
	1045: "the database refuses the user or the password of the DSN",
	1049: "the database that the DSN names does not exist",
	1054: "the query is wrong",
	1064: "the query is wrong: a syntax error",
	1142: "the query may not read that",
	1143: "the query may not read that",
	1146: "the query is wrong",
	1203: "the database has too many connections",
	1305: "the query is wrong",
	1317: "the query was interrupted",
	1698: "the database refuses the user or the password of the DSN",
	1792: "the query wants to write; it may only read",
	1969: "the query took too long",
	3024: "the query took too long",
}

func judgeMySQL(err error) (problem, bool) {
	if errors.Is(err, mysql.ErrInvalidConn) {
		return problem{text: "the connection broke", broken: true}, true
	}
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return problem{}, false
	}
	text := mysqlTexts[e.Number]
	if text == "" {
		text = "the database answered with an error"
	}
	p := problem{text: fmt.Sprintf("%s (error %d)", text, e.Number)}
	switch e.Number {
	case 1054, 1142, 1143, 1146, 1305: // these name columns, tables and functions only
		p.text += ": " + short(e.Message)
	case 1053, 1077, 1079, 1927, 4031:
		p.broken = true
	case 1243, 1615:
		p.stale = true
	default:
		p.value = slices.Contains(mysqlValue, e.Number)
	}
	return p, true
}

var postgresTexts = map[string]string{
	"0A": "the database does not support the query",
	"22": "the id is no value of the column's type",
	"25": "the query wants to write; it may only read",
	"26": "the prepared statement is gone: a proxy in front of the database must pool sessions, or know prepared statements",
	"28": "the database refuses the user or the password of the DSN",
	"3D": "the database that the DSN names does not exist",
	"42": "the query is wrong",
	"53": "the database has no resources left, or too many connections",
	"57": "the database is starting or stopping",
}

func judgePostgres(err error) (problem, bool) {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return problem{}, false
	}
	class := e.Code[:min(2, len(e.Code))]
	text := postgresTexts[class]
	if text == "" {
		text = "the database answered with an error"
	}
	p := problem{text: fmt.Sprintf("%s (SQLSTATE %.5q)", text, e.Code)}
	switch e.Code {
	case "42501":
		p.text = "the query may not read that (SQLSTATE 42501)"
	case "42P01", "42702", "42703", "42883": // these name tables, columns and types only
		p.text += ": " + short(e.Message)
	case "57014":
		p.text = "the query took too long (SQLSTATE 57014)"
	case "0A000", "26000":
		p.stale = true
	case "57P01", "57P02", "57P05":
		p.broken = true
	default:
		p.value = class == "22"
	}
	return p, true
}

func short(message string) string {
	const limit = 200
	if len(message) > limit {
		message = message[:limit] + "…"
	}
	return strings.ToValidUTF8(message, "�")
}

// explain says what an error of a lookup means. The error itself is never shown: it may
// hold the DSN, or what stands in the table.
func (d *dialect) explain(err error) problem {
	if p, ok := d.judge(err); ok {
		return p
	}
	if own, ok := errors.AsType[*queryError](err); ok {
		return problem{text: own.text}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return problem{text: "the database did not answer in time"}
	case errors.Is(err, context.Canceled):
		return problem{text: "the lookup was given up"}
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, stdsql.ErrConnDone), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return problem{text: "the connection to the database broke", broken: true}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return problem{text: "the host that the DSN names is not known"}
		}
		return problem{text: "the host that the DSN names cannot be looked up"}
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return problem{text: "the database cannot be reached: " + number.Error()}
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return problem{text: "the database cannot be reached in time"}
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return problem{text: fmt.Sprintf("the driver failed with a %T", err), broken: true}
}

// queryError is a mistake in what the query returns.
type queryError struct{ text string }

func (e *queryError) Error() string { return e.text }
