package definition

import (
	"time"

	"github.com/signedlink/caddy-signed-link/internal/gateway/throttle"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/keyedhash"
	"github.com/signedlink/caddy-signed-link/link"
)

// ThrottleWith has who guesses wait; with nil, nobody. It comes before all requests.
func (d *Definition) ThrottleWith(t *throttle.Throttle) {
	d.throttle = t
	for _, s := range d.Schemes {
		s.throttle = t
	}
}

// throttled makes the verdict that of a client who must wait, if it must.
func (v *Verdict) throttled(wait time.Duration) bool {
	if wait <= 0 {
		return false
	}
	v.Refusal, v.Wait = link.Refuse(link.Throttled, ""), wait
	return true
}

// suspect is whom a failure of the link counts for: the client, as the user that the link
// names. Nothing of that is verified yet.
func (s *Scheme) suspect(r *link.Request, l *link.Link) throttle.Client {
	c := s.throttle.Client(r.ClientIP)
	if s.User == nil {
		return c
	}
	var b [headers.MaxValue]byte
	return s.throttle.As(c, s.User.Append(b[:0], r, keyedhash.Values{Claims: l.Claims, Fields: l.Fields}))
}

// settle counts a failure. It looks once more, after the signature was computed: of many
// guesses at once, those beyond the allowance are answered alike, right or wrong, so that
// they tell no more than if they had come one after the other.
func (d *Definition) settle(v *Verdict, now time.Time) {
	if d.throttle == nil || v.stage < stageVerify || v.Reason == link.Throttled {
		return
	}
	if v.Wrong {
		v.throttled(d.throttle.Fail(v.client, now))
		return
	}
	v.throttled(d.throttle.Wait(v.client, now))
}
