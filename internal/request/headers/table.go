// Package headers says what the names of request headers mean to those who stand
// behind the gateway: the one table from which the guard, the check of output headers,
// the log and the page in docs are made. It knows no Caddy.
package headers

import "strings"

// Kind is why a name stands in the table. It decides what the guard does with the
// header, and whether the gateway may set it.
type Kind uint8

// The kinds. [Kinds] says what each means.
const (
	Result Kind = iota + 1
	Own
	Identity
	Rerouting
	Transport
	Forwarded
	Override
	Credentials
	Connection
	Reserved
)

// Action is what the guard does with a header.
type Action uint8

// The actions.
const (
	Leave        Action = iota // nothing
	Protect                    // delete, but for what a definition of this request set
	Delete                     // delete always
	DeleteFirst                // delete where the first guard of a request meets it
	DeleteUnless               // delete unless a trusted proxy sent it
	DeleteAlias                // delete each spelling but the usual one
	Report                     // report, so that a link with it is refused
	Credential                 // report, so that a definition can cut it
	Filter                     // what [FilterConnection] and the like do
)

// String says it in the words of the page.
func (a Action) String() string {
	return [...]string{
		Leave:        "leaves it",
		Protect:      "deletes it, unless a definition of this request set it",
		Delete:       "deletes it, whoever sent it",
		DeleteFirst:  "deletes it where a request meets the first guard or definition, whoever sent it, unless the guard has `accept`",
		DeleteUnless: "deletes it unless a trusted proxy sent it",
		DeleteAlias:  "deletes its other spellings; Caddy itself writes the usual one",
		Report:       "leaves it, and a link that comes with it is refused",
		Credential:   "leaves it, and `authorization` cuts it",
		Filter:       "keeps of it what is safe",
	}[a]
}

// Meaning is what a kind means.
type Meaning struct {
	Kind   Kind
	Name   string
	Action Action
	Output bool   // whether it may be an output of a definition
	Why    string // what the names have in common
}

// Kinds is what each kind means, by its number.
var Kinds = [...]Meaning{
	{},
	{Result, "result", Protect, false, "the gateway itself sets it"},
	{Own, "own", Protect, true, "the gateway's own names, for `request_header`"},
	{Identity, "identity", DeleteFirst, true, "applications take it for the user, because another gateway sets it"},
	{Rerouting, "rerouting", Delete, false, "frameworks take another URL for the request's because of it"},
	{Transport, "transport", DeleteUnless, false, "a proxy in front says by it how the client came"},
	{Forwarded, "forwarded", DeleteAlias, false, "Caddy's proxies set it"},
	{Override, "override", Report, false, "frameworks take the request for one of another method because of it"},
	{Credentials, "credentials", Credential, false, "PHP, CGI and applications make a user of it"},
	{Connection, "connection", Filter, false, "it is about one connection, and proxies act on it"},
	{Reserved, "reserved", Leave, false, "it has a meaning of its own"},
}

// Row is one name, or the beginning of names.
type Row struct {
	Name     string // as a fold; with a * at its end, all names that begin so
	Kind     Kind
	Believed string // who believes it
}

// Action is what the guard does with the header.
func (r *Row) Action() Action { return Kinds[r.Kind].Action }

// Output reports whether a definition may set the header.
func (r *Row) Output() bool { return Kinds[r.Kind].Output }

// String is the name as people write it.
func (r *Row) String() string { return title(r.Name) }

// title writes a fold as headers are written.
func title(fold string) string {
	if fold[0] == '-' {
		return "$" + strings.ToUpper(fold[1:]) // WebSphere's
	}
	b := []byte(fold)
	for i, c := range b {
		if (i == 0 || b[i-1] == '-') && 'a' <= c && c <= 'z' {
			b[i] = c - ('a' - 'A')
		}
	}
	return string(b)
}

// Table is every name that means something to somebody. An exact name goes before a
// beginning, and a longer beginning before a shorter one. A test takes out one row after
// the other, and sees that a header that real software believes is no longer found
// (testdata/believed.txt).
var Table = []Row{
	// what the gateway says
	{"x-verified-user", Result, "the application behind the gateway"},
	{"x-verified-scheme", Result, "the application behind the gateway"},
	{"x-verified-key-id", Result, "the application behind the gateway"},
	{"x-verified-*", Own, "the application behind the gateway"},

	// identity: who the user is, as other gateways say it. Many applications believe one
	// of these without being told to (holes of tt-rss, FreshRSS, Kanboard, Heimdall).
	{"remote-user*", Identity, "Authelia, CGI, tt-rss, FreshRSS, Django's RemoteUserMiddleware"},
	{"remote-group*", Identity, "Authelia"},
	{"remote-name", Identity, "Authelia"},
	{"remote-email", Identity, "Authelia"},
	{"remote-mail", Identity, "Authelia's kin"},
	{"remote-display-name", Identity, "Authelia's kin"},
	{"remote-ident", Identity, "CGI"},
	{"redirect-remote-*", Identity, "FreshRSS and others, as Apache's REDIRECT_REMOTE_USER"},
	{"redirect-php-auth-*", Identity, "the same, as Apache's REDIRECT_PHP_AUTH_USER"},
	{"user-name", Identity, "tt-rss, which files it as the user's full name"},
	{"user-mail", Identity, "tt-rss, which files it as the user's address"},
	{"user-email", Identity, "tt-rss' kin"},
	{"ct-remote-user", Identity, "RSA ClearTrust"},
	{"x-http-remote-user", Identity, "applications that look for HTTP_X_HTTP_REMOTE_USER"},
	{"x-proxy-remote-user", Identity, "kin of X-Remote-User"},
	{"x-trusted-remote-user", Identity, "kin of X-Remote-User"},
	{"http-remote-user", Identity, "applications that look for HTTP_REMOTE_USER"},
	{"x-remote-user*", Identity, "FreshRSS, Kubernetes' request header authentication"},
	{"x-remote-group*", Identity, "Kubernetes' request header authentication"},
	{"x-remote-extra-*", Identity, "Kubernetes' request header authentication"},
	{"x-remote-uid", Identity, "Kubernetes' request header authentication"},
	{"x-remote-name", Identity, "applications behind Authelia's kin"},
	{"x-remote-email", Identity, "applications behind Authelia's kin"},
	{"auth-user*", Identity, "Heimdall, applications behind basic authentication"},
	{"auth-email", Identity, "Heimdall's kin"},
	{"auth-mail", Identity, "LemonLDAP::NG"},
	{"auth-cn", Identity, "LemonLDAP::NG"},
	{"auth-groups", Identity, "Heimdall's kin"},
	{"auth-name", Identity, "Heimdall's kin"},
	{"auth-type", Identity, "CGI"},
	{"authenticated-user*", Identity, "Kong's and Tyk's kin"},
	{"x-auth-user*", Identity, "Keycloak's gatekeeper (Louketo), OpenStack Swift"},
	{"x-auth-email", Identity, "Keycloak's gatekeeper (Louketo)"},
	{"x-auth-name", Identity, "Keycloak's gatekeeper (Louketo)"},
	{"x-auth-given-name", Identity, "Keycloak's gatekeeper (Louketo)"},
	{"x-auth-family-name", Identity, "Keycloak's gatekeeper (Louketo)"},
	{"x-auth-group*", Identity, "Keycloak's gatekeeper (Louketo)"},
	{"x-auth-role*", Identity, "Keycloak's gatekeeper (Louketo)"},
	{"x-auth-subject", Identity, "Keycloak's gatekeeper (Louketo)"},
	{"x-auth-audience", Identity, "Keycloak's gatekeeper (Louketo)"},
	{"x-auth-expiresin", Identity, "Keycloak's gatekeeper (Louketo)"},
	{"x-auth-request-*", Identity, "oauth2-proxy"},
	{"keycloak-*", Identity, "Keycloak's security proxy"},
	{"x-forwarded-user*", Identity, "oauth2-proxy, traefik-forward-auth, Jenkins, Nexus"},
	{"x-forwarded-email", Identity, "oauth2-proxy"},
	{"x-forwarded-mail", Identity, "Jenkins"},
	{"x-forwarded-login", Identity, "oauth2-proxy's kin"},
	{"x-forwarded-uid", Identity, "oauth2-proxy's kin"},
	{"x-forwarded-group*", Identity, "oauth2-proxy, Jenkins"},
	{"x-forwarded-role*", Identity, "oauth2-proxy's kin"},
	{"x-forwarded-name", Identity, "oauth2-proxy's kin"},
	{"x-forwarded-display-name", Identity, "Jenkins"},
	{"x-forwarded-displayname", Identity, "Jenkins"},
	{"x-forwarded-preferred-username", Identity, "oauth2-proxy"},
	{"x-forwarded-access-token", Identity, "oauth2-proxy"},
	{"x-forwarded-id-token", Identity, "oauth2-proxy's kin"},
	{"x-webauth-*", Identity, "Grafana, Gitea, FreshRSS, Coder"},
	{"webauth-user", Identity, "Stanford WebAuth"},
	{"x-authenticated-*", Identity, "Kong, Tyk, Zscaler"},
	{"x-authentik-*", Identity, "Authentik"},
	{"x-pomerium-*", Identity, "Pomerium"},
	{"cf-access-*", Identity, "Cloudflare Access"},
	{"cf-client-cert-*", Identity, "Cloudflare's client certificates"},
	{"cf-cert-*", Identity, "Cloudflare's client certificates"},
	{"x-goog-authenticated-user-*", Identity, "Google's Identity-Aware Proxy"},
	{"x-goog-iap-*", Identity, "Google's Identity-Aware Proxy"},
	{"x-endpoint-api-userinfo", Identity, "Google Cloud Endpoints"},
	{"x-apigateway-api-userinfo", Identity, "Google's API Gateway"},
	{"x-amzn-oidc-*", Identity, "AWS's load balancers"},
	{"x-amzn-ava-*", Identity, "AWS Verified Access"},
	{"x-amzn-mtls-*", Identity, "AWS's load balancers, of client certificates"},
	{"x-ms-client-principal*", Identity, "Azure App Service"},
	{"x-ms-token-*", Identity, "Azure App Service"},
	{"x-arr-clientcert*", Identity, "Azure App Service, of client certificates"},
	{"ms-aspnetcore-*", Identity, "ASP.NET Core behind IIS"},
	{"x-iisnode-*", Identity, "iisnode"},
	{"logon-user", Identity, "IIS"},
	{"x-logon-user", Identity, "IIS"},
	{"tailscale-*", Identity, "Tailscale Serve"},
	{"teleport-*", Identity, "Teleport"},
	{"x-vouch-*", Identity, "Vouch Proxy"},
	{"x-token-subject", Identity, "caddy-security"},
	{"x-token-user-*", Identity, "caddy-security"},
	{"sm-*", Identity, "SiteMinder, Knox"},
	{"x-siteminder-*", Identity, "SiteMinder's kin"},
	{"x-okta-user*", Identity, "Okta's gateway"},
	{"sso-user*", Identity, "single sign-on of many kinds"},
	{"x-email", Identity, "applications behind forward authentication"},
	{"x-groups", Identity, "applications behind forward authentication"},
	{"x-roles", Identity, "applications behind forward authentication"},
	{"smuser*", Identity, "SiteMinder without underscores"},
	{"smuniversalid", Identity, "SiteMinder without underscores"},
	{"smauth*", Identity, "SiteMinder without underscores"},
	{"smserversession*", Identity, "SiteMinder without underscores"},
	{"oam-*", Identity, "Oracle Access Manager"},
	{"osso-user-*", Identity, "Oracle Single Sign-On"},
	{"iv-*", Identity, "IBM WebSEAL and Security Verify Access"},
	{"-ws*", Identity, "WebSphere's plugin ($WSRU, $WSCC)"},
	{"wl-proxy-client-*", Identity, "WebLogic's plugin"},
	{"shib-*", Identity, "Shibboleth"},
	{"eppn", Identity, "Shibboleth"},
	{"persistent-id", Identity, "Shibboleth"},
	{"targeted-id", Identity, "Shibboleth"},
	{"affiliation", Identity, "Shibboleth"},
	{"unscoped-affiliation", Identity, "Shibboleth"},
	{"entitlement", Identity, "Shibboleth"},
	{"oidc-*", Identity, "Apache's mod_auth_openidc"},
	{"mellon-*", Identity, "Apache's mod_auth_mellon"},
	{"cas-*", Identity, "Apache's mod_auth_cas"},
	{"x-consumer-*", Identity, "Kong"},
	{"x-credential-*", Identity, "Kong"},
	{"x-anonymous-consumer", Identity, "Kong"},
	{"x-userinfo", Identity, "Kong's and APISIX's OpenID Connect"},
	{"x-user", Identity, "Ory Oathkeeper, KrakenD"},
	{"x-username", Identity, "Ory Oathkeeper's kin"},
	{"x-user-name", Identity, "Ory Oathkeeper's kin"},
	{"x-user-email", Identity, "Ory Oathkeeper's kin"},
	{"x-user-group*", Identity, "Ory Oathkeeper's kin"},
	{"x-user-role*", Identity, "Ory Oathkeeper's kin"},
	{"x-proxy-user*", Identity, "OpenSearch's and Search Guard's proxy authentication"},
	{"x-proxy-role*", Identity, "OpenSearch's and Search Guard's proxy authentication"},
	{"x-proxy-ext-*", Identity, "OpenSearch's and Search Guard's proxy authentication"},
	{"x-proxiedentit*", Identity, "Apache NiFi"},
	{"x-sso-*", Identity, "Nexus and single sign-on of many kinds"},
	{"x-ldap-user*", Identity, "nginx's LDAP authentication"},
	{"x-rh-identity", Identity, "Red Hat's 3scale"},
	{"x-jwt-assertion", Identity, "WSO2"},
	{"php-auth-*", Identity, "applications that look for PHP_AUTH_USER in many places"},
	{"ssl-client-*", Identity, "nginx and Apache, of client certificates"},
	{"x-ssl-client-*", Identity, "nginx, HAProxy and Puppet, of client certificates"},
	{"x-ssl-cert*", Identity, "nginx, of client certificates"},
	{"ssl-cert*", Identity, "Keycloak behind Apache, of client certificates"},
	{"tls-client-*", Identity, "proxies, of client certificates"},
	{"x-tls-client-*", Identity, "proxies, of client certificates"},
	{"client-cert*", Identity, "RFC 9440, of client certificates"},
	{"x-client-cert*", Identity, "nginx and Google's load balancers, of client certificates"},
	{"x-client-dn", Identity, "nginx, of client certificates"},
	{"x-client-verify", Identity, "nginx and Puppet, of client certificates"},
	{"x-forwarded-client-cert*", Identity, "Envoy and Cloud Foundry, of client certificates"},
	{"x-forwarded-tls-client-*", Identity, "Traefik, of client certificates"},

	// rerouting: another URL for the request's. With them a request on an open path runs
	// the code of a protected one (CVE-2018-14773; Laravel's X-Forwarded-Prefix made the
	// link of one page verify for another). No browser sends them.
	{"x-original-url", Rerouting, "Symfony, Zend, IIS rewriting, WordPress"},
	{"x-original-uri", Rerouting, "ingress-nginx and what stands behind it"},
	{"x-rewrite-url", Rerouting, "Symfony, Zend, IIS rewriting, WordPress"},
	{"x-rewrite-uri", Rerouting, "kin of X-Rewrite-URL"},
	{"x-envoy-original-path", Rerouting, "Envoy"},
	{"x-script-name", Rerouting, "WSGI behind nginx"},
	{"script-name", Rerouting, "Gunicorn"},
	{"path-info", Rerouting, "Gunicorn"},
	{"request-uri", Rerouting, "CGI"},
	{"redirect-url", Rerouting, "CGI, as Apache's REDIRECT_URL"},
	{"x-forwarded-prefix", Rerouting, "Laravel, Symfony, Spring, Werkzeug"},
	{"x-forwarded-uri", Rerouting, "Traefik and what stands behind it"},
	{"x-forwarded-path", Rerouting, "kin of X-Forwarded-Prefix"},
	{"x-forwarded-context", Rerouting, "Apache NiFi and Knox"},
	{"x-proxycontextpath", Rerouting, "Apache NiFi"},
	{"forwarded", Rerouting, "RFC 7239: Spring, Symfony"},

	// transport: what a proxy in front says of the connection. Caddy replaces the other
	// X-Forwarded-* headers of clients that are no trusted proxies, and leaves these.
	{"x-forwarded-port", Transport, "Symfony, Laravel, Spring, Rack"},
	{"x-forwarded-ssl", Transport, "Rack, Django"},
	{"x-forwarded-scheme", Transport, "Rack"},
	{"x-forwarded-protocol", Transport, "Gunicorn, Django"},
	{"x-forwarded-server", Transport, "Apache and what stands behind it"},
	{"front-end-https", Transport, "Exchange and applications behind it"},
	{"x-url-scheme", Transport, "applications behind nginx"},
	{"x-scheme", Transport, "ingress-nginx"},
	{"x-arr-ssl", Transport, "IIS"},
	{"wl-proxy-ssl", Transport, "WebLogic's plugin"},

	// forwarded: Caddy's proxies write these under the usual spelling; another one beside
	// it is the same name to PHP, and the client's own word.
	{"x-forwarded-for", Forwarded, "everybody"},
	{"x-forwarded-host", Forwarded, "everybody"},
	{"x-forwarded-proto", Forwarded, "everybody"},

	// override: another method than the one that was judged
	{"x-http-method-override", Override, "Symfony, Laravel, Rails, JAX-RS filters"},
	{"x-http-method", Override, "Microsoft's APIs"},
	{"x-method-override", Override, "Express and others"},

	// credentials: a name and a password of the client's, or a token
	{"authorization", Credentials, "Cacti, tt-rss and more of PHP, as PHP_AUTH_USER; behind nginx, as REMOTE_USER"},
	{"proxy-authorization", Credentials, "proxies behind Caddy"},
	{"http-authorization", Credentials, "applications behind servers that hide Authorization"},
	{"redirect-http-authorization", Credentials, "applications behind Apache's CGI"},
	{"redirect-authorization", Credentials, "applications behind Apache's CGI"},
	{"x-authorization", Credentials, "applications behind servers that hide Authorization"},
	{"x-http-authorization", Credentials, "applications behind servers that hide Authorization"},

	// connection
	{"connection", Connection, "Caddy's proxies, which delete what it names"},
	{"upgrade", Connection, "servers that speak h2c, through which requests pass that no guard sees"},
	{"trailer", Connection, "Apache's MergeTrailers, which makes headers of trailers"},
	{"http2-settings", Connection, "servers that speak h2c"},

	// reserved: no output, and nothing that the guard must do
	{"x-forwarded-*", Reserved, "whatever stands behind proxies"},
	{"content-*", Reserved, "everybody"},
	{"proxy-*", Reserved, "proxies"},
	{"sec-*", Reserved, "browsers alone may send it"},
	{"access-control-*", Reserved, "CORS"},
	{"if-*", Reserved, "caches and servers"},
	{"x-http-method*", Reserved, "kin of X-HTTP-Method-Override"},
	{"accept*", Reserved, "servers"},
	{"cache-control", Reserved, "caches"},
	{"cookie", Reserved, "everybody"},
	{"date", Reserved, "servers"},
	{"early-data", Reserved, "servers that answer 425"},
	{"expect", Reserved, "servers"},
	{"host", Reserved, "everybody"},
	{"keep-alive", Reserved, "proxies"},
	{"max-forwards", Reserved, "proxies"},
	{"origin", Reserved, "CORS, and guards against forged forms"},
	{"pragma", Reserved, "caches"},
	{"proxy", Reserved, "CGI, as HTTP_PROXY (CVE-2016-5385)"},
	{"range", Reserved, "servers"},
	{"referer", Reserved, "guards against forged forms"},
	{"set-cookie", Reserved, "browsers"},
	{"te", Reserved, "proxies"},
	{"transfer-encoding", Reserved, "everybody"},
	{"user-agent", Reserved, "everybody"},
	{"via", Reserved, "proxies"},
	{"x-real-ip", Reserved, "applications, as the client's address"},
	{"client-ip", Reserved, "applications, as the client's address"},
	{"true-client-ip", Reserved, "applications, as the client's address"},
	{"cf-connecting-ip", Reserved, "applications, as the client's address"},
	{"x-client-ip", Reserved, "applications, as the client's address"},
}

// prefix returns the beginning of names that a row stands for, and whether it is one.
func (r *Row) prefix() (string, bool) { return strings.CutSuffix(r.Name, "*") }
