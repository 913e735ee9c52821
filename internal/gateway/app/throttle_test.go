package app

import (
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/internal/gateway/throttle"
)

// TestOpenThrottle: the same label and settings share a throttle, others do not, and what
// nobody holds is gone.
func TestOpenThrottle(t *testing.T) {
	held := func() (n int) {
		throttles.Range(func(any, any) bool { n++; return true })
		return n
	}
	open := func(label string, failures int) (*throttle.Throttle, func() error) {
		t.Helper()
		one, release, err := OpenThrottle(label, throttle.Settings{Failures: failures, Window: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return one, release
	}
	first, releaseFirst := open("shop", 10)
	same, releaseSame := open("shop", 10)
	other, releaseOther := open("shop", 20)
	another, releaseAnother := open("forum", 10)
	if first != same || first == other || first == another || held() != 3 {
		t.Errorf("%d are held", held())
	}
	for i, release := range []func() error{releaseFirst, releaseOther, releaseAnother, releaseSame} {
		if err := release(); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if held() != 0 {
		t.Errorf("%d are held by nobody", held())
	}
	if again, release := open("shop", 10); again == first {
		t.Error("a throttle that nobody held came back")
	} else if err := release(); err != nil {
		t.Error(err)
	}
	if _, _, err := OpenThrottle("shop", throttle.Settings{}); err == nil {
		t.Error("a throttle without an allowance")
	}
}
