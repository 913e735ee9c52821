package backends

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/integration/process"
)

// StartNginx starts nginx in front of PHP-FPM, with the configuration that WordPress and
// Symfony recommend: what is no file goes to index.php, and scripts are split at .php.
func StartNginx(t testing.TB, options ...Option) *HTTPBackend {
	t.Helper()
	Require(t, "nginx")
	fpm := StartFPM(t, append([]Option{WithTCP()}, options...)...)
	dir := t.TempDir()
	port, _ := process.Service{
		Name:  "nginx",
		Limit: phpStartLimit,
		Command: func(port int, instance string) *exec.Cmd {
			config := filepath.Join(dir, "nginx.conf")
			write(t, config, nginxConfig(dir, loopback(port), instance, fpm))
			return exec.Command(program("nginx"), "-p", dir, "-c", config, "-e", "stderr")
		},
		Probe: probeHTTP(nginxProbe),
	}.Run(t)
	return newHTTPBackend(port, fpm.Root)
}

const nginxProbe = "/nginx-instance"

func nginxConfig(dir, listen, instance string, fpm *FPM) []byte {
	var b strings.Builder
	if os.Geteuid() == 0 {
		b.WriteString("user root;\n") // its workers read the document root of the test
	}
	fmt.Fprintf(&b, `daemon off;
pid %[1]s/nginx.pid;
worker_processes 2;
error_log stderr;
events {
}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	large_client_header_buffers 8 64k;
	underscores_in_headers on;
	ignore_invalid_headers off;
	server {
		listen %[2]s;
		root %[3]s;
		index index.php;
		location = %[4]s {
			add_header X-Backend-Instance %[5]s;
			return 200;
		}
		location / {
			try_files $uri $uri/ /index.php$is_args$args;
		}
		location ~ [^/]\.php(/|$) {
			fastcgi_split_path_info ^(.+?\.php)(/.*)$;
			if (!-f $document_root$fastcgi_script_name) {
				return 404;
			}
			include /etc/nginx/fastcgi_params;
			fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
			fastcgi_param PATH_INFO $fastcgi_path_info;
			fastcgi_param HTTP_PROXY "";
			fastcgi_pass %[6]s;
		}
	}
}
`, dir, listen, fpm.Root, nginxProbe, instance, fpm.Address)
	return []byte(b.String())
}
