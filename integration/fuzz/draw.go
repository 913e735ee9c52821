package main

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// Configurations are drawn: a shape says where the definition stands and what stands
// around it, and all else is drawn beside that. Every shape is something that operators
// write, or that a tutorial of another module tells them to write.

// surfaces are the words that a binary knows.
const (
	surfaceNew = "new"
	surfaceOld = "old" // without unguarded, accept, authorization and cookies
)

// drawer draws a configuration. What it draws depends on its random numbers only.
type drawer struct {
	*rand.Rand
	*configuration
	old bool
	php bool // a script can be protected
	fpm bool // php_fastcgi

	scripts bool // one with another ending than .php, too
}

func draw1[T any](d *drawer, from ...T) T { return from[d.IntN(len(from))] }

func (d *drawer) one(in int) bool { return d.IntN(in) == 0 }

// shapes are where definitions stand.
var shapes = []struct {
	name string
	php  bool // has php_fastcgi
	draw func(d *drawer)
}{
	{"site", false, (*drawer).shapeSite},
	{"order", false, (*drawer).shapeOrder},
	{"route", false, (*drawer).shapeRoute},
	{"container", false, (*drawer).shapeContainer},
	{"nested", false, (*drawer).shapeNested},
	{"second", false, (*drawer).shapeSecond},
	{"behind", false, (*drawer).shapeBehind},
	{"early", true, (*drawer).shapeEarly},
	{"password", false, (*drawer).shapePassword},
	{"exact", false, (*drawer).shapeExact},
	{"named", false, (*drawer).shapeNamed},
	{"matcher", false, (*drawer).shapeMatcher},
	{"script", true, (*drawer).shapeScript},
	{"files", true, (*drawer).shapeFiles},
	{"errors", false, (*drawer).shapeErrors},
	{"two", false, (*drawer).shapeTwo},
	{"others", false, (*drawer).shapeOthers},
	{"large", true, (*drawer).shapeLarge},
	{"body", false, (*drawer).shapeBody},
	{"path", false, (*drawer).shapePath},
	{"path nested", false, (*drawer).shapePathNested},
	{"path second", false, (*drawer).shapePathSecond},
	{"path behind", false, (*drawer).shapePathBehind},
	{"path errors", false, (*drawer).shapePathErrors},
	{"path two", false, (*drawer).shapePathTwo},
}

func allShapes() (names []string) {
	for _, s := range shapes {
		names = append(names, s.name)
	}
	return names
}

// draw is configuration n of the seed.
func draw(seed, n uint64, shapeNames []string, list []*backend, profiles, modes, kindNames []string, mismatch, old bool) (*configuration, *backend) {
	d := &drawer{Rand: rand.New(rand.NewPCG(seed, n<<8)), configuration: &configuration{}, old: old}
	var fit []int
	for i, s := range shapes {
		if slices.Contains(shapeNames, s.name) {
			fit = append(fit, i)
		}
	}
	shape := shapes[draw1(d, fit...)]
	var b *backend
	for tries := 0; ; tries++ {
		if b = draw1(d, list...); !shape.php || b.root != "" {
			break
		}
		if tries == 200 { // there is none
			shape = shapes[0]
		}
	}
	d.php, d.fpm, d.scripts = b.php, b.root != "", b.scripts
	d.shape, d.backend, d.protects = shape.name, b.name, "app"
	d.profile = "strict"
	if own := map[bool]string{true: "php", false: "servlet"}[b.php]; slices.Contains(profiles, own) && d.one(2) {
		d.profile = own
	}
	if mismatch {
		d.profile = map[bool]string{true: "servlet", false: "php"}[b.php]
	}
	d.mode = draw1(d, modeRequire, modeRequire, modeRequire, modeRequire, modeRecognize, modeRecognize, modePass, modeObserve)
	if !slices.Contains(modes, d.mode) {
		d.mode = modes[0]
	}
	d.kind = draw1(d, "user", "user", "user", "akid", "multi", "stripped", "signed", "token", "coded")
	if !slices.Contains(kindNames, d.kind) {
		d.kind = "user"
	}
	shape.draw(d)
	if d.one(4) {
		d.site("SITE1").body = slices.Insert(d.site("SITE1").body, 0, mustParse(draw1(d,
			"encode gzip", "header X-Frame-Options DENY", "request_header X-Site one", "tracing", "log_skip /health", "request_header -X-Nothing", "header -Server", "vars site one",
			"@health path /health\nrespond @health ok", "@old path /old/*\nredir @old /new", "request_body {\nmax_size 1MB\n}"))...)
	}
	if !d.old && d.one(6) && !hasLine(d.options, "servers") { // a proxy in front of it may be trusted
		d.options = append(d.options, mustParse("servers {\ntrusted_proxies static private_ranges\n}")...)
	}
	if d.one(4) && !hasLine(d.options, "servers") {
		secure := &line{"SECURE1", true, cloneLines(d.site("SITE1").body)}
		d.sites = append(d.sites, secure)
	}
	return d.configuration, b
}

// definition is a definition with its options; matcher ends with a blank, or is empty.
func (d *drawer) definition(matcher string) string {
	k := kindOf(d.kind)
	mode, options := d.mode, ""
	if mode == modePass {
		mode, options = modeRequire, "missing pass\n"
	}
	if d.one(2) {
		options += "request_header X-Member member-{user}\n"
	}
	if d.one(2) || d.shape == "body" {
		options += "methods GET HEAD POST\n"
	}
	if !d.old {
		options += draw1(d, "", "", "", "authorization cut\n", "authorization keep\n", "authorization cut always\n")
		options += draw1(d, "", "", "", "cookies cut SESSION\n", "cookies cut all\n")
	}
	return "signed_link " + matcher + mode + " " + k.definition + options + "backend " + d.profile + "\n}\n"
}

// at is a site with the lines.
func (d *drawer) at(name, body string) {
	d.sites = append(d.sites, &line{name, true, mustParse(body)})
}

// guard is a guard, as the old surface has it or with what it accepts.
func (d *drawer) guard() string {
	if d.old || !d.one(5) {
		return "signed_link guard\n"
	}
	return "signed_link guard {\naccept Remote-User\n}\n"
}

const members = "@m path /app /app/*\n"

func (d *drawer) shapeSite() {
	d.at("SITE1", members+d.definition("@m ")+draw1(d, "PROXY\n", "handle {\nPROXY\n}\n", "handle /public/* {\nPROXY\n}\nhandle {\nPROXY\n}\n", "route {\nPROXY\n}\n"))
}

func (d *drawer) shapeOrder() {
	proxy := "reverse_proxy"
	if d.fpm {
		proxy = "php_fastcgi"
	}
	d.options = mustParse(draw1(d, "order signed_link before "+proxy, "order signed_link last", "order "+proxy+" first", "order signed_link after handle", "order signed_link after route", "order signed_link before respond", "order signed_link first"))
	d.at("SITE1", members+draw1(d, "", "", d.guard())+d.definition("@m ")+draw1(d,
		"handle /public/* {\nPROXY\n}\nhandle {\nPROXY\n}\n", "PROXY\n", "handle_path /v1/* {\nPROXY\n}\nPROXY\n", "route /public/* {\nPROXY\n}\nPROXY\n"))
}

func (d *drawer) shapeRoute() {
	d.at("SITE1", draw1(d, "", "", d.guard())+members+"route {\n"+draw1(d, "PROXY /public/*\n", "handle /public/* {\nPROXY\n}\n", "", "@x header X-Go 1\nPROXY @x\n", "handle /app/x/* {\nPROXY\n}\n")+
		d.definition("@m ")+"PROXY\n}\n")
	if strings.Contains(textOf(d.sites), "handle /app/x/*") {
		d.protects = "login" // what is below /app/x is meant to be open
	}
}

func (d *drawer) shapeContainer() {
	def := d.definition(draw1(d, "@m ", ""))
	d.at("SITE1", draw1(d, "", "", d.guard())+members+draw1(d,
		"intercept {\n@gone status 404\nhandle_response @gone {\n"+def+"}\n}\nPROXY\n",
		"handle_errors {\n"+def+"PROXY\n}\nPROXY\n",
		"handle /public/* {\nPROXY {\n@gone status 404\nhandle_response @gone {\n"+def+"}\n}\n}\nhandle {\nPROXY\n}\n",
		"handle @m {\nroute {\nhandle {\n"+def+"PROXY\n}\n}\n}\nhandle {\nPROXY\n}\n",
	))
}

func (d *drawer) shapeNested() {
	guard := d.guard()
	inner := func() string { return d.definition("") + "PROXY\n" }
	site := draw1(d,
		members+guard+"handle @m {\n"+inner()+"}\nhandle {\nPROXY\n}\n",
		guard+"handle /app/* {\n"+inner()+"}\nhandle {\nPROXY\n}\n",
		guard+"handle /app* {\n"+inner()+"}\nhandle {\nPROXY\n}\n",
		guard+"route /app/* {\n"+inner()+"}\nPROXY\n",
		guard+"handle /app/* {\nhandle /app/login* {\n"+inner()+"}\nhandle {\n"+inner()+"}\n}\nhandle {\nPROXY\n}\n",
		guard+"handle {\nhandle /app/* {\n"+inner()+"}\nPROXY\n}\n",
		guard+"handle /public/* {\nPROXY\n}\nhandle {\n"+inner()+"}\n",
		members+guard+"handle {\nroute {\n"+d.definition("@m ")+"PROXY\n}\n}\n",
		guard+"handle_path /v1/* {\n"+inner()+"}\nhandle {\nPROXY\n}\n",
		guard+"@a path_regexp (?s)^/app(/.*)?$\nhandle @a {\n"+inner()+"}\nhandle {\nPROXY\n}\n",
		guard+"@a not path /public /public/*\nhandle @a {\n"+inner()+"}\nhandle {\nPROXY\n}\n",
	)
	d.at("SITE1", site)
	if !strings.Contains(site, members) && strings.Contains(site, "/app/* {") {
		d.protects = "below"
	}
	if strings.Contains(site, "handle_path /v1") {
		d.protects = "none"
	}
}

func (d *drawer) shapeSecond() {
	d.at("SITE1", members+d.definition("@m ")+"PROXY\n")
	ways := []string{"", "", "signed_link guard\n", "@x path /x/*\nsigned_link @x guard\n"}
	if !d.old {
		ways = append(ways, "signed_link unguarded\n")
	}
	d.at("SITE2", draw1(d, ways...)+draw1(d, "PROXY\n", "handle {\nPROXY\n}\n", "handle_path /v1/* {\nPROXY\n}\n", "handle_errors {\nPROXY\n}\nerror 404\n", "rewrite * /public{uri}\nPROXY\n"))
}

func (d *drawer) shapeBehind() {
	d.at("SITE1", members+d.definition("@m ")+draw1(d,
		"handle_path /v1/* {\nPROXY\n}\nhandle {\nPROXY\n}\n",
		"handle_path /v1/* {\nrewrite * /app{uri}\nPROXY\n}\nhandle {\nPROXY\n}\n",
		"handle /v1/* {\nuri strip_prefix /v1\nPROXY\n}\nhandle {\nPROXY\n}\n",
		"uri /v1/* strip_prefix /v1\nPROXY\n",
		"uri replace /v1/ /\nPROXY\n",
		"uri path_regexp ^/v1(/.*)$ $1\nPROXY\n",
		"rewrite /short /app/login?{query}\nPROXY\n",
		"rewrite /v1/* /app/x\nPROXY\n",
		"@r path_regexp r ^/v1(/.*)$\nrewrite @r {re.r.1}?{query}\nPROXY\n",
		"route /v1/* {\nuri strip_prefix /v1\nPROXY\n}\nPROXY\n",
		"uri strip_suffix .html\nPROXY\n",
		"method /v1/* GET\nhandle_path /v1/* {\nhandle_path /v2/* {\nPROXY\n}\nPROXY\n}\nPROXY\n",
		"map {path} {to} {\n/v1 /app/login\ndefault {path}\n}\nrewrite * {to}?{query}\nPROXY\n",
	))
}

func (d *drawer) shapeEarly() {
	d.at("SITE1", members+draw1(d,
		"vars rewritten {uri}\n"+d.definition("@m ")+"PROXY {\nenv REQUEST_URI {vars.rewritten}\n}\n",
		"vars q {query}\n"+d.definition("@m ")+"PROXY {\nenv QUERY_STRING {vars.q}\n}\n",
		"map {uri} {u} {\ndefault {uri}\n}\n"+d.definition("@m ")+"PROXY {\nenv REQUEST_URI {u}\n}\n",
		"vars who {query.user}\n"+d.definition("@m ")+"PROXY {\nenv REMOTE_USER {vars.who}\n}\n",
		"map {query.user} {who} {\ndefault {query.user}\n}\n"+d.definition("@m ")+"request_header X-Verified-User {who}\nPROXY\n",
	))
}

// staging is a user of basic_auth with the password pw.
const staging = "basic_auth {\nstaging $2a$04$5rzrRrrcO13a5Jn7O2mFLOvVstHtiBnM4Sm9tCycBe2aj5z1/mSI6\n}\n"

func (d *drawer) shapePassword() {
	d.at("SITE1", draw1(d,
		members+staging+d.definition("@m ")+"PROXY\n",
		members+"route {\n"+staging+d.definition("@m ")+"PROXY\n}\n",
		members+"signed_link guard\nroute {\n"+staging+d.definition("@m ")+"PROXY\n}\n",
		members+d.definition("@m ")+"route {\n"+staging+"PROXY\n}\n",
		members+d.definition("@m ")+"handle /public/* {\n"+staging+"PROXY\n}\nhandle {\nPROXY\n}\n",
	))
}

func (d *drawer) shapeExact() {
	d.protects = "login"
	path := protectable[d.protects][0]
	if d.scripts && d.one(2) {
		d.protects = draw1(d, "plain/login.phtml", "plain/login.phar", "autologin.php")
		path = "/" + d.protects
	}
	d.at("SITE1", "@m path "+path+"\n"+d.definition("@m ")+"PROXY\n")
}

func (d *drawer) shapeNamed() {
	def := d.definition("@m ")
	inner := draw1(d, "header X-A b\n"+members+def, members+def+"PROXY\n", members+"route {\n"+def+"}\n", members+def, "handle {\n"+members+def+"PROXY\n}\n", members+"request_header X-A b\n"+def)
	d.sites = append(d.sites, &line{"&(n)", true, mustParse(inner)})
	d.at("SITE1", draw1(d, "", "", d.guard())+draw1(d, "invoke n\nPROXY\n", "route {\ninvoke n\nPROXY\n}\n", "handle /app* {\ninvoke n\nPROXY\n}\nhandle {\nPROXY\n}\n", "handle {\ninvoke n\nPROXY\n}\n"))
	if d.one(3) { // it is invoked through another one
		d.sites = append(d.sites, &line{"&(o)", true, mustParse("invoke n")})
		d.site("SITE1").body = mustParse(strings.ReplaceAll(textOf(d.site("SITE1").body), "invoke n", "invoke o"))
	}
}

func (d *drawer) shapeMatcher() {
	d.at("SITE1", draw1(d,
		"vars /app* area app\n@m vars {http.vars.area} app\n",
		"vars /app* area app\n@m vars_regexp {http.vars.area} ^app$\n",
		"map {path} {area} {\n~^/app app\ndefault other\n}\n@m expression {area} == 'app'\n",
		"map {path} {area} {\n~^/app app\ndefault other\n}\n@m vars {area} app\n",
		"map {uri} {area} {\n~^/app app\ndefault other\n}\n@m expression `{area} == 'app'`\n",
		"@m expression path('/app', '/app/*')\n",
		"@m expression {path}.startsWith('/app')\n",
		"@m path_regexp (?s)^/app(/.*)?$\n",
		"@m path_regexp m (?i)^/app\n",
		"@m not path /public /public/*\n",
		"@m {\nnot path /public/*\nnot path /static/*\n}\n",
		"@m {\nhost gateway.example\npath /app /app/*\n}\n",
		"@m path /app* /public/../app*\n",
		"@m path_regexp \\.\\.|^/app\n",
		"@m {\nexpression !path('/public/*')\n}\n",
		"",
	))
	site := d.site("SITE1")
	matcher := "@m "
	if len(site.body) == 0 {
		matcher = ""
	}
	site.body = append(site.body, mustParse(d.definition(matcher)+"PROXY\n")...)
}

func (d *drawer) shapeScript() {
	d.protects = draw1(d, "autologin.php", "dir/index.php")
	match := "@m path /" + d.protects + draw1(d, " /"+d.protects+"/*", "", "*") + "\n"
	lookup := draw1(d, "PROXY\n", "PROXY\n", "PROXY {\nindex off\n}\n", "PROXY {\ntry_files {path} {path}.php index.php\n}\n", "PROXY {\nindex autologin.php\n}\n", "PROXY {\ntry_files {path} {path}/index.php =404\n}\n", "PROXY {\nsplit .php .phtml\n}\n",
		"root ROOT\nreverse_proxy ADDRESS {\ntransport fastcgi {\nroot ROOT\nsplit .php\n}\n}\n",
		"root ROOT\ntry_files {path} {path}.php\nPROXY\n")
	d.at("SITE1", match+d.definition("@m ")+draw1(d, lookup, "handle {\n"+lookup+"}\n"))
}

func (d *drawer) shapeFiles() {
	d.protects = draw1(d, "autologin.php", "dir/index.php")
	match := "@m path /" + d.protects + " /" + d.protects + "/*\n"
	d.options = mustParse(draw1(d, "", "order file_server first", "order file_server before signed_link"))
	d.at("SITE1", draw1(d,
		match+"root ROOT\n"+d.definition("@m ")+"PROXY\nfile_server\n",
		match+"root ROOT\nroute {\nfile_server\n"+d.definition("@m ")+"PROXY\n}\n",
		match+"root ROOT\nroute {\n@there file\nfile_server @there\n"+d.definition("@m ")+"PROXY\n}\n",
		match+"root ROOT\n"+d.definition("@m ")+"handle {\nfile_server {\npass_thru\n}\nPROXY\n}\n",
	))
}

func (d *drawer) shapeErrors() {
	const header = "header " + errorRoute + " \"{err.status_code} {http.signed_link.verdict}\"\n"
	d.at("SITE1", members+d.definition("@m ")+draw1(d, "PROXY\n", "handle /public/* {\nerror 404\n}\nhandle {\nPROXY\n}\n")+
		"handle_errors {\n"+header+draw1(d, "PROXY\n", "rewrite * /public{uri}\nPROXY\n", "rewrite * /app/error\nPROXY\n", "handle {\nPROXY\n}\n")+"}\n")
}

func (d *drawer) shapeTwo() {
	d.kind, d.mode = "two", modeRecognize
	first := "signed_link @m recognize akid {env.AKID_SECRET} {\nbackend " + d.profile + "\n}\n"
	second := "signed_link @m recognize akid {\nsecret {env.AKID_SECRET} k1\nname referrer\ntoken {query.referring_akid}\nuser none\nbackend " + d.profile + "\n}\n"
	if d.one(2) {
		first, second = second, first
	}
	d.at("SITE1", members+draw1(d, first+second+"PROXY\n", "route {\n"+first+second+"PROXY\n}\n", first+"handle {\n"+second+"PROXY\n}\n"))
}

func (d *drawer) shapeOthers() {
	def := d.definition("@m ")
	d.at("SITE1", members+draw1(d,
		"request_header Remote-User operator\n"+def+"PROXY\n",
		"signed_link guard\nroute {\nrequest_header Remote-User operator\n"+def+"PROXY\n}\n",
		def+"request_header Remote-User operator\nPROXY\n",
		def+"request_header -Cookie\nPROXY\n",
		def+"PROXY {\nheader_up -Authorization\n}\n",
		def+"PROXY {\nheader_up X-Real-User {http.signed_link.user}\n}\n",
		def+"request_header X-Real-User {http.auth.user.id}\nPROXY\n",
		def+"header >X-Answer {http.signed_link.user}\nPROXY\n",
		"request_header X-Verified-User operator\n"+def+"PROXY\n",
		def+"request_header X-Forwarded-User {header.X-Forwarded-User}\nPROXY\n",
	))
	if d.fpm { // php_fastcgi has no header_up
		d.sites = mustParse(strings.NewReplacer("header_up -Authorization", "env X_NOTHING 1", "header_up X-Real-User", "env REAL_USER").Replace(textOf(d.sites)))
	}
}

func (d *drawer) shapeLarge() {
	d.options = mustParse("servers {\nmax_header_size 1MB\n}")
	d.shapeSite()
}

// shapeBody has definitions that take bodies, and one whose message holds every parameter.
func (d *drawer) shapeBody() {
	if d.php && d.one(2) {
		d.kind = "form"
	}
	d.at("SITE1", members+d.definition("@m ")+"PROXY\n")
}

// accessLog has Caddy write each request into a file, less the signatures.
const accessLog = "log {\noutput file ACCESSLOG {\nroll_disabled\n}\nformat filter {\nwrap json\nfields {\nrequest>uri signed_link\nrequest>headers signed_link\nresp_headers signed_link\n}\n}\n}\n"

// ofPath draws a kind of links in the path, and returns the matcher of its definition.
func (d *drawer) ofPath() string {
	d.protects = "page"
	d.kind = draw1(d, "segment", "name", "name", "greedy", "greedy", "cut", "cut", "kept", "public")
	if d.mode == modeRecognize { // it does not load
		d.mode = draw1(d, modeRequire, modePass)
	}
	log := ""
	if d.one(2) {
		log = accessLog
	}
	return log + "@m " + kindOf(d.kind).match + "\n"
}

// page is a matcher of all below the page.
func (d *drawer) page() string { return kindOf(d.kind).carried.Page + "*" }

func (d *drawer) shapePath() {
	members := d.ofPath()
	def := d.definition("@m ")
	if d.one(3) {
		d.options = mustParse(draw1(d, "order signed_link first", "order signed_link before reverse_proxy", "order signed_link last"))
	}
	d.at("SITE1", members+draw1(d,
		def+"PROXY\n",
		def+"handle {\nPROXY\n}\n",
		def+"handle "+d.page()+" {\nPROXY\n}\nhandle {\nPROXY\n}\n",
		"route {\n"+def+"PROXY\n}\n",
		"route {\n"+def+"handle "+d.page()+" {\nPROXY\n}\nhandle {\nPROXY\n}\n}\n",
		"route {\nPROXY /public/*\n"+def+"PROXY\n}\n",
		"signed_link guard\n"+def+"PROXY\n",
	))
}

func (d *drawer) shapePathNested() {
	members := d.ofPath() + d.guard()
	inner := d.definition("") + "PROXY\n"
	d.at("SITE1", members+draw1(d,
		"handle @m {\n"+inner+"}\nhandle {\nPROXY\n}\n",
		"handle {\nhandle @m {\n"+inner+"}\nPROXY\n}\n",
		"handle {\nroute {\n"+d.definition("@m ")+"PROXY\n}\n}\n",
		"route @m {\n"+inner+"}\nPROXY\n",
		"handle @m {\n"+inner+"}\nhandle "+d.page()+" {\nPROXY\n}\nhandle {\nPROXY\n}\n",
		"handle /public/* {\nPROXY\n}\nhandle {\n"+d.definition("@m ")+"PROXY\n}\n",
		"handle /public/* {\nPROXY\n}\nhandle {\n"+inner+"}\n",
		"handle_path /v1/* {\nPROXY\n}\nhandle @m {\n"+inner+"}\nhandle {\nPROXY\n}\n",
	))
}

func (d *drawer) shapePathSecond() {
	members := d.ofPath()
	d.at("SITE1", members+d.definition("@m ")+"PROXY\n")
	ways := []string{"", "signed_link guard\n", "signed_link guard\n", "signed_link guard\n", "@x path /x/*\nsigned_link @x guard\n"}
	if !d.old {
		ways = append(ways, "signed_link unguarded\n")
	}
	d.at("SITE2", draw1(d, append(ways,
		"signed_link /x/* keyed_hash {env.LINK_SECRET} {\nalgorithm md5\nmessage {query.user}{secret}\nsignature {query.key}\nuser {query.user} utf8\n}\n")...)+
		draw1(d, "PROXY\n", "handle {\nPROXY\n}\n", "handle_path /v1/* {\nPROXY\n}\n", "handle "+d.page()+" {\nPROXY\n}\n", "rewrite /v1/* "+kindOf(d.kind).carried.Page+"43\nPROXY\n", "uri strip_prefix /v1\nPROXY\n"))
}

func (d *drawer) shapePathBehind() {
	members := d.ofPath()
	page := kindOf(d.kind).carried.Page
	d.at("SITE1", members+d.definition("@m ")+draw1(d,
		"handle_path /v1/* {\nPROXY\n}\nhandle {\nPROXY\n}\n",
		"handle_path /v1/* {\nrewrite * "+page+"{uri}\nPROXY\n}\nhandle {\nPROXY\n}\n",
		"handle_path /v1/* {\nrewrite * "+strings.TrimSuffix(page, "/")+"{uri}\nPROXY\n}\nhandle {\nPROXY\n}\n",
		"handle /v1/* {\nuri strip_prefix /v1\nPROXY\n}\nhandle {\nPROXY\n}\n",
		"uri /v1/* strip_prefix /v1\nPROXY\n",
		"uri replace /v1/ /\nPROXY\n",
		"uri path_regexp ^/v1(/.*)$ $1\nPROXY\n",
		"rewrite /v1/* "+page+"43\nPROXY\n",
		"@r path_regexp r ^/v1(/.*)$\nrewrite @r {re.r.1}?{query}\nPROXY\n",
		"route /v1/* {\nuri strip_prefix /v1\nPROXY\n}\nPROXY\n",
		"uri strip_suffix .html\nPROXY\n",
		"request_header X-Path {uri}\nPROXY\n",
		"request_header X-Path {http.request.orig_uri.path}\nPROXY\n",
		"vars p {path}\nrequest_header X-Path {vars.p}\nPROXY\n",
		"map {path} {p} {\ndefault {path}\n}\nrequest_header X-Path {p}\nPROXY\n",
		"header >X-Path {http.request.orig_uri}\nPROXY\n",
	))
}

func (d *drawer) shapePathErrors() {
	members := d.ofPath()
	const header = "header " + errorRoute + " \"{err.status_code} {http.signed_link.verdict}\"\n"
	d.at("SITE1", members+d.definition("@m ")+draw1(d, "PROXY\n", "handle /public/* {\nerror 404\n}\nhandle {\nPROXY\n}\n")+
		"handle_errors {\n"+header+draw1(d, "PROXY\n", "rewrite * /public{uri}\nPROXY\n", "handle {\nPROXY\n}\n", "uri strip_prefix /x\nPROXY\n", "request_header X-Path {http.request.orig_uri}\nPROXY\n")+"}\n")
}

// shapePathTwo has another definition beside it, of another kind of links.
func (d *drawer) shapePathTwo() {
	members := d.ofPath()
	other := "signed_link /other/* " + draw1(d, modeRequire, modeObserve) + " keyed_hash {env.LINK_SECRET} {\nname other\npath /other/<x>/<signature> to " +
		strings.TrimSuffix(kindOf(d.kind).carried.Page, "/") + "/{link.x}\nalgorithm hmac-sha256\nmessage other:{link.x}\nparam {link.x} text max 60\nuser none\nbackend " + d.profile + "\n}\n"
	token := "@t path /app /app/*\nsigned_link @t recognize " + kindOf("token").definition + "backend " + d.profile + "\n}\n"
	if d.kind != "greedy" { // the links of the others stand below their pages, and so would be internal to that one
		other = token
	}
	beside := draw1(d, other, token)
	d.at("SITE1", members+draw1(d, d.definition("@m ")+beside+"PROXY\n", beside+d.definition("@m ")+"PROXY\n", "route {\n"+beside+d.definition("@m ")+"PROXY\n}\n", beside+d.definition("@m ")+"handle_path /v1/* {\nPROXY\n}\nhandle {\nPROXY\n}\n"))
}
