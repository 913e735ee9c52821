package bodies

import (
	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// overriding holds the parameters by which frameworks take another method, in a query,
// a form, a multipart body or a JSON object:
//
//	_method                  Symfony, Laravel, CakePHP, Yii, CodeIgniter 4, WordPress, Rails,
//	                         Spring's HiddenHttpMethodFilter, Jersey, Mojolicious
//	_METHOD                  Slim 2, 3 and 4
//	X-HTTP-Method-Override   Play 1, and readers that take headers out of parameters, too,
//	and its kin              as some do for browsers' forms; x-tunneled-method is Catalyst's
//
// The names are folded as strictly as names can be, whatever the profile: PHP files
// `.METHOD`, `+_METHOD` and `[METHOD` under _METHOD, Play ignores case, and no honest form
// has a field that is called so.
var overriding = func() *query.Names {
	names, err := query.NewNames(backend.Strict, []string{
		"_method", "_METHOD", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x-tunneled-method",
	})
	if err != nil {
		panic(err)
	}
	return names
}()

// OverridesMethod reports whether the query asks the backend's framework to take the
// request for another method than the one that was judged: a mailed GET link would
// delete. The guard looks for headers that do. A protected parameter of such a name is
// what was signed.
func (b *Rules) OverridesMethod(q *query.Query) bool {
	if !b.Profile.Has(backend.OverriddenMethod) {
		return false
	}
	for _, p := range q.Pairs {
		if _, spelling := overriding.ClassifyPair(q, p); spelling != query.Other {
			if _, known := b.Names.ClassifyPair(q, p); known == query.Other {
				return true
			}
		}
	}
	return overriding.SpellsSecond(q.Raw, func(int) bool { return true })
}

// overrides reports whether a segment of a form does.
func (b *Rules) overrides(segment string) bool {
	_, spelling := overriding.Classify(segment)
	return spelling != query.Other && b.Profile.Has(backend.OverriddenMethod)
}

// overridesDecoded reports whether a name that is decoded already does.
func (b *Rules) overridesDecoded(name []byte) bool {
	_, spelling := overriding.ClassifyDecoded(name)
	return spelling != query.Other && b.Profile.Has(backend.OverriddenMethod)
}
