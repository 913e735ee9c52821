// Package file brings the key source that reads key sets and user keys from
// files.
package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/keys/internal/secretfile"
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
// The file is read once, when the configuration is loaded, and must then be
// whole and without a mistake; otherwise the configuration is not loaded and
// the one before stays in force. When the file has changed, run
// `caddy reload --force`: without `--force`, Caddy does nothing if its own
// configuration is the same as before. Replace the file in one step (write
// another one beside it and rename it), so that no half of it is ever read.
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
//			{"id": "2027", "secret": "q83vEjRWeJCrze8SNFZ4kA==", "encoding": "base64", "not_before": "2026-12-01"},
//			{"id": "2026", "secret": "EjRWeJCrze8SNFZ4kKvN7w==", "encoding": "base64", "not_after": "2027-02-01T00:00:00Z"}
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
// `.csv` | Fields with commas between, the first line naming the columns: `user` or `id`, and `secret`; further columns are ignored
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

	logger *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (Source) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.signed_link.keys.file",
		New: func() caddy.Module { return new(Source) },
	}
}

// Provision checks the path. The file is read when it is opened as a key set
// or as user keys.
func (s *Source) Provision(ctx caddy.Context) error {
	s.logger = ctx.Logger()
	if s.Path == "" {
		return errors.New("the path of the key file is empty; write where the file is, such as /etc/caddy/keys.json")
	}
	if i := strings.IndexByte(s.Path, '{'); i >= 0 && strings.Contains(s.Path[i:], "}") {
		return fmt.Errorf("the path %s has a placeholder in it, but none is replaced there; write the path itself", s.Path)
	}
	return nil
}

// OpenSet reads the file as a key set.
func (s *Source) OpenSet() (keys.SetSource, error) {
	var set *keys.Set
	err := s.open(func(r io.Reader) error {
		all, err := readSet(r)
		if err == nil {
			set, err = keys.NewSet(all...)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return set, nil
}

// OpenUsers reads the file as user keys, in the format that the ending of its
// name says.
func (s *Source) OpenUsers() (keys.UserSource, error) {
	var read func(io.Reader, *keys.UsersBuilder) error
	switch ext := filepath.Ext(s.Path); strings.ToLower(ext) {
	case ".json":
		read = readUsersJSON
	case ".jsonl", ".ndjson":
		read = readUsersJSONL
	case ".csv":
		read = readUsersCSV
	default:
		return nil, fmt.Errorf("the format of the file %s is unknown; the name of a file of user keys ends in .csv, .json, .jsonl or .ndjson", s.Path)
	}
	var b keys.UsersBuilder
	if err := s.open(func(r io.Reader) error { return read(r, &b) }); err != nil {
		return nil, err
	}
	users := b.Users()
	if n := users.Empty(); n > 0 {
		s.warn("users without a secret are treated as if they did not exist", zap.Int("users", n))
	}
	if users.Len() == 0 {
		s.warn("the file holds no user with a secret: every link will be refused")
	}
	return users, nil
}

// open hands the file's content to read and makes an error of it that says
// where in the file it arose.
func (s *Source) open(read func(io.Reader) error) error {
	f, info, err := secretfile.Open(s.Path, maxFile)
	if err != nil {
		return err
	}
	defer f.Close()
	// Elsewhere than on Unix, the mode does not say who may read a file.
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o037 != 0 {
		s.warn("others than the owner and the group can read or change the file of secrets; run chmod 0640",
			zap.String("mode", fmt.Sprintf("%04o", mode)))
	}
	bounded := &io.LimitedReader{R: f, N: maxFile + 1}
	err = read(bounded)
	if bounded.N == 0 {
		return secretfile.TooLarge(s.Path, maxFile)
	}
	if err == nil {
		return nil
	}
	if at, ok := errors.AsType[*fault](err); ok {
		at.locate(f)
	}
	return fmt.Errorf("the file %s: %w", s.Path, err)
}

// warn works without a logger too, for programs that use a Source without
// Caddy's Provision.
func (s *Source) warn(msg string, fields ...zap.Field) {
	if s.logger != nil {
		s.logger.Warn(msg, append(fields, zap.String("file", s.Path))...)
	}
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
	_ caddy.Module      = (*Source)(nil)
	_ caddy.Provisioner = (*Source)(nil)
	_ keys.SetOpener    = (*Source)(nil)
	_ keys.UserOpener   = (*Source)(nil)
	_ io.ReadSeeker     = (*os.File)(nil)
)
