package adversary

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"testing"
)

// SecondSites returns the configuration once for each backend behind a guard or definition,
// with a further site added that hands everything to that backend and has no guard. Each
// must be refused.
func SecondSites(t testing.TB, configuration []byte) (with [][]byte) {
	t.Helper()
	var whole any
	if err := json.Unmarshal(configuration, &whole); err != nil {
		t.Fatal(err)
	}
	servers, _ := at(whole, "apps", "http", "servers").(object)
	var proxies []string
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		if named := at(servers[name], "named_routes"); contains(servers[name], "signed_link") {
			proxies = proxiesIn(at(servers[name], "routes"), proxies)
			proxies = proxiesIn(named, proxies)
		}
	}
	for i, proxy := range proxies {
		servers["second"] = object{
			"listen": []string{":" + strconv.Itoa(18900+i)}, "automatic_https": object{"disable": true},
			"routes": []any{object{"handle": []any{json.RawMessage(proxy)}}},
		}
		text, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		with = append(with, text)
	}
	return with
}

// contains reports whether the handler is somewhere in a piece of JSON.
func contains(x any, handler string) bool {
	switch x := x.(type) {
	case []any:
		return slices.ContainsFunc(x, func(y any) bool { return contains(y, handler) })
	case object:
		if x["handler"] == handler {
			return true
		}
		for _, y := range x {
			if contains(y, handler) {
				return true
			}
		}
	}
	return false
}

// proxiesIn appends the proxies in a piece of JSON, each once; those that only ask whether
// a request may go on (forward_auth) are none.
func proxiesIn(x any, found []string) []string {
	switch x := x.(type) {
	case []any:
		for _, y := range x {
			found = proxiesIn(y, found)
		}
	case object:
		if x["handler"] == "reverse_proxy" {
			if text, err := json.Marshal(x); err == nil && x["handle_response"] == nil && !slices.Contains(found, string(text)) {
				found = append(found, string(text))
			}
			return found
		}
		for _, name := range slices.Sorted(maps.Keys(x)) {
			found = proxiesIn(x[name], found)
		}
	}
	return found
}
