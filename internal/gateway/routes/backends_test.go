package routes

import (
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"
)

// TestSameBackend: a backend has many spellings, and each of them is a way past the guard.
func TestSameBackend(t *testing.T) {
	proxy := func(dials ...string) target {
		h := &reverseproxy.Handler{}
		for _, d := range dials {
			h.Upstreams = append(h.Upstreams, &reverseproxy.Upstream{Dial: d})
		}
		return targetOf(&step{handler: h})
	}
	for _, tc := range []struct {
		a, b target
		want sameness
	}{
		{proxy("127.0.0.1:80"), proxy("127.0.0.1:80"), same},
		{proxy("127.0.0.1:80"), proxy("localhost:80"), same},
		{proxy("127.0.0.1:80"), proxy("LocalHost.:80"), same},
		{proxy("127.0.0.1:80"), proxy("[::1]:80"), same},
		{proxy("127.0.0.1:80"), proxy("[::ffff:127.0.0.1]:80"), same},
		{proxy("127.0.0.1:80"), proxy("0.0.0.0:80"), same},
		{proxy("127.0.0.1:80"), proxy(":80"), same},
		{proxy("127.0.0.1:80"), proxy("app.localhost:80"), same},
		{proxy("127.0.0.1:80"), proxy("tcp/127.0.0.1:80"), same},
		{proxy("127.0.0.1:80"), proxy("127.0.0.1:81"), others},
		{proxy("127.0.0.1:80"), proxy("127.0.0.2:80"), others},
		{proxy("127.0.0.1:80"), proxy("127.0.0.1:81", "localhost:80"), same},
		{proxy("10.0.0.1:80"), proxy("10.0.0.2:80"), others},
		{proxy("app.internal:80"), proxy("APP.internal.:80"), same},
		{proxy("app.internal:80"), proxy("web.internal:80"), alike},
		{proxy("app.internal:80"), proxy("10.0.0.1:80"), alike},
		{proxy("app.internal:80"), proxy("web.internal:81"), others},
		{proxy("unix//run/a.sock"), proxy("unix//run/./a.sock"), same},
		{proxy("unix//run/a.sock"), proxy("unix//run/b.sock"), others},
		{proxy("{env.A}"), proxy("{env.A}"), same},
		{proxy("{env.A}"), proxy("127.0.0.1:80"), unclear},
		{proxy(), proxy("127.0.0.1:80"), unclear},
		{targetOf(&step{handler: &caddyhttp.StaticResponse{}}), proxy("127.0.0.1:80"), unclear},
	} {
		if got := tc.a.same(tc.b); got != tc.want {
			t.Errorf("%v and %v: %v, want %v", tc.a.addresses, tc.b.addresses, got, tc.want)
		}
		if got := tc.b.same(tc.a); got != tc.want {
			t.Errorf("%v and %v: %v, want %v", tc.b.addresses, tc.a.addresses, got, tc.want)
		}
	}
}

// TestSamePool: of one FastCGI pool two roots are two applications, unless one contains
// the other, or nobody knows them.
func TestSamePool(t *testing.T) {
	fpm := func(site, own string, env map[string]string) target {
		transport := &fastcgi.Transport{Root: own, EnvVars: env}
		if own == "" {
			transport.Root = "{http.vars.root}"
		}
		h := &reverseproxy.Handler{Transport: transport, Upstreams: reverseproxy.UpstreamPool{{Dial: "unix//run/fpm.sock"}}}
		return targetOf(&step{handler: h, root: rootOf(site, site != "")})
	}
	a := fpm("/srv/a", "", nil)
	for name, tc := range map[string]struct {
		other target
		want  sameness
	}{
		"the same root":          {fpm("/srv/a", "", nil), same},
		"spelled otherwise":      {fpm("/srv/./a/", "", nil), same},
		"another root":           {fpm("/srv/b", "", nil), neighbours},
		"a root above":           {fpm("/srv", "", nil), same},
		"the root of all":        {fpm("/", "", nil), same},
		"a root below":           {fpm("/srv/a/public", "", nil), same},
		"a root with its prefix": {fpm("/srv/ab", "", nil), neighbours},
		"no root":                {fpm("", "", nil), same},
		"a root of the request":  {fpm("/srv/{http.request.host}", "", nil), same},
		"a root of its own":      {fpm("/srv/b", "/srv/a", nil), same},
		"another of its own":     {fpm("/srv/a", "/srv/b", nil), neighbours},
		"another script":         {fpm("/srv/b", "", map[string]string{"SCRIPT_FILENAME": "/srv/a/x.php"}), same},
		"another variable":       {fpm("/srv/b", "", map[string]string{"X": "1"}), neighbours},
	} {
		if got := a.same(tc.other); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
	proxy := targetOf(&step{handler: &reverseproxy.Handler{Upstreams: reverseproxy.UpstreamPool{{Dial: "unix//run/fpm.sock"}}}})
	if got := a.same(proxy); got != others {
		t.Errorf("one address that speaks two protocols: %v", got)
	}
}

// TestRootAfter: only what every request has is known.
func TestRootAfter(t *testing.T) {
	vars := func(kv ...string) caddyhttp.MiddlewareHandler {
		m := caddyhttp.VarsMiddleware{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return &m
	}
	before := rootOf("/srv/a", true)
	for _, tc := range []struct {
		handler caddyhttp.MiddlewareHandler
		want    root
	}{
		{vars("root", "/srv/b"), rootOf("/srv/b", true)},
		{vars("x", "y"), before},
		{vars("root", "{env.ROOT}"), root{}},
		{vars("{http.request.header.X}", "y"), root{}},
		{vars("{http.request.header.X}", "/srv/c", "root", "/srv/b"), root{}},
		{caddyhttp.VarsMiddleware{"root": 7}, root{}},
		{&caddyhttp.StaticResponse{}, before},
	} {
		if got := before.after(tc.handler); got != tc.want {
			t.Errorf("%v: %v, want %v", tc.handler, got, tc.want)
		}
	}
}
