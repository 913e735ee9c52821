package routes_test

import (
	"slices"
	"strings"
	"testing"
)

// TestAttackPathBeforeTheMove: what is made of the path before a definition moves the request
// has the signature in it, and a line behind would hand it to the backend. Each site is
// walked with a definition that stays, too, of which nothing of this is said.
func TestAttackPathBeforeTheMove(t *testing.T) {
	const early, unknown = "early_reader d", "rewrite_unknown d"
	for name, tc := range map[string]struct {
		directives string
		want       []string // of a definition that moves
		stays      []string
	}{
		"a rewrite by what another line has captured": {`
			@a path_regexp a ^/v1(/.*)$
			@b path /v1/*
			route {
				test_gate /members/* stays d
				vars @a x y
				rewrite @b {re.a.1}
				reverse_proxy app:80
			}`, []string{unknown}, []string{unknown}},
		"vars before it": {`
			vars page {path}
			test_gate /dl/* moves d
			reverse_proxy app:80`, []string{early}, nil},
		"a part of the path": {`
			vars page {http.request.uri.path.1}
			test_gate /dl/* moves d
			reverse_proxy app:80`, []string{early}, nil},
		"the whole URI, said once": {`
			vars page {uri}
			test_gate /dl/* moves d
			reverse_proxy app:80`, []string{early}, []string{early}},
		"the whole URI, behind another definition": {`
			route {
				test_gate /members/* stays a
				vars page {uri}
				test_gate /dl/* moves d
				reverse_proxy app:80
			}`, []string{early}, nil},
		"vars of other paths": {`
			vars /app/* page {path}
			test_gate /dl/* moves d
			reverse_proxy app:80`, nil, nil},
		"vars of other paths, and a rewrite between": {`
			route {
				vars /app/* page {path}
				uri replace /app/ /dl/
				test_gate /dl/* moves d
				reverse_proxy app:80
			}`, []string{early}, nil},
		"vars behind it": {`
			route {
				test_gate /dl/* moves d
				vars page {path}
				reverse_proxy app:80
			}`, nil, nil},
		"vars of another handle": {`
			test_gate guard g
			handle /dl/* {
				test_gate moves d
				reverse_proxy app:80
			}
			handle {
				vars page {path}
				reverse_proxy app:80
			}`, nil, nil},
		"a header before it": {`
			test_gate guard g
			route {
				request_header X-Page {path}
				test_gate /dl/* moves d
				reverse_proxy app:80
			}`, []string{early}, nil},
		"a header of the answer": {`
			header Link "<https://example.org{path}>; rel=canonical"
			test_gate /dl/* moves d
			reverse_proxy app:80`, nil, nil},
		"a parameter before it": {`
			route {
				uri query +page {path}
				test_gate /dl/* moves d
				reverse_proxy app:80
			}`, []string{early}, nil},
		"a map, which expands when it is asked": {`
			map {path} {area} {
				~^/files/(.*)$ $1
			}
			test_gate /dl/* moves d
			reverse_proxy app:80 {
				header_up X-Area {area}
			}`, nil, nil},
		"a map that is asked before": {`
			map {path} {area} {
				~^/dl/(.*)$ $1
			}
			vars area {area}
			test_gate /dl/* moves d
			reverse_proxy app:80`, []string{early}, nil},
		"its own capture in a header": {`
			@dl path_regexp dl ^/dl/([^/]+)/(.*)$
			test_gate @dl moves d
			reverse_proxy app:80 {
				header_up X-File {re.dl.2}
			}`, []string{early}, nil},
		"its own capture without a name": {`
			@dl path_regexp ^/dl/([^/]+)/(.*)$
			test_gate @dl moves d
			reverse_proxy app:80 {
				header_up X-File {re.2}
			}`, []string{early}, nil},
		"a capture of the way to it, in a rewrite": {`
			test_gate guard g
			@dl path_regexp dl ^/dl/([^/]+)/(.*)$
			handle @dl {
				test_gate moves d
				rewrite * /other/{re.dl.1}
				reverse_proxy app:80
			}`, []string{early}, nil},
		"a capture of a line before it": {`
			@any path_regexp any ^/(.*)$
			vars @any x y
			test_gate /dl/* moves d
			reverse_proxy app:80 {
				header_up X-File {re.any.1}
			}`, []string{early}, nil},
		"a capture of a line before it, in a map": {`
			@any path_regexp any ^/(.*)$
			vars @any x y
			map {re.any.1} {which} {
				~^dl/(.*)$ $1
			}
			test_gate /dl/* moves d
			reverse_proxy app:80 {
				header_up X-File {which}
			}`, []string{early}, nil},
		"a capture of an expression": {`
			@any expression path_regexp('any', '^/(.*)$')
			vars @any x y
			test_gate /dl/* moves d
			reverse_proxy app:80 {
				header_up X-File {re.any.1}
			}`, []string{early}, nil},
		"a capture anew": {`
			@any path_regexp any ^/(.*)$
			vars @any x y
			test_gate /dl/* moves d
			rewrite @any /app/{re.any.1}
			reverse_proxy app:80`, nil, nil},
		"a capture of another name": {`
			@any path_regexp any ^/(.*)$
			@file path_regexp file ^/files/(.*)$
			vars @any x y
			test_gate /dl/* moves d
			reverse_proxy @file app:80 {
				header_up X-File {re.file.1}
			}
			reverse_proxy app:80`, nil, nil},
		"a capture of a header": {`
			@lang header_regexp lang Accept-Language ^(..)
			vars @lang x y
			test_gate /dl/* moves d
			reverse_proxy app:80 {
				header_up X-Lang {re.lang.1}
			}`, nil, nil},
		"a redirect's capture": {`
			@old path_regexp old ^/old/(.*)$
			redir @old /new/{re.old.1}
			test_gate /dl/* moves d
			reverse_proxy app:80`, nil, nil},
		"a rewrite that nobody can compute": {`
			test_gate /dl/* moves d
			vars page /x
			rewrite /x/* {vars.page}
			reverse_proxy app:80`, []string{unknown}, []string{unknown}},
		"a lookup below another path": {`
			root /srv/www
			test_gate /dl/* moves d
			try_files /pub{path}
			reverse_proxy app:80`, []string{unknown}, nil},
		"PHP": {`
			root /srv/www
			@dl path /dl /dl/*
			test_gate @dl moves d
			php_fastcgi unix//run/fpm.sock`, nil, nil},
		"an answer's page": {`
			test_gate guard g
			route {
				test_gate /dl/* moves d
				reverse_proxy app:80 {
					@missing status 404
					handle_response @missing {
						rewrite * /other{path}
						reverse_proxy app:80
					}
				}
			}`, []string{unknown}, nil},
		"an answer's literal page": {`
			test_gate guard g
			route {
				test_gate /dl/* moves d
				reverse_proxy app:80 {
					@missing status 404
					handle_response @missing {
						rewrite * /missing
						reverse_proxy app:80
					}
				}
			}`, nil, nil},
		"a nested definition behind it": {`
			test_gate guard g
			test_gate /dl/* moves d
			handle /files/* {
				test_gate stays a
				reverse_proxy app:80
			}
			handle {
				reverse_proxy app:80
			}`, nil, nil},
		"basic sites": {`
			root /srv/www
			encode
			test_gate /dl/* moves d
			test_gate /members/* stays a
			redir /old /new
			handle_path /api/* {
				reverse_proxy api:80
			}
			handle {
				try_files {path} {path}/ /index.html
				file_server
			}`, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			site := func(directives string) string { return "http://example.org {\n" + directives + "\n}" }
			w := walkOver(t, site(tc.directives))
			if got := w.found(); !slices.Equal(slices.Compact(got), tc.want) {
				t.Errorf("the walk says %q, want %q\n%v\n%v", got, tc.want, w.Faults, w.Findings)
			}
			w = walkOver(t, site(strings.ReplaceAll(tc.directives, "moves d", "stays d")))
			if got := w.found(); !slices.Equal(slices.Compact(got), tc.stays) {
				t.Errorf("of one that stays the walk says %q, want %q", got, tc.stays)
			}
		})
	}
}
