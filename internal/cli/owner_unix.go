//go:build unix

package cli

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives the file the owner and group of the one that it replaces: root, who
// adds a key, must not take the file away from the user that runs Caddy.
func keepOwner(file *os.File, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	old, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(old.Uid) == os.Getuid() && int(old.Gid) == os.Getgid() {
		return nil
	}
	return file.Chown(int(old.Uid), int(old.Gid))
}
