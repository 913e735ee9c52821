package secretfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path  string
		limit int64
		err   string
	}{
		{path, 1 << 20, ""},
		{path, 7, ""},
		{path, 6, "is larger than"},
		{dir, 1 << 20, "is a directory; name the file in it"},
		{filepath.Join(dir, "none"), 1 << 20, "create it or correct the path"},
		{filepath.Join(path, "below"), 1 << 20, "below cannot be read"},
		{dir + "/a\nb", 1 << 20, `a\nb" cannot be read`},
		{dir + "/a\x00b", 1 << 20, `a\x00b" cannot be read`},
		{"", 1 << 20, `cannot be read`},
	} {
		b, err := Read(tc.path, tc.limit)
		if tc.err == "" {
			if err != nil || string(b) != "content" {
				t.Errorf("%q up to %d: %q, error %v", tc.path, tc.limit, b, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.err) || b != nil {
			t.Errorf("%q up to %d: %q, error %v, want %q", tc.path, tc.limit, b, err, tc.err)
		}
	}
}

// TestOpenGivesWholeFile: the file is open at its start, with what is known
// of it.
func TestOpenGivesWholeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, info, err := Open(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "content" || info.Size() != 7 {
		t.Errorf("%q of %d bytes, error %v", b, info.Size(), err)
	}
}

// TestUnreadable: the permission is told with its cure, and the path once.
// (Whoever runs the tests as root may read every file.)
func TestUnreadable(t *testing.T) {
	err := unreadable("/etc/secret", &fs.PathError{Op: "open", Path: "/etc/secret", Err: fs.ErrPermission})
	if !errors.Is(err, fs.ErrPermission) || strings.Count(err.Error(), "/etc/secret") != 1 || !strings.Contains(err.Error(), "let the user that runs Caddy read it") {
		t.Errorf("error %v", err)
	}
}
