package app

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/signedlink/caddy-signed-link/internal/gateway/metrics"
	"github.com/signedlink/caddy-signed-link/internal/gateway/throttle"
)

// throttles outlive configurations: a reload forgives nobody. Definitions with the same
// schemes and settings share one, so that two sites are not twice the guesses.
var throttles = caddy.NewUsagePool()

// sharedThrottle is what the pool holds.
type sharedThrottle struct {
	*throttle.Throttle
	release func() // takes it out of the metrics
}

// Destruct implements [caddy.Destructor]. Requests that are under way still use it.
func (t *sharedThrottle) Destruct() error {
	t.release()
	return nil
}

// OpenThrottle gives the definitions with this label and these settings their throttle, until
// release is called.
func OpenThrottle(label string, s throttle.Settings) (t *throttle.Throttle, release func() error, err error) {
	if err := s.Check(); err != nil {
		return nil, nil, err
	}
	key := fmt.Sprintf("%s %v", label, s)
	value, _, err := throttles.LoadOrNew(key, func() (caddy.Destructor, error) {
		t := throttle.New(s)
		networks := func() int { return t.Networks(time.Now()) }
		return &sharedThrottle{t, metrics.HoldThrottle(label, networks)}, nil
	})
	if err != nil {
		return nil, nil, err
	}
	release = func() error {
		_, err := throttles.Delete(key)
		return err
	}
	return value.(*sharedThrottle).Throttle, release, nil
}
