package throttle

import (
	"fmt"
	"time"
)

// The bounds of settings.
const (
	maxFailures = 10_000
	minWindow   = time.Second
	maxWindow   = 30 * 24 * time.Hour
)

// Check completes the settings, and says what is wrong with them.
func (s *Settings) Check() error {
	if s.IPv4Bits == 0 {
		s.IPv4Bits = 32
	}
	if s.IPv6Bits == 0 {
		s.IPv6Bits = 64
	}
	switch {
	case s.Failures < 1 || s.Failures > maxFailures:
		return fmt.Errorf("%d failures: write a number from 1 to %d", s.Failures, maxFailures)
	case s.Window < minWindow || s.Window > maxWindow:
		return fmt.Errorf("a window of %s: write a duration from 1s to 30d", s.Window)
	case s.IPv4Bits < 8 || s.IPv4Bits > 32:
		return fmt.Errorf("ipv4 %d: a network's prefix has 8 to 32 bits", s.IPv4Bits)
	case s.IPv6Bits < 32 || s.IPv6Bits > 64:
		return fmt.Errorf("ipv6 %d: a network's prefix has 32 to 64 bits; every subscriber has a /64 at least, and could fail from each address of it", s.IPv6Bits)
	}
	return nil
}
