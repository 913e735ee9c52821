package sial

import (
	"slices"

	engine "github.com/signedlink/caddy-signed-link/keyedhash"
)

// parts says for the checker what join and prepare do.
func (p *preset) parts(user string) map[string][]engine.Part {
	action := engine.Part{Parameter: p.action, Claim: "action", NotEmpty: true, PathPrefix: p.prefix}
	mandatory := func(name string) bool { return !p.optional(name) }
	var params []engine.Part
	add := func(x engine.Part) {
		x.First = len(params) == 0
		x.Maybe = !x.First && p.asForm && !slices.ContainsFunc(p.params[:len(params)], mandatory)
		params = append(params, x)
	}
	for i, name := range p.params {
		switch {
		case p.asForm:
			add(engine.Part{Parameter: name, Form: true, Separator: "&"})
		default:
			if i > 0 && p.separator != "" {
				params = append(params, engine.Part{Literal: p.separator})
			}
			params = append(params, engine.Part{Parameter: name})
		}
	}
	switch {
	case p.rest && p.asForm:
		add(engine.Part{Rest: true, Form: true, Separator: "&"})
	case p.rest:
		add(engine.Part{Rest: true, Separator: p.separator})
	}
	return map[string][]engine.Part{
		"user":   {{Parameter: user, Claim: "user"}},
		"action": {action},
		"params": params,
	}
}
