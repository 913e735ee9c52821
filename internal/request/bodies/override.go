package bodies

import "github.com/signedlink/caddy-signed-link/query"

// override holds the parameter by which frameworks take another method, by profile.
var override = func() (m [3]*query.Names) {
	for _, p := range []query.Profile{query.Strict, query.PHP, query.Servlet} {
		names, err := query.NewNames(p, []string{"_method"})
		if err != nil {
			panic(err)
		}
		m[p] = names
	}
	return m
}()

// OverridesMethod reports whether the query asks the backend's framework to take the
// request for another method than the one that was judged: a mailed GET link would
// delete. The guard looks for headers that do.
func (b *Rules) OverridesMethod(q *query.Query) bool {
	names := override[b.Profile]
	for _, p := range q.Pairs {
		if _, spelling := names.ClassifyPair(q, p); spelling != query.Other {
			if _, known := b.Names.ClassifyPair(q, p); known == query.Other {
				return true
			}
		}
	}
	return false
}
