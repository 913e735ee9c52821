package main
import "io"
func compare(o *options, base string, out io.Writer) error { return nil }
