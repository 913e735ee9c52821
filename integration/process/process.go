// Package process starts the programs of the integration tests and ends them with
// the test: each in its own process group, on a free port of the loopback interface,
// awaited until it answers.
package process

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
)

var errForeign = errors.New("another process answers on the port")

// Service says how to start one program that listens on a port.
type Service struct {
	Name  string
	Limit time.Duration // until it must have answered
	// Command makes the process that listens on the port and answers with the instance.
	Command func(port int, instance string) *exec.Cmd
	// Probe asks it once and returns the instance that answered.
	Probe func(port int) (instance string, err error)
}

// Run starts the program, waits until it answers and has it killed when the
// test ends. It returns the port. It tries anew where another process was
// faster to take the port.
func (s Service) Run(t testing.TB) (port int, p *Process) {
	t.Helper()
	dir := t.TempDir()
	for attempt := 1; ; attempt++ {
		port, err := FreePort()
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		instance := rand.Text()
		p, err = Start(s.Command(port, instance), filepath.Join(dir, fmt.Sprintf("output-%d.log", attempt)))
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		err = s.await(p, port, instance)
		if err == nil {
			t.Cleanup(func() {
				p.Stop()
				if t.Failed() {
					t.Logf("output of %s:\n%s", s.Name, end(p.Output()))
				}
			})
			return port, p
		}
		p.Stop()
		output := p.Output()
		taken := errors.Is(err, errForeign) || strings.Contains(strings.ToLower(output), "address already in use")
		if !taken || attempt == startAttempts {
			t.Fatalf("%s did not start: %v; output:\n%s", s.Name, err, output)
		}
		t.Logf("%s: port %d is taken, trying another", s.Name, port)
	}
}

// end is the end of a long text.
func end(text string) string {
	const most = 8 << 10
	if len(text) <= most {
		return text
	}
	return "… " + text[len(text)-most:]
}

// await polls until the process answers.
func (s Service) await(p *Process, port int, instance string) error {
	deadline := time.Now().Add(s.Limit)
	for {
		got, err := s.Probe(port)
		if err == nil && got == instance {
			return nil
		}
		if err == nil {
			return errForeign
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer in %v: %w", s.Limit, err)
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it ended: %s", status(p.err))
		case <-time.After(pollInterval):
		}
	}
}

// status is how a process ended.
func status(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// Process is a running command, leader of its own process group.
type Process struct {
	pid   int
	log   string        // file of its output
	ended chan struct{} // closed when the leader has ended
	err   error         // how, once ended is closed
}

// Start starts the command with its output in a file.
func Start(cmd *exec.Cmd, log string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := ownGroup(cmd); err != nil {
		return nil, err
	}
	p := &Process{log: log, ended: make(chan struct{})}
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
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Stop ends the process, which may first end its children, and then whatever is
// left of its group.
func (p *Process) Stop() {
	select {
	case <-p.ended:
		return
	default:
	}
	terminate(p.pid)
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		killGroup(p.pid)
		<-p.ended
	}
}

// Kill ends the process and its group at once, as a crash does.
func (p *Process) Kill() {
	select {
	case <-p.ended:
		return
	default:
	}
	killGroup(p.pid)
	<-p.ended
}

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Output is what the process has written so far.
func (p *Process) Output() string {
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

// FreePort returns a port of the loopback interface on which nobody listens,
// never the same twice.
func FreePort() (int, error) {
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
