package backends

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	startAttempts = 5
	pollInterval  = 20 * time.Millisecond
	stopLimit     = 3 * time.Second // for an orderly end
	// instanceHeader is the response header in which a backend says which
	// process it is, so that nobody else's answer on its port is taken for it.
	instanceHeader = "X-Backend-Instance"
)

var errForeign = errors.New("another process answers on the port")

// service says how to start one backend.
type service struct {
	name  string
	limit time.Duration // until it must have answered
	// command makes the process that listens on the port and answers with the instance.
	command func(port int, instance string) *exec.Cmd
	// probe asks it once and returns the instance that answered.
	probe func(port int) (instance string, err error)
}

// run starts the backend, waits until it answers and has it killed when the
// test ends. It returns the port. It tries anew where another process was
// faster to take the port.
func (s service) run(t testing.TB) int {
	t.Helper()
	dir := t.TempDir()
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		instance := rand.Text()
		p, err := startProcess(s.command(port, instance), filepath.Join(dir, fmt.Sprintf("output-%d.log", attempt)))
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		err = s.await(p, port, instance)
		if err == nil {
			t.Cleanup(func() {
				p.stop()
				if t.Failed() {
					t.Logf("output of %s:\n%s", s.name, p.output())
				}
			})
			return port
		}
		p.stop()
		output := p.output()
		taken := errors.Is(err, errForeign) || strings.Contains(output, "Address already in use")
		if !taken || attempt == startAttempts {
			t.Fatalf("%s did not start: %v; output:\n%s", s.name, err, output)
		}
		t.Logf("%s: port %d is taken, trying another", s.name, port)
	}
}

// await polls until the process answers.
func (s service) await(p *process, port int, instance string) error {
	deadline := time.Now().Add(s.limit)
	for {
		got, err := s.probe(port)
		if err == nil && got == instance {
			return nil
		}
		if err == nil {
			return errForeign
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer in %v: %w", s.limit, err)
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended: %v", p.err)
		case <-time.After(pollInterval):
		}
	}
}

// process is a running command, leader of its own process group.
type process struct {
	pid  int
	log  string        // file of its output
	done chan struct{} // closed when the leader has ended
	err  error         // how, once done is closed
}

// startProcess starts the command with its output in a file.
func startProcess(cmd *exec.Cmd, log string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := ownGroup(cmd); err != nil {
		return nil, err
	}
	p := &process{log: log, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// A process that is to end with its parent ends with the thread that
		// started it: keep that thread until it has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			killGroup(p.pid) // what the leader left behind
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// stop ends the process, which may first end its children, and then whatever is
// left of its group.
func (p *process) stop() {
	select {
	case <-p.done:
		return
	default:
	}
	terminate(p.pid)
	select {
	case <-p.done:
	case <-time.After(stopLimit):
		killGroup(p.pid)
		<-p.done
	}
}

func (p *process) output() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

var (
	portsMu sync.Mutex
	ports   = map[int]bool{} // given out by this process
)

// freePort returns a port of the loopback interface on which nobody listens,
// never the same twice.
func freePort() (int, error) {
	portsMu.Lock()
	defer portsMu.Unlock()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return 0, err
		}
		if !ports[port] {
			ports[port] = true
			return port, nil
		}
	}
	return 0, errors.New("no free port")
}
