// Package backend says whose parser stands behind the gateway: a profile is a set of
// rules, and each rule is one way in which that parser reads a request otherwise than
// the gateway does. The table of the rules is here; what each of them finds in a request
// is found by the packages that read that part of it.
package backend

import "fmt"

// Profile says whose parser stands behind the gateway. It is a set of rules: each is
// one way in which a backend reads a request that another reader, or the gateway,
// would not see.
type Profile uint8

// The profiles. Strict holds for either backend and is the default.
const (
	Strict Profile = iota
	PHP
	Servlet
)

// Rule is one such way of reading.
type Rule uint8

// The rules. What each answers stands in [Rules].
const (
	DecodedName Rule = iota
	LeadingBlank
	LeadingQuestionMark
	NULTail
	ArrayName
	UnderscoreName
	SemicolonSeparator
	SecondQuery
	HTMLEscapedName
	AnyCase
	DashDotUnderscore
	StrayBracket
	InvisibleCharacter
	FullWidthLetter
	PercentU
	SingleName
	SemicolonInValue
	BrokenEscapeInValue
	ControlByte
	OverriddenMethod
	CookieShadow
	UnnamedBody
	FormBody
	UntypedBody
	JSONBody
	MultipartBody
	XMLBody
	ForeignCharset
	EncodedBody
	HeaderSafeValue
)

// Rules is the table of the rules, the one place that says which profile has which.
// A test takes out one line after the other and sees the tests fail. Measured on PHP
// 8.2 (FPM, mod_php, php -S), Tomcat 9 and 10 and Jetty 9.4.
var Rules = []struct {
	Rule                 Rule
	Name                 string
	Package              string // that answers the rule, and whose tests have its name
	PHP, Servlet, Strict bool
	Answers              string // which backend behaviour
}{
	// how a backend spells the name of a parameter
	{DecodedName, "decoded_name", "query", true, true, true, "every backend decodes names: us%65r is user"},
	{LeadingBlank, "leading_blank", "query", true, false, true, "PHP drops leading blanks: +user, %20user"},
	{LeadingQuestionMark, "leading_question_mark", "query", true, false, true, "php -S and URLSearchParams drop a leading '?'"},
	{NULTail, "nul_tail", "query", true, false, true, "PHP cuts names at the first NUL: user%00x"},
	{ArrayName, "array_name", "query", true, false, true, "PHP makes an array that replaces the string: user[], user[x]y"},
	{UnderscoreName, "underscore_name", "query", true, false, true, "PHP files user.id, user+id and user[id under user_id"},
	{SemicolonSeparator, "semicolon_separator", "query", true, false, true, "PHP's arg_separator.input, old Rack, Perl and Python split at ';', too"},
	{SecondQuery, "second_query", "query", true, false, true, "CodeIgniter 3: ?/app?user=x is the page /app with the parameter user"},
	{HTMLEscapedName, "html_escaped_name", "query", true, true, true, "mail programs send &amp;user= where a page was escaped twice"},
	{AnyCase, "any_case", "query", false, false, true, "ASP.NET and many filters ignore case: USER"},
	{DashDotUnderscore, "dash_dot_underscore", "query", false, false, true, "Java binders and CGI make '-', '.' and '_' alike: user-id"},
	{StrayBracket, "stray_bracket", "query", false, false, true, "Rack strips brackets: user], [user]"},
	{InvisibleCharacter, "invisible_character", "query", false, false, true, "trimming and normalising readers drop blanks of Unicode, tabs and controls"},
	{FullWidthLetter, "full_width_letter", "query", false, false, true, "normalising readers (NFKC) make letters of full-width ones"},
	{PercentU, "percent_u", "query", false, false, true, "Perl CGI and IIS decode %u0075"},
	// what a parameter may look like
	{SingleName, "single_name", "internal/gateway/definition", true, true, true, "PHP takes the last of two, Java the first, getParameterValues both (CVE-2022-2385)"},
	{SemicolonInValue, "semicolon_in_value", "internal/gateway/definition", true, true, true, "Go drops user=admin; and every backend keeps it (CVE-2022-2880)"},
	{BrokenEscapeInValue, "broken_escape_in_value", "internal/gateway/definition", true, true, true, "of user=admin% PHP keeps all, Tomcat nothing, Jetty stops reading"},
	{ControlByte, "control_byte", "internal/gateway/definition", true, true, true, "HTTP/2 carries raw blanks and '#', where backends begin or end parameters"},
	{HeaderSafeValue, "header_safe_value", "internal/gateway/definition", true, true, true, "blanks vanish, NUL cuts, CR and LF pass through FastCGI, UTF-8 is Latin-1 in getHeader"},
	// where else a backend finds parameters and methods; how it reads paths stands in
	// internal/request/targets
	{OverriddenMethod, "overridden_method", "internal/gateway/definition", true, true, true, "_method, _METHOD and X-HTTP-Method-Override turn a GET into a DELETE in Symfony, Laravel, Slim, Rails, Spring"},
	{CookieShadow, "cookie_shadow", "internal/gateway/definition", true, false, true, "$_REQUEST prefers cookies where request_order holds C"},
	{UnnamedBody, "unnamed_body", "internal/request/bodies", true, true, true, "$_REQUEST and getParameter read bodies, Tomcat multipart ones on GET"},
	{FormBody, "form_body", "internal/request/bodies", true, true, true, "$_REQUEST prefers the form, getParameterValues has both"},
	{UntypedBody, "untyped_body", "internal/request/bodies", true, true, true, "FastCGI backends read a body without Content-Type as a form"},
	{JSONBody, "json_body", "internal/request/bodies", true, true, true, "frameworks merge the outermost JSON object with the parameters"},
	{MultipartBody, "multipart_body", "internal/request/bodies", true, true, true, "PHP, Tomcat and Jetty disagree on name=, name*=, quotes and boundaries"},
	{XMLBody, "xml_body", "internal/request/bodies", true, false, true, "Slim 3 makes parameters of the elements of XML"},
	{ForeignCharset, "foreign_charset", "internal/request/bodies", true, true, true, "Tomcat decodes forms in charset=IBM037, where user is other bytes"},
	{EncodedBody, "encoded_body", "internal/request/bodies", true, true, true, "a compressed form hides its names"},
}

// RuleSet is a set of rules, each the bit of its number.
type RuleSet uint64

// Has reports whether the rule is in the set.
func (s RuleSet) Has(r Rule) bool { return s&(1<<r) != 0 }

// sets are the rules of each profile.
var sets = func() (s [3]RuleSet) {
	for _, r := range Rules {
		for p, has := range [...]bool{Strict: r.Strict, PHP: r.PHP, Servlet: r.Servlet} {
			if has {
				s[p] |= 1 << r.Rule
			}
		}
	}
	return s
}()

// Has reports whether the profile has the rule.
func (p Profile) Has(r Rule) bool { return sets[p].Has(r) }

// Rules returns the rules of the profile.
func (p Profile) Rules() RuleSet { return sets[p] }

var profileNames = [...]string{Strict: "strict", PHP: "php", Servlet: "servlet"}

// ParseProfile returns the profile of that name; the empty name is [Strict].
func ParseProfile(name string) (Profile, error) {
	for p, n := range profileNames {
		if name == n || name == "" && Profile(p) == Strict {
			return Profile(p), nil
		}
	}
	return 0, fmt.Errorf("unknown backend %q; write strict, php or servlet", name)
}

// String returns the profile's name.
func (p Profile) String() string { return profileNames[p] }
