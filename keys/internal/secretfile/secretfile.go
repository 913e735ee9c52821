// Package secretfile opens files that hold secrets: regular files of a
// bounded size, with errors that say the cure and never the content.
package secretfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
)

// Open opens the regular file at path, or the one to which a symbolic link
// there points. It is an error if it does not exist, cannot be read, is a
// directory or anything else that is not a regular file (a pipe would block
// the loading of the configuration), or has more than limit bytes.
func Open(path string, limit int64) (*os.File, fs.FileInfo, error) {
	// Before it is opened, as opening a pipe waits for its other end; and
	// once more when it is open, as it may be another one by then.
	if _, err := Stat(path, limit); err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	info, err := f.Stat()
	if err == nil {
		err = check(path, info, limit)
	} else {
		err = unreadable(path, err)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// Stat looks at the file at path without opening it; see [Open] for its
// errors.
func Stat(path string, limit int64) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return info, check(path, info, limit)
}

func check(path string, info fs.FileInfo, limit int64) error {
	switch {
	case info.IsDir():
		return fmt.Errorf("%s is a directory; name the file in it", show(path))
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file (a pipe, a socket or a device); write the content into a file", show(path))
	case info.Size() > limit:
		return TooLarge(path, limit)
	}
	return nil
}

// Read returns the content of the file at path; see [Open] for its errors.
func Read(path string, limit int64) ([]byte, error) {
	f, _, err := Open(path, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if int64(len(b)) > limit {
		return nil, TooLarge(path, limit)
	}
	return b, nil
}

// TooLarge is the error for a file of more than limit bytes, whole MiB.
func TooLarge(path string, limit int64) error {
	return fmt.Errorf("the file %s is larger than %d MiB; is it the right one?", show(path), limit>>20)
}

// unreadable leaves out the path that an *fs.PathError brings: it stands in
// the text already.
func unreadable(path string, err error) error {
	cure := "check the path"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		cure = "create it or correct the path (a relative one begins where Caddy was started)"
	case errors.Is(err, fs.ErrPermission):
		cure = "let the user that runs Caddy read it, and enter the directories above it"
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return fmt.Errorf("the file %s cannot be read: %w; %s", show(path), err, cure)
}

// show quotes a path whose characters are not all printable.
func show(path string) string {
	if q := strconv.QuoteToGraphic(path); q != `"`+path+`"` {
		return q
	}
	return path
}
