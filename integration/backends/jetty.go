package backends

import (
	_ "embed"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

//go:embed jetty/Launcher.java
var jettyLauncher []byte

// jettyClasspath are the jars of Jetty 9 that a server with servlets needs.
var jettyClasspath = []string{
	jettyJar("server"), jettyJar("servlet"), jettyJar("security"), jettyJar("http"), jettyJar("io"), jettyJar("util"),
	"/usr/share/java/servlet-api.jar",
}

func jettyJar(name string) string { return "/usr/share/java/jetty9-" + name + ".jar" }

// jettyInstalled returns one of the jars of Jetty, or "" unless all are there.
func jettyInstalled() string { return installed(jettyClasspath...) }

// jettyClasses compiles the servlet and its launcher, once.
var jettyClasses = sync.OnceValues(func() (map[string][]byte, error) {
	return compileJava(map[string][]byte{"Echo.java": servletSource("javax"), "Launcher.java": jettyLauncher}, strings.Join(jettyClasspath, ":"))
})

// StartJetty starts Jetty 9 with the applications of [StartTomcat].
func StartJetty(t testing.TB) *HTTPBackend {
	t.Helper()
	Require(t, "jetty9", "java", "javac")
	classes, err := jettyClasses()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, class := range classes {
		write(t, filepath.Join(dir, "classes", name), class)
	}
	port := container{
		name: "jetty9", backend: BackendJetty, dir: dir, temp: dir,
		classpath: append([]string{filepath.Join(dir, "classes")}, jettyClasspath...), main: []string{"Launcher"},
	}.run(t)
	return newHTTPBackend(port, dir)
}
