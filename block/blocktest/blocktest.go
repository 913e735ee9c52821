// Package blocktest checks what a scheme or a key source reads of its lines in a Caddyfile.
package blocktest

import (
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Check has got, which is empty, read the lines, and compares what it became with want; or,
// where an error is wanted, looks for that text in it, and for the place in the Caddyfile.
func Check(t *testing.T, lines string, got, want caddyfile.Unmarshaler, wantErr string) {
	t.Helper()
	err := got.UnmarshalCaddyfile(caddyfile.NewTestDispenser(lines))
	switch {
	case wantErr == "" && err != nil:
		t.Errorf("%q: %v", lines, err)
	case wantErr == "" && !reflect.DeepEqual(got, want):
		t.Errorf("%q: %+v, want %+v", lines, got, want)
	case wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr) || !strings.Contains(err.Error(), "Testfile:")):
		t.Errorf("%q: error %v, want %q with its line", lines, err, wantErr)
	}
}
