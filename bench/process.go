package main

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/process"
	"github.com/signedlink/caddy-signed-link/internal/devel/ratio"
)

// The secrets of the measurement, and the links that they sign.
const (
	akidSecret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	hmacSecret = "0123456789abcdef0123456789abcdef"
	expires    = "4102444800"
)

func akidLink() string {
	sum := sha256.Sum256([]byte(akidSecret + ".2695.103007"))
	return "/page?akid=2695.103007." + base64.RawURLEncoding.EncodeToString(sum[:])[:6] + "&source=mail"
}

func hmacLink() string {
	return "/page?user=jeff&exp=" + expires + "&sig=" + hmacOf([]byte(hmacSecret), "jeff|"+expires)
}

func hmacOf(key []byte, message string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(message))
	return hex.EncodeToString(m.Sum(nil))
}

// secureLink is a link as nginx's own documentation signs it.
func secureLink() string {
	sum := md5.Sum([]byte(expires + "/page " + hmacSecret))
	return "/page?md5=" + base64.RawURLEncoding.EncodeToString(sum[:]) + "&expires=" + expires
}

// contender is one way to serve the link: a running program with its configuration.
type contender struct {
	name   string
	base   string // the contender with which it is compared; "": it is one itself
	url    string
	groups []int // process groups whose time counts: all but the backend and wrk
	wrong  string

	perRequest, rates   []float64 // µs of processor time; requests a second
	cpuRatio, rateRatio []float64 // against the base, of each pair
}

// lab holds what the measurement started.
type lab struct {
	dir       string
	processes []*process.Process
	o         *options
}

func (l *lab) stop() {
	for _, p := range slices.Backward(l.processes) {
		p.Stop()
	}
	_ = os.RemoveAll(l.dir)
}

// start starts a program that listens on a port, and waits until it answers.
func (l *lab) start(name string, port int, program string, args ...string) (group int, err error) {
	cmd := exec.Command(program, args...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), "HOME="+l.dir, "XDG_DATA_HOME="+l.dir, "XDG_CONFIG_HOME="+l.dir,
		"AKID_SECRET="+akidSecret, "LINK_SECRET="+hmacSecret, "GOMAXPROCS=")
	p, err := process.Start(cmd, filepath.Join(l.dir, name+".log"))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	l.processes = append(l.processes, p)
	if port == 0 {
		return cmd.Process.Pid, nil
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err == nil {
			return cmd.Process.Pid, r.Body.Close()
		}
		if p.Ended() || time.Now().After(end) {
			return 0, fmt.Errorf("%s did not start: %w\n%s", name, err, p.Output())
		}
	}
}

func (l *lab) file(name, text string) (string, error) {
	path := filepath.Join(l.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// nginx starts an nginx with one worker.
func (l *lab) nginx(name, server string) (url string, group int, err error) {
	port, err := process.FreePort()
	if err != nil {
		return "", 0, err
	}
	config, err := l.file(name+".conf", nginxConfig(l.dir, name, port, server))
	if err != nil {
		return "", 0, err
	}
	group, err = l.start(name, port, find("nginx"), "-c", config, "-e", filepath.Join(l.dir, name+".err"))
	return fmt.Sprintf("http://127.0.0.1:%d", port), group, err
}

func nginxConfig(dir, name string, port int, server string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "daemon off;\nmaster_process off;\nworker_processes 1;\npid %s/%s.pid;\nerror_log %[1]s/%[2]s.err;\n", dir, name)
	b.WriteString("events { worker_connections 1024; }\nhttp {\naccess_log off;\nkeepalive_requests 1000000000;\n")
	for _, temp := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "%s_temp_path %s/%s-%s;\n", temp, dir, name, temp)
	}
	before, inside, ok := strings.Cut(server, "---\n")
	if !ok {
		before, inside = "", server
	}
	fmt.Fprintf(&b, "%sserver {\nlisten 127.0.0.1:%d;\n%s}\n}\n", before, port, inside)
	return b.String()
}

// caddy starts cmd/caddy with a site.
func (l *lab) caddy(name, program, site string) (url string, group int, err error) {
	port, err := process.FreePort()
	if err != nil {
		return "", 0, err
	}
	config, err := l.file(name+".Caddyfile", fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n\tlog {\n\t\tlevel ERROR\n\t}\n}\nhttp://127.0.0.1:%d {\n%s\n}\n", port, site))
	if err != nil {
		return "", 0, err
	}
	group, err = l.start(name, port, program, "run", "--adapter", "caddyfile", "--config", config)
	return fmt.Sprintf("http://127.0.0.1:%d", port), group, err
}

// find returns the path of a program that may stand where only root looks.
func find(names ...string) string {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		if found, _ := filepath.Glob("/usr/sbin/" + name + "[0-9]*"); len(found) > 0 {
			return found[len(found)-1]
		}
		if _, err := os.Stat("/usr/sbin/" + name); err == nil {
			return "/usr/sbin/" + name
		}
	}
	return names[0]
}

// authPHP is what people write today: a script that checks the link.
const authPHP = `<?php
parse_str(parse_url($_SERVER['HTTP_X_FORWARDED_URI'], PHP_URL_QUERY), $q);
$good = hash_hmac('sha256', $q['user'] . '|' . $q['exp'], '` + hmacSecret + `');
if (!hash_equals($good, $q['sig']) || (int) $q['exp'] < time()) {
	http_response_code(401);
	exit;
}
header('X-Verified-User: ' . $q['user']);
`

// phpFPM starts PHP-FPM with the script.
func (l *lab) phpFPM() (socket string, group int, err error) {
	if _, err := l.file("auth.php", authPHP); err != nil {
		return "", 0, err
	}
	socket = filepath.Join(l.dir, "fpm.sock")
	user := ""
	args := []string{"-F", "-O"}
	if os.Geteuid() == 0 {
		user, args = "user = root\ngroup = root\n", append(args, "-R")
	}
	config, err := l.file("fpm.conf", fmt.Sprintf("[global]\ndaemonize = no\nerror_log = %s/fpm.err\n[www]\nlisten = %s\npm = static\npm.max_children = 8\n%s", l.dir, socket, user))
	if err != nil {
		return "", 0, err
	}
	group, err = l.start("php-fpm", 0, find("php-fpm"), append(args, "-y", config)...)
	if err != nil {
		return "", 0, err
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return socket, group, nil
		}
		if time.Now().After(end) {
			return "", 0, errors.New("php-fpm did not start")
		}
	}
}

// sameHeaders are those that signed_link gives to a request with an AKID, and to its
// answer, set by Caddy's own directives: what it costs to say anything to the backend.
const sameHeaders = `	request_header X-Verified-User 103007
	request_header X-Verified-Scheme akid
	request_header X-Verified-Mailing 2695
	header ?Referrer-Policy same-origin
	header ?Cache-Control private
`

// whole measures whole processes.
func whole(o *options) (string, error) {
	install := exec.Command("sh", filepath.Join(o.dir, "install.sh"))
	install.Stderr = os.Stderr
	if err := install.Run(); err != nil {
		return "", fmt.Errorf("installing wrk, nginx and PHP-FPM: %w", err)
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return "", err
	}
	l := &lab{dir: dir, o: o}
	defer l.stop()
	defer interruptible(l.stop)()

	contenders, err := l.contenders()
	if err != nil {
		return "", err
	}
	for _, c := range contenders {
		if err := c.check(); err != nil {
			return "", err
		}
	}
	rounds, length := 13, 2*time.Second
	if o.quick {
		rounds, length = 3, time.Second
	}
	pairs := len(contenders) - 2 // all but Caddy and nginx alone
	o.say("%d pairs, %d rounds of twice %v: %v", pairs, rounds, length, time.Duration(2*rounds*pairs)*length)
	for round := range rounds {
		if err := measure(contenders, round, length); err != nil {
			return "", err
		}
	}
	return report(contenders), nil
}

// contenders starts them all.
func (l *lab) contenders() ([]*contender, error) {
	backend, _, err := l.nginx("backend", "location / { return 200 \"ok\\n\"; }\n")
	if err != nil {
		return nil, err
	}
	program := filepath.Join(l.dir, "caddy")
	build := exec.Command("go", "build", "-o", program, "./cmd/caddy")
	build.Dir = filepath.Dir(l.o.dir)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building Caddy: %w\n%s", err, out)
	}
	socket, php, err := l.phpFPM()
	if err != nil {
		return nil, err
	}
	proxy := "\treverse_proxy " + backend
	hmacOptions := " {\n\t\talgorithm hmac-sha256\n\t\tmessage {query.user}|{query.exp}\n\t\tsignature {query.sig}\n\t\texpires {query.exp}\n\t\tuser {query.user}\n\t}\n"
	var all []*contender
	for _, c := range []struct{ name, base, site, link, wrong string }{
		{"Caddy, `reverse_proxy`", "", proxy, hmacLink(), ""},
		{"— the same once more", "Caddy, `reverse_proxy`", proxy, hmacLink(), ""},
		{"— and the headers alone, of nobody", "Caddy, `reverse_proxy`", sameHeaders + proxy, hmacLink(), ""},
		{"— and `signed_link` with HMAC-SHA-256", "Caddy, `reverse_proxy`", "\tsigned_link keyed_hash {env.LINK_SECRET}" + hmacOptions + proxy, hmacLink(), strings.Replace(hmacLink(), "jeff", "mike", 1)},
		{"— and `signed_link` with AKIDs", "Caddy, `reverse_proxy`", "\tsigned_link akid {env.AKID_SECRET}\n" + proxy, akidLink(), strings.Replace(akidLink(), "103007", "103008", 1)},
		{"— and `signed_link` for other paths", "Caddy, `reverse_proxy`", "\tsigned_link /members/* akid {env.AKID_SECRET}\n" + proxy, hmacLink(), "/members/?akid=1"},
		{
			"— and `forward_auth` to a PHP script", "Caddy, `reverse_proxy`",
			"\tforward_auth unix/" + socket + " {\n\t\turi /auth.php\n\t\ttransport fastcgi {\n\t\t\troot " + l.dir + "\n\t\t\tsplit .php\n\t\t}\n\t\tcopy_headers X-Verified-User\n\t}\n" + proxy,
			hmacLink(), strings.Replace(hmacLink(), "jeff", "mike", 1),
		},
	} {
		url, group, err := l.caddy(fmt.Sprintf("caddy%d", len(all)), program, c.site)
		if err != nil {
			return nil, err
		}
		one := &contender{name: c.name, base: c.base, url: url + c.link, groups: []int{group}}
		if c.wrong != "" {
			one.wrong = url + c.wrong
		}
		if strings.Contains(c.site, "forward_auth") {
			one.groups = append(one.groups, php)
		}
		all = append(all, one)
	}
	const upstream = "upstream backend { server %s; keepalive 64; }\n---\n"
	const pass = "proxy_http_version 1.1;\nproxy_set_header Connection \"\";\nproxy_pass http://backend;\n"
	secure := "secure_link $arg_md5,$arg_expires;\nsecure_link_md5 \"$secure_link_expires$uri " + hmacSecret + "\";\n" +
		"if ($secure_link = \"\") { return 403; }\nif ($secure_link = \"0\") { return 410; }\n"
	for _, c := range []struct{ name, base, location, wrong string }{
		{"nginx, `proxy_pass`", "", pass, ""},
		{"— and `secure_link`", "nginx, `proxy_pass`", secure + pass, strings.Replace(secureLink(), "expires=4", "expires=3", 1)},
	} {
		server := fmt.Sprintf(upstream, strings.TrimPrefix(backend, "http://")) + "location / {\n" + c.location + "}\n"
		url, group, err := l.nginx(fmt.Sprintf("nginx%d", len(all)), server)
		if err != nil {
			return nil, err
		}
		one := &contender{name: c.name, base: c.base, url: url + secureLink(), groups: []int{group}}
		if c.wrong != "" {
			one.wrong = url + c.wrong
		}
		all = append(all, one)
	}
	return all, nil
}

// check asks once for the link, and once for a wrong one: a gateway that does not look
// would win every race.
func (c *contender) check() error {
	status := func(url string) (int, error) {
		r, err := http.Get(url)
		if err != nil {
			return 0, err
		}
		defer r.Body.Close()
		_, err = io.Copy(io.Discard, r.Body)
		return r.StatusCode, err
	}
	if code, err := status(c.url); err != nil || code != http.StatusOK {
		return fmt.Errorf("%s: the link is answered with %d %w", c.name, code, orNil(err))
	}
	if c.wrong == "" {
		return nil
	}
	if code, err := status(c.wrong); err != nil || code < 400 || code >= 500 {
		return fmt.Errorf("%s: a wrong link is answered with %d %w", c.name, code, orNil(err))
	}
	return nil
}

func orNil(err error) error {
	if err == nil {
		return errors.New("and no error")
	}
	return err
}

// measure has one round: every contender once, right before or behind the one with which
// it is compared, so that both of a pair have the machine as it is then.
func measure(contenders []*contender, round int, length time.Duration) error {
	for _, c := range contenders {
		i := slices.IndexFunc(contenders, func(base *contender) bool { return base.name == c.base })
		if i < 0 {
			continue
		}
		base := contenders[i]
		pair := []*contender{base, c}
		if round%2 == 1 {
			slices.Reverse(pair)
		}
		for _, one := range pair {
			if err := one.measure(length); err != nil {
				return fmt.Errorf("%s: %w", one.name, err)
			}
		}
		last := func(values []float64) float64 { return values[len(values)-1] }
		c.cpuRatio = append(c.cpuRatio, last(c.perRequest)/last(base.perRequest))
		c.rateRatio = append(c.rateRatio, last(c.rates)/last(base.rates))
	}
	return nil
}

// measure has the contender serve for that time.
func (c *contender) measure(length time.Duration) error {
	before, err := c.time()
	if err != nil {
		return err
	}
	sent, err := burst(c.url, length)
	if err != nil {
		return err
	}
	after, err := c.time()
	if err != nil {
		return err
	}
	c.perRequest = append(c.perRequest, float64((after-before).Nanoseconds())/1e3/float64(sent.requests))
	c.rates = append(c.rates, sent.rate)
	return nil
}

// time is the processor time of the contender's processes.
func (c *contender) time() (time.Duration, error) {
	var sum time.Duration
	for _, g := range c.groups {
		t, err := groupTime(g)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", c.name, err)
		}
		sum += t
	}
	return sum, nil
}

// report is the table of the contenders.
func report(contenders []*contender) string {
	t := newTable("median (quartiles)", "µs of processor time a request", "against its base", "throughput against its base", "requests/s")
	for _, c := range contenders {
		cpu, rate := "", ""
		if c.base != "" {
			cpu, rate = spread(c.cpuRatio, "%.2f"), spread(c.rateRatio, "%.2f")
		}
		t.add(c.name, spread(c.perRequest, "%.1f"), cpu, rate, fmt.Sprintf("%.0f", ratio.Median(c.rates)))
	}
	budgets := newTable("budget", "at least", "measured", "")
	for _, c := range contenders {
		if strings.Contains(c.name, "`signed_link`") {
			const least = 0.97
			rate := ratio.Median(c.rateRatio)
			budgets.add("throughput: "+c.base+" "+c.name+", against the same without", fmt.Sprint(least), fmt.Sprintf("%.2f", rate), kept(rate >= least))
		}
	}
	return t.String() + "\n" + budgets.String()
}
