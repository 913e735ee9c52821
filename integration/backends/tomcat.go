package backends

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/process"
)

var (
	//go:embed tomcat/Echo.java
	echoJava []byte
	//go:embed tomcat/server.xml
	tomcatServer []byte
	//go:embed tomcat/context.xml
	tomcatContext []byte
	//go:embed tomcat/default-web.xml
	tomcatDefaultWeb []byte
	//go:embed tomcat/web.xml
	tomcatWeb []byte
)

const tomcatStartLimit = 90 * time.Second

// jvmFlags make a JVM that starts fast and stays small.
var jvmFlags = []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx128m"}

// tomcat is a version of Tomcat, as Debian has it.
type tomcat struct {
	name      string // of the program, see [Require]
	backend   string // of its answers
	namespace string // of the servlet API
	api       string // the jar of the servlet API
	classpath []string
	home      string // catalina.home; empty: the directory of the instance

	once     sync.Once // compiles the servlet
	class    []byte
	classErr error
}

var (
	tomcat10 = &tomcat{
		name:      "tomcat10",
		backend:   BackendTomcat,
		namespace: "jakarta",
		api:       "/usr/share/tomcat10/lib/servlet-api.jar",
		classpath: []string{"/usr/share/tomcat10/bin/bootstrap.jar", "/usr/share/tomcat10/bin/tomcat-juli.jar"},
		home:      "/usr/share/tomcat10",
	}
	tomcat9 = &tomcat{
		name:      "tomcat9",
		backend:   BackendTomcat9,
		namespace: "javax",
		api:       tomcat9Jar("servlet-api"),
		classpath: []string{
			tomcat9Jar("annotations-api"), tomcat9Jar("api"), tomcat9Jar("catalina"), tomcat9Jar("coyote"),
			tomcat9Jar("jaspic-api"), tomcat9Jar("jni"), tomcat9Jar("juli"), tomcat9Jar("servlet-api"),
			tomcat9Jar("util"), tomcat9Jar("util-scan"),
		},
	}
)

func tomcat9Jar(name string) string { return "/usr/share/java/tomcat9-" + name + ".jar" }

// installed returns the jar of the servlet API, or "" unless all jars are there.
func (v *tomcat) installed() string { return installed(append([]string{v.api}, v.classpath...)...) }

// StartTomcat starts Tomcat 10 with two applications, at / and at /app, in each of
// which one servlet answers every path.
func StartTomcat(t testing.TB) *HTTPBackend {
	t.Helper()
	return tomcat10.start(t)
}

// StartTomcat9 starts Tomcat 9 with the applications of [StartTomcat].
func StartTomcat9(t testing.TB) *HTTPBackend {
	t.Helper()
	return tomcat9.start(t)
}

func (v *tomcat) start(t testing.TB) *HTTPBackend {
	t.Helper()
	Require(t, v.name, "java", "javac")
	v.once.Do(func() { v.class, v.classErr = v.compile() })
	if v.classErr != nil {
		t.Fatal(v.classErr)
	}
	base := t.TempDir()
	webapps := filepath.Join(base, "webapps")
	write(t, filepath.Join(base, "conf", "server.xml"), tomcatServer)
	write(t, filepath.Join(base, "conf", "context.xml"), tomcatContext)
	write(t, filepath.Join(base, "conf", "web.xml"), tomcatDefaultWeb)
	for _, app := range []string{"ROOT", "app"} {
		write(t, filepath.Join(webapps, app, "WEB-INF", "web.xml"), tomcatWeb)
		write(t, filepath.Join(webapps, app, "WEB-INF", "classes", "Echo.class"), v.class)
	}
	temp := filepath.Join(base, "temp")
	if err := os.Mkdir(temp, 0o755); err != nil {
		t.Fatal(err)
	}
	home := v.home
	if home == "" {
		home = base
	}

	port := container{
		name: v.name, backend: v.backend, dir: base, temp: temp, classpath: v.classpath,
		main: []string{
			"-Dcatalina.home=" + home, "-Dcatalina.base=" + base, "-Dorg.apache.catalina.startup.EXIT_ON_INIT_FAILURE=true",
			"org.apache.catalina.startup.Bootstrap", "start",
		},
	}.run(t)
	return newHTTPBackend(port, webapps)
}

// container is a servlet container that is to be started.
type container struct {
	name, backend string
	dir, temp     string
	classpath     []string
	main          []string // its own options, the class and its arguments
}

// run starts the container in a JVM of its own, and returns its port.
func (c container) run(t testing.TB) (port int) {
	t.Helper()
	port, _ = process.Service{
		Name:  c.name,
		Limit: tomcatStartLimit,
		Command: func(port int, instance string) *exec.Cmd {
			args := slices.Concat(jvmFlags, []string{
				"-classpath", strings.Join(c.classpath, ":"),
				"-Djava.io.tmpdir=" + c.temp,
				"-Djava.awt.headless=true",
				"-Dbackend.port=" + strconv.Itoa(port),
				"-Dbackend.name=" + c.backend,
				"-Dbackend.instance=" + instance,
			}, c.main)
			cmd := exec.Command(program("java"), args...)
			cmd.Dir = c.dir
			cmd.Env = append(os.Environ(), "LC_ALL=C")
			return cmd
		},
		Probe: probeHTTP("/", "/app/"),
	}.Run(t)
	return port
}

// compile compiles the servlet.
func (v *tomcat) compile() ([]byte, error) {
	classes, err := compileJava(map[string][]byte{"Echo.java": servletSource(v.namespace)}, v.api)
	return classes["Echo.class"], err
}

// servletSource is the servlet, which is written for the newer namespace.
func servletSource(namespace string) []byte {
	return bytes.ReplaceAll(echoJava, []byte("import jakarta."), []byte("import "+namespace+"."))
}

// compileJava compiles the sources, and returns the files that come of it.
func compileJava(sources map[string][]byte, classpath string) (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "servlet")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	args := make([]string, 0, len(jvmFlags)+len(sources)+8)
	for _, flag := range jvmFlags {
		args = append(args, "-J"+flag)
	}
	args = append(args, "-encoding", "UTF-8", "-proc:none", "-Xlint:all", "-Werror", "-classpath", classpath)
	for name, text := range sources {
		source := filepath.Join(dir, name)
		if err := os.WriteFile(source, text, 0o644); err != nil {
			return nil, err
		}
		args = append(args, source)
	}
	if out, err := exec.Command(program("javac"), args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("javac: %w\n%s", err, out)
	}
	compiled, err := filepath.Glob(filepath.Join(dir, "*.class"))
	if err != nil {
		return nil, err
	}
	classes := make(map[string][]byte, len(compiled))
	for _, file := range compiled {
		if classes[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	return classes, nil
}
