package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/signedlink/caddy-signed-link/internal/sourcemetrics"
	"github.com/signedlink/caddy-signed-link/keys"
)

// The tests run in a bubble with a clock of its own, on a real file system.
// Time stands still while a file is looked at.

// looks lets the file be looked at n times.
func looks(n int) {
	time.Sleep(time.Duration(n) * pollInterval)
	synctest.Wait()
}

// counted returns how many errors and loads were counted since.
func counted() func() (failures, loads float64) {
	read := func() (failures, loads float64) {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(sourcemetrics.Errors, sourcemetrics.Loads)
		families, err := registry.Gather()
		if err != nil {
			panic(err)
		}
		for _, family := range families {
			value := family.GetMetric()[0].GetCounter().GetValue()
			if strings.HasSuffix(family.GetName(), "errors_total") {
				failures = value
			} else {
				loads = value
			}
		}
		return failures, loads
	}
	failuresBefore, loadsBefore := read()
	return func() (float64, float64) {
		failures, loads := read()
		return failures - failuresBefore, loads - loadsBefore
	}
}

// bench is a source that is watched, and what it logs.
type bench struct {
	*Source
	log *logBuffer
}

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newBench(t *testing.T, path string) *bench {
	buf := new(logBuffer)
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	s := &Source{Path: path, logger: zap.New(zapcore.NewCore(encoder, zapcore.AddSync(buf), zap.DebugLevel))}
	t.Cleanup(func() { s.Cleanup() })
	return &bench{s, buf}
}

// logged returns how often the log has the text.
func (b *bench) logged(t *testing.T, text string) int {
	t.Helper()
	n := strings.Count(b.log.String(), text)
	if strings.Contains(b.log.String(), "hunter") {
		t.Errorf("the log shows a secret: %s", b.log)
	}
	return n
}

func setOf(ids ...string) string {
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprintf(`{"id":%q,"secret":"hunter of %s"}`, id, id))
	}
	return `{"keys":[` + strings.Join(list, ",") + `]}`
}

// ids are the ids of the keys that count now.
func ids(source keys.SetSource) string {
	var all []string
	for _, k := range source.KeySet().All() {
		all = append(all, k.ID)
	}
	return strings.Join(all, " ")
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace writes another file and renames it.
func replace(t *testing.T, path, content string) {
	t.Helper()
	put(t, path+".new", content)
	must(t, os.Rename(path+".new", path))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestReload: each way in which a file changes, and each in which it fails.
func TestReload(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, path string){
		"replaced":   func(t *testing.T, path string) { replace(t, path, setOf("b")) },
		"in place":   func(t *testing.T, path string) { put(t, path, setOf("b")) },
		"a new file": func(t *testing.T, path string) { must(t, os.Remove(path)); put(t, path, setOf("b")) },
		"old time": func(t *testing.T, path string) { // as cp -p and rsync -t leave it
			info, err := os.Stat(path)
			must(t, err)
			put(t, path, setOf("b"))
			must(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
		"link to another file": func(t *testing.T, path string) {
			put(t, path+".other", setOf("b"))
			must(t, os.Symlink(path+".other", path+".link"))
			must(t, os.Rename(path+".link", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBench(t, write(t, "keys.json", setOf("a")))
				set, err := s.OpenSet()
				must(t, err)
				since := counted()
				before := set.KeySet()
				change(t, s.Path)
				looks(1)
				if got := ids(set); got != "a" {
					t.Errorf("after one look: %q; the file may still be written to", got)
				}
				looks(1)
				if got := ids(set); got != "b" {
					t.Errorf("after two looks: %q", got)
				}
				if before.ByID("a") == nil {
					t.Error("the set that a request had in hand has changed")
				}
				looks(10)
				if failures, loads := since(); failures != 0 || loads != 1 {
					t.Errorf("%v errors, %v loads", failures, loads)
				}
				if s.logged(t, `"level":"info"`) != 1 || s.logged(t, "has changed and was read again") != 1 || s.logged(t, `"keys":1`) != 1 {
					t.Errorf("log: %s", s.log)
				}
			})
		})
	}
}

// TestKubernetes: a mounted secret is a link to ..data/name, ..data is a link to a
// directory with a time in its name, and it is ..data that is replaced.
func TestKubernetes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		turn := func(version, id string) {
			must(t, os.Mkdir(filepath.Join(dir, version), 0o700))
			put(t, filepath.Join(dir, version, "keys.json"), setOf(id))
			must(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
			must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
		}
		turn("..2026_01_01", "a")
		must(t, os.Symlink(filepath.Join("..data", "keys.json"), filepath.Join(dir, "keys.json")))
		s := newBench(t, filepath.Join(dir, "keys.json"))
		set, err := s.OpenSet()
		must(t, err)
		for _, id := range []string{"b", "c"} {
			turn("..2026_"+id, id)
			must(t, os.RemoveAll(filepath.Join(dir, "..2026_01_01")))
			looks(2)
			if got := ids(set); got != id {
				t.Errorf("%q, want %q", got, id)
			}
		}
	})
}

// TestFailures: the last good keys stay, the error is logged once and counted at each
// look, and when the file is right again it counts.
func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, path string)
		want   string
	}{
		{"missing", func(t *testing.T, path string) { must(t, os.Remove(path)) }, "no such file"},
		{"empty", func(t *testing.T, path string) { put(t, path, "") }, "ends in the middle"},
		{"no keys", func(t *testing.T, path string) { put(t, path, `{"keys":[]}`) }, "there is no key"},
		{"half", func(t *testing.T, path string) { put(t, path, setOf("b", "c")[:40]) }, "ends in the middle"},
		{"empty secret", func(t *testing.T, path string) { put(t, path, `{"keys":[{"secret":""}]}`) }, "the secret is empty"},
		{"a directory", func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, os.Mkdir(path, 0o700)) }, "is a directory"},
		{"a dangling link", func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, os.Symlink("nowhere", path)) }, "no such file"},
		{"too large", func(t *testing.T, path string) { must(t, os.Truncate(path, maxFile+1)) }, "larger than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBench(t, write(t, "keys.json", setOf("a")))
				set, err := s.OpenSet()
				must(t, err)
				since := counted()
				tc.change(t, s.Path)
				looks(6)
				if got := ids(set); got != "a" {
					t.Fatalf("%q", got)
				}
				if failures, loads := since(); failures < 5 || loads != 0 {
					t.Errorf("%v errors, %v loads", failures, loads)
				}
				if s.logged(t, `"level":"error"`) != 1 || s.logged(t, tc.want) != 1 {
					t.Errorf("log: %s", s.log)
				}
				// whoever starts with this file is told
				other := newBench(t, s.Path)
				if _, err := other.OpenSet(); err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("a new configuration: error %v", err)
				}
				must(t, os.RemoveAll(s.Path))
				put(t, s.Path, setOf("b"))
				looks(2)
				if got := ids(set); got != "b" {
					t.Errorf("cured: %q", got)
				}
				since = counted()
				looks(5)
				if failures, loads := since(); failures != 0 || loads != 0 {
					t.Errorf("when it is right again: %v errors, %v loads", failures, loads)
				}
			})
		})
	}
}

// TestSecondFailure: another mistake is logged again, the same keys brought back are
// told, and so is the mode.
func TestSecondFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBench(t, write(t, "keys.json", setOf("a")))
		set, err := s.OpenSet()
		must(t, err)
		put(t, s.Path, "{")
		looks(4)
		put(t, s.Path, "[]")
		looks(4)
		if n := s.logged(t, `"level":"error"`); n != 2 {
			t.Errorf("%d errors: %s", n, s.log)
		}
		before := set.KeySet()
		put(t, s.Path, setOf("a"))
		looks(4)
		if s.logged(t, "there again, as it was") != 1 || set.KeySet() != before {
			t.Errorf("log: %s", s.log)
		}
		if runtime.GOOS != "windows" {
			must(t, os.Chmod(s.Path, 0o644))
			looks(4)
			if s.logged(t, `"mode":"0644"`) != 1 || set.KeySet() != before {
				t.Errorf("log: %s", s.log)
			}
		}
	})
}

// TestUnreadable: a file that Caddy's user may not read, and then may. Root may read
// everything, so there the file's directory is a file.
func TestUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "dir")
		must(t, os.Mkdir(dir, 0o700))
		s := newBench(t, filepath.Join(dir, "keys.json"))
		put(t, s.Path, setOf("a"))
		set, err := s.OpenSet()
		must(t, err)
		since := counted()
		if os.Geteuid() == 0 {
			must(t, os.Rename(dir, dir+"2"))
			put(t, dir, "")
		} else {
			must(t, os.Chmod(dir, 0))
		}
		looks(4)
		if failures, _ := since(); failures < 4 || ids(set) != "a" || s.logged(t, `"level":"error"`) != 1 {
			t.Errorf("%v errors, keys %q, log %s", failures, ids(set), s.log)
		}
		if os.Geteuid() == 0 {
			must(t, os.Remove(dir))
			must(t, os.Rename(dir+"2", dir))
		} else {
			must(t, os.Chmod(dir, 0o700))
		}
		replace(t, s.Path, setOf("b"))
		looks(2)
		if got := ids(set); got != "b" {
			t.Errorf("%q", got)
		}
	})
}

// TestPartialWrite: a program writes a new file in place, in pieces, each of them long
// after the one before. At no time is there another set of users than the whole old
// one and the whole new one: every state in between is unfinished or still changing.
func TestPartialWrite(t *testing.T) {
	for name, contents := range map[string][2]string{
		"u.csv":   {"user,secret\n1,old hunter 1\n2,old hunter 2\n", "user,secret\n1,new hunter 1\n2,new hunter 2\n3,new hunter 3\n"},
		"u.json":  {`{"1":"old hunter 1","2":"old hunter 2"}`, `{"1":"new hunter 1","2":"new hunter 2","3":"new hunter 3"}`},
		"u.jsonl": {"{\"id\":1,\"secret\":\"old hunter 1\"}\n{\"id\":2,\"secret\":\"old hunter 2\"}\n", "{\"id\":1,\"secret\":\"new hunter 1\"}\n{\"id\":2,\"secret\":\"new hunter 2\"}\n{\"id\":3,\"secret\":\"new hunter 3\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newBench(t, write(t, name, contents[0]))
				users, err := s.OpenUsers()
				must(t, err)
				check := func(when, word string) {
					t.Helper()
					for _, user := range []string{"1", "2", "3"} {
						want := word + " hunter " + user
						if user == "3" && word == "old" {
							want = ""
						}
						if key, _ := users.UserKey(t.Context(), user); string(key.Bytes()) != want {
							t.Errorf("%s: user %s has the secret %q, want %q", when, user, key.Bytes(), want)
						}
					}
				}
				f, err := os.Create(s.Path) // the old content is gone
				must(t, err)
				defer f.Close()
				looks(1)
				check("emptied", "old")
				for i := range len(contents[1]) - 1 {
					_, err := f.WriteString(contents[1][i : i+1])
					must(t, err)
					looks(1)
					check(fmt.Sprintf("%d bytes written", i+1), "old")
				}
				_, err = f.WriteString(contents[1][len(contents[1])-1:])
				must(t, err)
				looks(1)
				check("all but still", "old")
				looks(1)
				check("whole", "new")
				if s.logged(t, "does not come to rest") != 1 {
					t.Errorf("log: %s", s.log)
				}

				// a program that dies in the middle of a line, or of the JSON
				put(t, s.Path, contents[1][:len(contents[1])-8])
				looks(5)
				check("cut off", "new")
			})
		})
	}
}

// TestNobodyLeft: a file of user keys that has lost them all is a mishap, until a
// configuration is loaded with it.
func TestNobodyLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBench(t, write(t, "u.csv", "user,secret\n1,hunter2\n"))
		users, err := s.OpenUsers()
		must(t, err)
		put(t, s.Path, "user,secret\n")
		looks(4)
		if _, err := users.UserKey(t.Context(), "1"); err != nil {
			t.Errorf("user 1: %v", err)
		}
		if s.logged(t, "no user with a secret any more") != 1 {
			t.Errorf("log: %s", s.log)
		}
		forced := newBench(t, s.Path)
		_, err = forced.OpenUsers()
		must(t, err)
		if forced.logged(t, "every link will be refused") != 1 {
			t.Errorf("log: %s", forced.log)
		}
		looks(1)
		if _, err := users.UserKey(t.Context(), "1"); !errors.Is(err, keys.ErrNoUser) {
			t.Errorf("user 1: %v", err)
		}
	})
}

// TestShared: all who name a file share one copy, whatever else they have in common;
// it is read again only if it has changed, and the last one to go ends the watch.
func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := write(t, "keys.json", setOf("a"))
		since := counted()
		first := newBench(t, path)
		set1, err := first.OpenSet()
		must(t, err)
		t.Chdir(filepath.Dir(path))
		second := newBench(t, "keys.json")
		set2, err := second.OpenSet()
		must(t, err)
		again, err := second.OpenSet()
		must(t, err)
		if set1 != set2 || set1 != again {
			t.Error("not shared")
		}
		if _, loads := since(); loads != 1 {
			t.Errorf("read %v times", loads)
		}
		// as user keys, the same file is another thing
		if _, err := second.OpenUsers(); err == nil || !strings.Contains(err.Error(), "the secret is not text") {
			t.Errorf("as user keys: %v", err)
		}

		// a new configuration finds the change first
		replace(t, path, setOf("b"))
		third := newBench(t, path)
		set3, err := third.OpenSet()
		must(t, err)
		if _, loads := since(); loads != 1 {
			t.Errorf("read %v times", loads)
		}
		looks(1)
		if ids(set1) != "b" || ids(set3) != "b" {
			t.Errorf("keys %q and %q", ids(set1), ids(set3))
		}

		key := watchKey{"set", path, pollInterval}
		for i, s := range []*bench{first, second, third} {
			if n, _ := watches.References(key); n != []int{4, 3, 1}[i] {
				t.Errorf("%d: %d references", i, n)
			}
			must(t, s.Cleanup())
			must(t, s.Cleanup()) // it lets go once
		}
		if n, there := watches.References(key); there {
			t.Errorf("%d references are left", n)
		}
		replace(t, path, setOf("c"))
		looks(3)
		if ids(set1) != "b" {
			t.Errorf("a request under way has the keys %q", ids(set1))
		}
		// the log is the one of the newest configuration that was there
		if n := first.logged(t, "read again") + second.logged(t, "read again"); n != 0 || third.logged(t, "read again") != 1 {
			t.Errorf("logs: %s / %s / %s", first.log, second.log, third.log)
		}
	})
}

// TestFailedOpenTakesNothing: what a refused configuration took is given back, and
// nothing else.
func TestFailedOpenTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := write(t, "keys.json", setOf("a"))
		running := newBench(t, path)
		_, err := running.OpenSet()
		must(t, err)
		put(t, path, "{")
		refused := newBench(t, path)
		if _, err := refused.OpenSet(); err == nil {
			t.Error("no error")
		}
		must(t, refused.Cleanup())
		if n, _ := watches.References(watchKey{"set", path, pollInterval}); n != 1 {
			t.Errorf("%d references", n)
		}
	})
}

// TestYoung: a file that was read within the same tick of the file system's clock in
// which it was written may change once more without showing it, so it is read again.
func TestYoung(t *testing.T) {
	now := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(now)) // the bubble's clock is as late as the file's now
		s := newBench(t, write(t, "keys.json", setOf("a")))
		set, err := s.OpenSet()
		must(t, err)
		w := set.(setSource).watch
		w.mu.Lock()
		young := w.loaded.young
		w.loaded.digest[0]++ // what was read is not what stands there
		w.mu.Unlock()
		if !young {
			t.Error("a file that was just written is not young")
		}
		since := counted()
		looks(5)
		if _, loads := since(); loads != 1 {
			t.Errorf("read %v times", loads)
		}
	})
}

// TestMoving: a file that is replaced at every moment is read at none.
func TestMoving(t *testing.T) {
	path := write(t, "keys.json", setOf("a"))
	w := &watch[keys.Set]{path: path, stop: make(chan struct{})}
	n := 0
	w.read = func(r io.Reader, _ bool) (*keys.Set, error) {
		n++
		replace(t, path, setOf("b"))
		all, err := readSet(r)
		if err != nil {
			return nil, err
		}
		return keys.NewSet(all...)
	}
	if _, err := w.takeNow(); !errors.Is(err, errMoving) || n != 3 {
		t.Errorf("error %v after %d readings", err, n)
	}
	close(w.stop)
	w.read = func(r io.Reader, _ bool) (*keys.Set, error) { _, err := readSet(r); return nil, err }
	if _, err := w.take(true); !errors.Is(err, errStopped) {
		t.Errorf("when nobody uses it: %v", err)
	}
}

// TestReadersWhileReloading: beside many changes, readers see whole sets only, and
// reading takes no memory.
func TestReadersWhileReloading(t *testing.T) {
	s := newBench(t, write(t, "keys.json", setOf("a1", "a2")))
	s.every = time.Millisecond
	set, err := s.OpenSet()
	must(t, err)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := ids(set); got != "a1 a2" && got != "b1 b2" {
					t.Errorf("keys %q", got)
					return
				}
			}
		})
	}
	for i := range 20 {
		name := "ba"[i%2 : i%2+1]
		replace(t, s.Path, setOf(name+"1", name+"2"))
		for deadline := time.Now().Add(time.Minute); ids(set) != name+"1 "+name+"2"; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("change %d is not seen: %q", i, ids(set))
			}
		}
	}
	close(stop)
	readers.Wait()
	if n := testing.AllocsPerRun(100, func() { set.KeySet() }); n != 0 {
		t.Errorf("KeySet allocates %v times", n)
	}
}
