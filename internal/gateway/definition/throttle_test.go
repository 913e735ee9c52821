package definition

import (
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/internal/gateway/throttle"
)

// TestAttackThrottleUnderWay: of two links that were under way when the allowance was used
// up, the right one and the wrong one are answered alike.
func TestAttackThrottleUnderWay(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	d := new(Definition)
	d.ThrottleWith(throttle.New(throttle.Settings{Failures: 10, Window: time.Minute, IPv4Bits: 32, IPv6Bits: 64}))
	client := d.throttle.Client("192.0.2.1")
	for range 10 {
		d.throttle.Fail(client, now)
	}
	right, wrong := Verdict{stage: stageSigned, client: client}, Verdict{stage: stageVerify, client: client, Wrong: true}
	for _, v := range []*Verdict{&right, &wrong} {
		d.settle(v, now)
		if v.Reason != "throttled" || v.Wait <= 0 {
			t.Errorf("%+v", v)
		}
	}
}
