package backends

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// StartTomcat starts Tomcat with two applications, at / and at /app, in each of
// which one servlet answers every path.
func StartTomcat(t testing.TB) *HTTPBackend {
	t.Helper()
	Require(t, "tomcat10", "java", "javac")
	class, err := echoClass()
	if err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	webapps := filepath.Join(base, "webapps")
	write(t, filepath.Join(base, "conf", "server.xml"), tomcatServer)
	write(t, filepath.Join(base, "conf", "context.xml"), tomcatContext)
	write(t, filepath.Join(base, "conf", "web.xml"), tomcatDefaultWeb)
	for _, app := range []string{"ROOT", "app"} {
		write(t, filepath.Join(webapps, app, "WEB-INF", "web.xml"), tomcatWeb)
		write(t, filepath.Join(webapps, app, "WEB-INF", "classes", "Echo.class"), class)
	}
	temp := filepath.Join(base, "temp")
	if err := os.Mkdir(temp, 0o755); err != nil {
		t.Fatal(err)
	}

	port, _ := process.Service{
		Name:  "tomcat",
		Limit: tomcatStartLimit,
		Command: func(port int, instance string) *exec.Cmd {
			bin := filepath.Join(tomcatHome, "bin")
			args := append([]string{}, jvmFlags...)
			args = append(args,
				"-classpath", filepath.Join(bin, "bootstrap.jar")+":"+filepath.Join(bin, "tomcat-juli.jar"),
				"-Dcatalina.home="+tomcatHome,
				"-Dcatalina.base="+base,
				"-Djava.io.tmpdir="+temp,
				"-Djava.awt.headless=true",
				"-Dorg.apache.catalina.startup.EXIT_ON_INIT_FAILURE=true",
				"-Dbackend.port="+strconv.Itoa(port),
				"-Dbackend.instance="+instance,
				"org.apache.catalina.startup.Bootstrap", "start")
			cmd := exec.Command(program("java"), args...)
			cmd.Dir = base
			cmd.Env = append(os.Environ(), "LC_ALL=C")
			return cmd
		},
		Probe: probeHTTP("/", "/app/"),
	}.Run(t)
	return newHTTPBackend(port, webapps)
}

// echoClass is the compiled servlet, made once.
var echoClass = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "servlet")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "Echo.java")
	if err := os.WriteFile(source, echoJava, 0o644); err != nil {
		return nil, err
	}
	args := make([]string, 0, len(jvmFlags)+9)
	for _, flag := range jvmFlags {
		args = append(args, "-J"+flag)
	}
	args = append(args, "-encoding", "UTF-8", "-proc:none", "-Xlint:all", "-Werror", "-classpath", servletAPI, source)
	if out, err := exec.Command(program("javac"), args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("javac: %w\n%s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "Echo.class"))
})
