//go:build !unix

package cli

import "os"

// keepOwner does nothing where files have no owner that a rename would lose.
func keepOwner(*os.File, string) error { return nil }
