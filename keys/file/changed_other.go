//go:build !linux && !dragonfly && !openbsd && !solaris && !darwin && !freebsd && !netbsd

package file

import (
	"io/fs"
	"time"
)

// changeTime is not known here; the time of modification must do.
func changeTime(fs.FileInfo) time.Time { return time.Time{} }
