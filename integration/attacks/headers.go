package attacks

import "strings"

// GatewayHeaders are headers in which other gateways say who the user is, and which
// applications therefore believe. None of them may come from a client.
var GatewayHeaders = []string{
	// what PHP makes of its own variables, and what applications fall back to
	"Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email", "X-Remote-User", "Redirect-Remote-User",
	"Php-Auth-User", "Php-Auth-Pw", "Php-Auth-Digest",
	// nginx, Traefik, oauth2-proxy, mod_auth_*
	"Auth-User", "X-Auth-User", "X-Auth-Username", "X-Webauth-User", "X-Authenticated-User", "X-Forwarded-User", "X-Forwarded-Email",
	"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Access-Token",
	// authentik, Pomerium
	"X-Authentik-Username", "X-Authentik-Email", "X-Authentik-Groups", "X-Authentik-Name", "X-Authentik-Uid", "X-Authentik-Jwt",
	"X-Pomerium-Jwt-Assertion", "X-Pomerium-Claim-Email", "X-Pomerium-Claim-Groups",
	// clouds
	"Cf-Access-Authenticated-User-Email", "Cf-Access-Jwt-Assertion",
	"X-Goog-Authenticated-User-Email", "X-Goog-Authenticated-User-Id",
	"X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Data", "X-Amzn-Oidc-Accesstoken",
	"X-Ms-Client-Principal", "X-Ms-Client-Principal-Name", "X-Ms-Client-Principal-Id", "X-Ms-Client-Principal-Idp",
	"Tailscale-User-Login", "Tailscale-User-Name", "Tailscale-User-Profile-Pic",
	// SiteMinder, client certificates
	"Sm-User", "Sm-Userdn", "Sm-Universalid", "Ssl-Client-S-Dn", "Ssl-Client-Verify", "Ssl-Client-Cert",
}

// OwnHeaders are those of this gateway.
var OwnHeaders = []string{"X-Verified-User", "X-Verified-Scheme", "X-Verified-Key-Id", "X-Verified-Mailing", "X-Verified-Whatever", "X-Member"}

// Folds are the names under which a client can send a header such that PHP files it under
// the same one.
func Folds(name string) []string {
	return []string{
		name,
		strings.ToLower(name),
		strings.ToUpper(name),
		strings.ReplaceAll(name, "-", "_"),
		strings.ToUpper(strings.ReplaceAll(name, "-", "_")),
		strings.ReplaceAll(name, "-", "."),
		strings.Replace(name, "-", "_", 1),
		strings.Replace(name, "-", ".", 1),
	}
}
