//go:build linux || dragonfly || openbsd || solaris

package file

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime is when the file's content, mode or owner last changed; unlike
// the time of modification, no program can set it.
func changeTime(info fs.FileInfo) time.Time {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(stat.Ctim.Unix())
	}
	return time.Time{}
}
