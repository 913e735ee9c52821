// Package file brings the key source that reads key sets and user keys from
// files.
package file

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/block"
	"github.com/signedlink/caddy-signed-link/internal/sourcemetrics"
	"github.com/signedlink/caddy-signed-link/keys"
)

// maxFile is the greatest size of a file, in bytes.
const maxFile = 256 << 20

func init() {
	caddy.RegisterModule(Source{})
}

// Source reads the secrets with which signed links are verified from a file:
// a key set, or one secret for each user, depending on where it is
// configured.
//
// The file is read when the configuration is loaded, and must then be whole
// and without a mistake; otherwise the configuration is not loaded and the
// one before stays in force. From then on it is looked at every two seconds.
// When it has changed, it is read again as soon as two looks in a row find it
// the same, so that a change counts within about four seconds; no reload is
// needed. Its replacement by renaming another file and symbolic links that are
// turned to another directory, as Kubernetes does it, are changes too. All
// configurations and handlers that name the same file share one copy.
//
// If the file is then missing, unreadable or empty, or has a mistake in it,
// what was read before stays in force. Caddy logs an error once for each
// cause, and counts each such look in
// `caddy_signed_link_key_source_errors_total{source="file"}`. A file of user
// keys in which nobody has a secret any more is such a mistake, unless a
// configuration is loaded with it.
//
// Replace the file in one step: write another one beside it and rename it. A
// file that is written in place is not read while it changes; but if its
// program stops in the middle for longer than two seconds, what stands there
// counts if it is well-formed. A file that ends in the middle of JSON is not,
// nor is a CSV whose last line has no line break, but for a configuration that is
// loaded with it.
//
// It is a regular file of at most 256 MiB, which only its owner and its group
// should be able to read (mode `0640` or stricter); Caddy warns otherwise.
//
// ### Key set
//
// A JSON object with the list `keys`. `secret` is required, `id` if there are
// several keys. `encoding` is `utf8` (the default), `hex`, `base64` or
// `base64url`. `not_before`, inclusive, and `not_after`, exclusive, are times
// in RFC 3339 or dates, which mean midnight UTC at the start of the day. Any
// other name is refused, and so is a placeholder as secret: none is replaced
// in this file.
//
//	{
//		"keys": [
//			{"id": "2027", "secret": "VJ2cP0q9sT3mZ7hXwN4yLA==", "encoding": "base64", "not_before": "2026-12-01"},
//			{"id": "2026", "secret": "8uGk1bRzX5vDq0JtY6fWcQ==", "encoding": "base64", "not_after": "2027-02-01T00:00:00Z"}
//		]
//	}
//
// ### User keys
//
// The ending of the file's name says its format:
//
// Ending | Format
// -------|-------
// `.json` | One JSON object from user to secret: `{"42": "…", "43": "…"}`
// `.jsonl`, `.ndjson` | One JSON object in each line: `{"user": 42, "secret": "…"}`; `id` instead of `user` will do, and further names are ignored
// `.csv` | Fields with commas between, the first line naming the columns: `user` or `id`, and `secret`; further columns are ignored; a file that changes while Caddy runs ends with a line break
//
// The user is text or a whole number of 1 to 256 bytes and is compared byte
// for byte with the one in the link. The secret is used as it stands. A user
// whose secret is empty or null (in CSV also `NULL` or `\N`, as databases
// write it) is treated as one who does not exist; Caddy warns with their
// number. A user who stands twice is an error.
type Source struct {
	// The path of the file; a relative one begins in the directory in which
	// Caddy was started. Placeholders are not replaced. Required.
	Path string `json:"path"`

	logger   *zap.Logger
	every    time.Duration // how often the file is looked at; 0: pollInterval
	releases []func()      // one for each time it was opened
}

// CaddyModule returns the Caddy module information.
func (Source) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.signed_link.keys.file",
		New: func() caddy.Module { return new(Source) },
	}
}

// UnmarshalCaddyfile sets up the source. Syntax:
//
//	keys file <path>
//	user_keys file <path>
func (s *Source) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	option, args := block.Source(d)
	switch {
	case len(args) == 1:
		s.Path = args[0]
		return nil
	case option == "keys":
		return d.Err("write `keys file <path>`")
	default:
		return d.Errf("write `%s`", block.UserKeysSyntax)
	}
}

// Provision checks the path. The file is read when it is opened as a key set
// or as user keys.
func (s *Source) Provision(ctx caddy.Context) error {
	s.logger = ctx.Logger()
	if err := sourcemetrics.Register(ctx.GetMetricsRegistry(), metricsLabel); err != nil {
		return err
	}
	if s.Path == "" {
		return errors.New("the path of the key file is empty; write where the file is, such as /etc/caddy/keys.json")
	}
	if i := strings.IndexByte(s.Path, '{'); i >= 0 && strings.Contains(s.Path[i:], "}") {
		return fmt.Errorf("the path %s has a placeholder in it, but none is replaced there; write the path itself", s.Path)
	}
	return nil
}

// OpenSet reads the file as a key set, and again when it changes.
func (s *Source) OpenSet() (keys.SetSource, error) {
	w, err := openWatch(s, "set", func(r io.Reader, _ bool) (*keys.Set, error) {
		all, err := readSet(r)
		if err != nil {
			return nil, err
		}
		return keys.NewSet(all...)
	}, func(set *keys.Set) contents {
		return contents{number: zap.Int("keys", set.Len())}
	})
	if err != nil {
		return nil, err
	}
	return setSource{w}, nil
}

// OpenUsers reads the file as user keys, in the format that the ending of its
// name says, and again when it changes.
func (s *Source) OpenUsers() (keys.UserSource, error) {
	var read func(r io.Reader, b *keys.UsersBuilder, running bool) error
	switch ext := filepath.Ext(s.Path); strings.ToLower(ext) {
	case ".json":
		read = func(r io.Reader, b *keys.UsersBuilder, _ bool) error { return readUsersJSON(r, b) }
	case ".jsonl", ".ndjson":
		read = func(r io.Reader, b *keys.UsersBuilder, _ bool) error { return readUsersJSONL(r, b) }
	case ".csv":
		read = readUsersCSV
	default:
		return nil, fmt.Errorf("the format of the file %s is unknown; the name of a file of user keys ends in .csv, .json, .jsonl or .ndjson", s.Path)
	}
	w, err := openWatch(s, "users", func(r io.Reader, running bool) (*keys.Users, error) {
		var b keys.UsersBuilder
		if err := read(r, &b, running); err != nil {
			return nil, err
		}
		return b.Users(), nil
	}, func(users *keys.Users) contents {
		return contents{number: zap.Int("users", users.Len()), empty: users.Len() == 0, without: users.Empty()}
	})
	if err != nil {
		return nil, err
	}
	return userSource{w}, nil
}

// openWatch takes a share of the file; Cleanup gives it back.
func openWatch[T any](s *Source, kind string, read func(io.Reader, bool) (*T, error), inspect func(*T) contents) (*watch[T], error) {
	path, err := filepath.Abs(s.Path)
	if err != nil {
		return nil, fmt.Errorf("the file %s: %w; write the whole path", s.Path, err)
	}
	w, release, err := open(watchKey{kind, path, cmp.Or(s.every, pollInterval)}, s.logger, read, inspect)
	if err != nil {
		return nil, err
	}
	s.releases = append(s.releases, release)
	return w, nil
}

// Cleanup lets the file go. Sources that were opened keep what was read last,
// for the requests that are still under way.
func (s *Source) Cleanup() error {
	for _, release := range s.releases {
		release()
	}
	s.releases = nil
	return nil
}

// setSource is the key set of a file.
type setSource struct{ watch *watch[keys.Set] }

// KeySet implements keys.SetSource.
func (s setSource) KeySet() *keys.Set { return s.watch.current.Load() }

// Format implements fmt.Formatter: it names the file, for every verb.
func (s setSource) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "key set of "+s.watch.path) }

// userSource is the user keys of a file.
type userSource struct{ watch *watch[keys.Users] }

// UserKey implements keys.UserSource. It answers from memory.
func (s userSource) UserKey(ctx context.Context, user string) (keys.Secret, error) {
	return s.watch.current.Load().UserKey(ctx, user)
}

// Format implements fmt.Formatter: it names the file, for every verb.
func (s userSource) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "user keys of "+s.watch.path)
}

// fault is a mistake in a file. It never shows more of the file than a user's
// id or the name of a JSON member.
type fault struct {
	what string

	// line is where it is, from 1; 0 if only the offset is known.
	line int

	// offset is where the reader stood, in bytes behind a byte order mark. If ahead is set, the
	// mistake is at the next byte that is neither white space nor a comma or
	// colon.
	offset int64
	ahead  bool
}

// Error returns where the mistake is and what it is.
func (f *fault) Error() string {
	if f.line == 0 {
		return f.what
	}
	return fmt.Sprintf("line %d: %s", f.line, f.what)
}

// locate finds the line of the fault's offset. If the file cannot be read
// again the error stays without a line.
func (f *fault) locate(file io.ReadSeeker) {
	if f.line != 0 {
		return
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return
	}
	line, at := 1, int64(0)
	buf := make([]byte, 64<<10)
	for {
		n, err := file.Read(buf)
		if at == 0 && bytes.HasPrefix(buf[:n], []byte(bom)) {
			at = -int64(len(bom))
		}
		for _, c := range buf[:n] {
			if at >= f.offset && (!f.ahead || !strings.ContainsRune(" \t\r\n,:", rune(c))) {
				f.line = line
				return
			}
			if c == '\n' {
				line++
			}
			at++
		}
		if err != nil {
			f.line = line
			return
		}
	}
}

// Interface guards
var (
	_ caddy.Module       = (*Source)(nil)
	_ caddy.Provisioner  = (*Source)(nil)
	_ caddy.CleanerUpper = (*Source)(nil)
	_ keys.SetOpener     = (*Source)(nil)
	_ keys.UserOpener    = (*Source)(nil)
	_ keys.SetSource     = setSource{}
	_ keys.UserSource    = userSource{}
	_ fmt.Formatter      = setSource{}
	_ fmt.Formatter      = userSource{}
	_ io.ReadSeeker      = (*os.File)(nil)
)
