package gateway

import "testing"

// Program is the file of cmd/caddy, built once, for tests that start it in a way of
// their own.
func Program(t testing.TB) string {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return program
}
