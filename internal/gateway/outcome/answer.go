package outcome

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signedlink/caddy-signed-link/link"
)

// Status is the HTTP status of some refusals; of all, where no reason is named.
type Status struct {
	Reasons []string
	Code    int
}

// Redirect sends the client of some refusals elsewhere; of all, where no reason is named.
type Redirect struct {
	Reasons []string
	To      string
}

// DefaultStatuses are the statuses of refusals.
var DefaultStatuses = map[link.Reason]int{
	link.Missing:         http.StatusUnauthorized,
	link.Malformed:       http.StatusBadRequest,
	link.Ambiguous:       http.StatusBadRequest,
	link.BadSignature:    http.StatusUnauthorized,
	link.Expired:         http.StatusGone,
	link.NotYetValid:     http.StatusUnauthorized,
	link.OutOfScope:      http.StatusForbidden,
	link.Method:          http.StatusMethodNotAllowed,
	link.Body:            http.StatusBadRequest,
	link.KeysUnavailable: http.StatusServiceUnavailable,
	link.Throttled:       http.StatusTooManyRequests,
}

// NewStatuses returns the statuses of all refusals.
func NewStatuses(others []Status) (map[link.Reason]int, error) {
	statuses := maps.Clone(DefaultStatuses)
	seen := make(map[link.Reason]bool)
	for _, s := range others {
		if s.Code < 400 || s.Code > 599 {
			return nil, fmt.Errorf("status: %d: a refusal is answered with 400 to 599; for a redirect use redir", s.Code)
		}
		if err := eachReason("status", s.Reasons, seen, func(r link.Reason) { statuses[r] = s.Code }); err != nil {
			return nil, err
		}
	}
	return statuses, nil
}

// NewRedirects returns where clients are sent, by the reason of the refusal.
func NewRedirects(list []Redirect) (map[link.Reason]string, error) {
	redirects := make(map[link.Reason]string)
	seen := make(map[link.Reason]bool)
	for _, r := range list {
		if err := CheckTarget(r.To); err != nil {
			return nil, err
		}
		if err := eachReason("redir", r.Reasons, seen, func(reason link.Reason) { redirects[reason] = r.To }); err != nil {
			return nil, err
		}
	}
	return redirects, nil
}

// eachReason calls set for the reasons; none means all that are not named elsewhere.
func eachReason(option string, names []string, seen map[link.Reason]bool, set func(link.Reason)) error {
	if len(names) == 0 {
		if seen[""] {
			return fmt.Errorf("%s is given twice without a reason", option)
		}
		seen[""] = true
		for _, r := range link.Reasons {
			if !seen[r] {
				set(r)
			}
		}
		return nil
	}
	for _, name := range names {
		r := link.Reason(name)
		if !slices.Contains(link.Reasons, r) {
			return fmt.Errorf("%s: unknown reason %q%s; there are %v", option, link.Shown(name), link.DidYouMean(r, link.Reasons), link.Reasons)
		}
		if seen[r] {
			return fmt.Errorf("%s: %s is given twice", option, name)
		}
		seen[r] = true
		set(r)
	}
	return nil
}

// CheckTarget accepts a path of this site, or a fixed URL. `//evil.example` and
// `/\evil.example` are other sites to a browser (CVE-2024-21497's class), and nothing
// of the request may be part of where its client is sent.
func CheckTarget(to string) error {
	bad := func(why string) error {
		return fmt.Errorf("redir: %q %s; write a path of this site, such as /expired, or a fixed URL, such as https://example.org/expired", link.Typed(to), why)
	}
	u, err := url.Parse(to)
	switch {
	case err != nil:
		return bad("is no URL")
	case strings.ContainsAny(to, "{}"):
		return bad("has a placeholder")
	case strings.ContainsFunc(to, func(c rune) bool { return c <= ' ' || c == '\\' || c >= 0x7F }):
		return bad("has a blank, a backslash or a character that is not ASCII")
	case strings.HasPrefix(to, "/"):
		if strings.HasPrefix(to, "//") {
			return bad("names another host")
		}
		return nil
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "":
		return nil
	}
	return bad("is neither a path nor a URL with a host")
}

// Answer sets the headers of the answer to a refused request, and returns its status, and
// whether it is a redirect, whose answer has no more to it. The client of a request with
// this method is to wait, if it is throttled.
func (rules *Rules) Answer(header http.Header, method string, refusal link.Refusal, wait time.Duration) (status int, redirect bool) {
	header.Set("Cache-Control", "no-store")
	if to, ok := rules.Redirects[refusal.Reason]; ok {
		header.Set("Location", to)
		if method == http.MethodGet || method == http.MethodHead {
			return http.StatusFound, true
		}
		return http.StatusSeeOther, true
	}
	if refusal.Reason == link.Throttled {
		seconds := int64((wait + time.Second - 1) / time.Second)
		header.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	status = rules.Statuses[refusal.Reason]
	switch status {
	case http.StatusUnauthorized:
		header.Set("Www-Authenticate", "SignedLink")
	case http.StatusMethodNotAllowed:
		header.Set("Allow", rules.Allow)
	case http.StatusServiceUnavailable:
		if refusal.Reason != link.Throttled {
			header.Set("Retry-After", "10")
		}
	}
	return status, false
}

// referrerPolicies are those of the specification, https://www.w3.org/TR/referrer-policy/;
// the first is the default here.
var referrerPolicies = []string{
	"same-origin", "no-referrer", "no-referrer-when-downgrade", "origin", "strict-origin", "origin-when-cross-origin",
	"strict-origin-when-cross-origin", "unsafe-url",
}

// policyOff leaves the header to the application.
const policyOff = "off"

// ParseReferrerPolicy returns the policy with this name, "" for `off`.
func ParseReferrerPolicy(name string) (string, error) {
	switch {
	case name == policyOff:
		return "", nil
	case name == "":
		return referrerPolicies[0], nil
	case slices.Contains(referrerPolicies, name):
		return name, nil
	}
	return "", fmt.Errorf("referrer_policy: unknown policy %q%s; write one of %s, or %s", link.Shown(name),
		link.DidYouMean(name, append([]string{policyOff}, referrerPolicies...)), strings.Join(referrerPolicies, ", "), policyOff)
}
