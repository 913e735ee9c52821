package rehearsal

import (
	"net/http"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/link"
)

// Report is what verify prints.
type Report struct {
	URL        string            `json:"url"`
	Verdict    string            `json:"verdict"`
	Reason     string            `json:"reason"`
	Detail     string            `json:"detail"`
	Scheme     string            `json:"scheme"`
	KeyID      string            `json:"key_id"`
	User       string            `json:"user"`
	Claims     map[string]string `json:"claims"`
	Forwarded  *forwarded        `json:"forwarded"`
	Definition string            `json:"definition,omitempty"`
	Status     int               `json:"status,omitempty"`
	Note       string            `json:"note,omitempty"`
}

// forwarded is what the backend gets.
type forwarded struct {
	Method  string            `json:"method"`
	URI     string            `json:"uri"`
	Script  string            `json:"script,omitempty"` // the path of the script, with FastCGI
	Headers map[string]string `json:"headers"`
}

// Report is the passage for people and programs.
func (p *Passage) Report() *Report {
	r := &Report{URL: p.url, Verdict: definition.Invalid, Claims: map[string]string{}}
	if p.Failed != nil {
		r.Reason, r.Detail, r.Note, r.Status = string(link.Malformed), "request", p.Failed.Error(), http.StatusBadRequest
		return r
	}
	for _, g := range p.By {
		r.Definition = g.Where()
	}
	v := p.State.Last
	if v == nil {
		r.Verdict, r.Note = "", "no definition judges this URL: the gateway hands it on as it is, less forged identity headers"
		if !p.guarded {
			r.Note = "no definition judges this URL, and no guard sees it: the gateway hands it on as it is, with whatever identity headers the client writes"
		}
	} else {
		if p.State.Valid != nil && !v.None() && v.Reason == link.Missing {
			v = p.State.Valid
		}
		r.Verdict, r.Reason, r.Detail, r.Scheme, r.KeyID, r.Note = v.Word(), string(v.Reason), v.Detail, v.SchemeName(), v.KeyID, v.Note
		if v.None() {
			r.User = v.User
			for _, c := range v.Claims {
				r.Claims[c.Name] = c.Value
			}
		}
	}
	if p.refused || p.status != 0 {
		r.Status = p.status
		return r
	}
	if p.sent != nil {
		r.Forwarded = &forwarded{p.sent.Method, p.sent.URL.RequestURI(), p.script, map[string]string{}}
		for _, x := range p.State.Headers {
			r.Forwarded.Headers[x.Name] = x.Value
		}
	}
	return r
}
