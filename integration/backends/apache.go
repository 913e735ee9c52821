package backends

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// StartApache starts Apache with PHP as its module. Its document root is that of
// [StartFPM]; a path without a file is answered by index.php, with [WithFront] by a
// RewriteRule. Trailers become headers (MergeTrailers), which only getallheaders() shows.
func StartApache(t testing.TB, options ...Option) *HTTPBackend {
	t.Helper()
	Require(t, "apache2", "mod_php")
	return startPHPOverHTTP(t, "apache2", options, func(p *php, port int) *exec.Cmd {
		if os.Geteuid() == 0 {
			// Its children are somebody else, see apacheConfig.
			if err := os.Chmod(filepath.Dir(p.dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		config := filepath.Join(p.dir, "apache2.conf")
		write(t, config, apacheConfig(p, loopback(port)))
		return p.command(program("apache2"), "-D", "FOREGROUND", "-f", config)
	})
}

func apacheConfig(p *php, listen string) []byte {
	modules := filepath.Dir(program("mod_php"))
	var b strings.Builder
	if os.Geteuid() == 0 {
		b.WriteString("User nobody\nGroup nogroup\n")
	}
	// A worker serves one connection: one that the gateway keeps idle would take it
	// away. The limits are higher than the gateway's own.
	fmt.Fprintf(&b, `ServerRoot %[1]s
DefaultRuntimeDir %[1]s
PidFile apache2.pid
ErrorLog /dev/stderr
ServerName localhost
Listen %[2]s
LoadModule mpm_prefork_module %[3]s/mod_mpm_prefork.so
LoadModule authz_core_module %[3]s/mod_authz_core.so
LoadModule dir_module %[3]s/mod_dir.so
LoadModule php_module %[4]s
StartServers %[5]d
KeepAlive Off
LimitRequestLine 1048576
LimitRequestFieldSize 1048576
MergeTrailers on
PHPIniDir %[1]s
DocumentRoot %[6]s
DirectoryIndex index.php
%[7]s`, p.dir, listen, modules, program("mod_php"), phpWorkers, p.root, p.apacheRules(modules))
	return []byte(b.String())
}

// apacheRules say which paths PHP answers.
func (p *php) apacheRules(modules string) string {
	if p.front == "" {
		return `FallbackResource /index.php
<FilesMatch "\.php$">
	SetHandler application/x-httpd-php
</FilesMatch>
`
	}
	to := "index.php [QSA,L]"
	switch p.front {
	case FrontURL:
		to = "index.php?url=$1 [B,QSA,L]"
	case FrontURLTwice:
		to = "index.php?url=$1 [QSA,L]"
	default: // REQUEST_URI
	}
	// The endings are those of Debian's mods-available/php*.conf.
	return fmt.Sprintf(`LoadModule rewrite_module %s/mod_rewrite.so
<FilesMatch ".+\.ph(?:ar|p|tml)$">
	SetHandler application/x-httpd-php
</FilesMatch>
<Directory %s>
	RewriteEngine On
	RewriteCond %%{REQUEST_FILENAME} !-f
	RewriteRule ^(.*)$ %s
</Directory>
`, modules, p.root, to)
}
