package file

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/internal/sourcemetrics"
	"github.com/signedlink/caddy-signed-link/keys/internal/secretfile"
)

const (
	// pollInterval is how often a file is looked at. Looking costs one system
	// call; change notifications would need a watch on every directory on the
	// way to the file, and network file systems send none.
	pollInterval = 2 * time.Second

	// coarse is the coarsest step in which file systems tell the time. A file
	// that was read sooner after its change may have changed again without
	// showing it.
	coarse = 2 * time.Second

	// patience is how many looks in a row may find the file changed since the
	// one before, until that is told as a failure.
	patience = 30

	// metricsLabel is the kind of source in metrics.
	metricsLabel = "file"
)

// watches holds the files that are in use, so that all configurations and
// handlers with the same file share one copy and one goroutine.
var watches = caddy.NewUsagePool()

// watchKey is what makes two uses of a file the same: what it is read as (of
// user keys, the ending of the name says the format) and where it is.
type watchKey struct {
	kind  string
	path  string
	every time.Duration
}

// watch is a file that is read again when it has changed. What was read is
// immutable, and readers get it without a lock.
type watch[T any] struct {
	path    string
	every   time.Duration
	read    func(r io.Reader, running bool) (*T, error) // running: not for a configuration that is loaded
	inspect func(*T) contents
	current atomic.Pointer[T]
	stop    chan struct{} // closed when the last user has let go

	mu      sync.Mutex // one reads at a time
	loaded  reading[T] // what current is
	seen    stamp      // the file as the last look found it
	pending reading[T] // read by a new configuration, to be adopted at the next look
	failed  stamp      // a file with a mistake in it: it need not be read again
	failure string     // what was logged, until it is cured
	moves   int        // how many looks in a row found the file changed

	logsMu sync.Mutex
	logs   []*logTo
}

// logTo is where one configuration logs; the logger is nil for programs that
// use a Source without Caddy's Provision.
type logTo struct{ logger *zap.Logger }

// contents says what there is in a file.
type contents struct {
	number  zap.Field
	empty   bool // nothing with which a link could be verified
	without int  // users without a secret
}

// reading is a file that was read.
type reading[T any] struct {
	value  *T
	stamp  stamp
	digest [sha256.Size]byte
	young  bool // it may have changed without showing it
	wanted bool // a new configuration read it
}

// stamp is what shows that a file was changed or replaced, without reading it.
type stamp struct {
	info    fs.FileInfo // of the file behind all symbolic links
	changed time.Time   // when its content or its mode changed, where the system says so
}

func stampOf(info fs.FileInfo) stamp { return stamp{info, changeTime(info)} }

// same reports whether nothing happened between the two; false if one of them
// was never taken.
func (s stamp) same(o stamp) bool {
	return s.info != nil && o.info != nil && os.SameFile(s.info, o.info) && s.info.Size() == o.info.Size() &&
		s.info.Mode() == o.info.Mode() && s.info.ModTime().Equal(o.info.ModTime()) && s.changed.Equal(o.changed)
}

// young reports whether the file has only just changed, by the clock of now. A
// file from the future comes from a server whose clock is wrong, and is not.
func (s stamp) young(now time.Time) bool {
	last := s.info.ModTime()
	if s.changed.After(last) {
		last = s.changed
	}
	return now.Sub(last).Abs() < coarse
}

var (
	// errMoving: the file changed while it was read.
	errMoving = errors.New("it changes while it is read; write another file beside it and rename it")

	// errStopped: nobody uses the file any more.
	errStopped = errors.New("the key file is not used any more")
)

// mistake is an error in what stands in a file, not in reading it.
type mistake struct{ error }

// Unwrap returns the error itself.
func (m mistake) Unwrap() error { return m.error }

// open returns the watch of the file, and a function that lets it go. If
// nobody uses the file yet, it is read. Otherwise it is read only if it has
// changed, and what was read is adopted as every change is; but a mistake in
// it is an error here and now, as with a file that nobody uses.
func open[T any](key watchKey, logger *zap.Logger, read func(io.Reader, bool) (*T, error), inspect func(*T) contents) (*watch[T], func(), error) {
	to := &logTo{logger}
	value, loaded, err := watches.LoadOrNew(key, func() (caddy.Destructor, error) {
		w := &watch[T]{path: key.path, every: key.every, read: read, inspect: inspect, stop: make(chan struct{})}
		first, err := w.takeNow()
		if err != nil {
			return nil, err
		}
		w.loaded = first
		w.current.Store(first.value)
		sourcemetrics.Loads.WithLabelValues(metricsLabel).Inc()
		go w.run()
		return w, nil
	})
	if err != nil {
		return nil, nil, err // the pool has forgotten it
	}
	w := value.(*watch[T])
	if loaded {
		err = w.refresh()
	}
	if err != nil {
		_, _ = watches.Delete(key)
		return nil, nil, err
	}
	w.logsMu.Lock()
	w.logs = append(w.logs, to)
	w.logsMu.Unlock()
	w.mu.Lock()
	latest := w.loaded
	if w.pending.value != nil {
		latest = w.pending
	}
	w.mu.Unlock()
	w.warn(to, latest)
	return w, func() {
		w.logsMu.Lock()
		w.logs = slices.DeleteFunc(w.logs, func(l *logTo) bool { return l == to })
		w.logsMu.Unlock()
		_, _ = watches.Delete(key)
	}, nil
}

// Destruct ends the goroutine. Requests under way keep what was read last.
func (w *watch[T]) Destruct() error {
	close(w.stop)
	return nil
}

func (w *watch[T]) stopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

func (w *watch[T]) run() {
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-ticker.C:
			w.poll()
		}
	}
}

// refresh reads the file for a new configuration, if it has changed.
func (w *watch[T]) refresh() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	info, err := secretfile.Stat(w.path, maxFile)
	if err != nil {
		return err
	}
	if now := stampOf(info); now.same(w.loaded.stamp) || now.same(w.pending.stamp) {
		return nil
	}
	if w.pending, err = w.takeNow(); err != nil {
		w.pending = reading[T]{}
		return err
	}
	w.pending.wanted = true
	w.failed = stamp{}
	return nil
}

// poll looks at the file, and adopts it if it has changed and then stood still
// from one look to the next: a program that writes it piece by piece leaves
// states that are well-formed and wrong, such as a CSV that lacks its end.
func (w *watch[T]) poll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	info, err := secretfile.Stat(w.path, maxFile)
	if err != nil {
		w.seen, w.moves = stamp{}, 0
		w.fail(err)
		return
	}
	now := stampOf(info)
	switch {
	case now.same(w.loaded.stamp) && !w.loaded.young:
		w.seen, w.moves, w.pending = now, 0, reading[T]{}
		w.cured()
		return
	case now.same(w.failed):
		w.seen, w.moves = now, 0
		sourcemetrics.Errors.WithLabelValues(metricsLabel).Inc()
		return
	case !now.same(w.seen) && !now.same(w.pending.stamp):
		w.seen = now
		if w.moves++; w.moves >= patience {
			w.fail(fmt.Errorf("the file %s does not come to rest; write another file beside it and rename it", w.path))
		}
		return
	}
	r := w.pending
	if !now.same(r.stamp) {
		r, err = w.take(true)
	}
	w.pending = reading[T]{}
	if err == nil && !r.wanted && w.inspect(r.value).empty && !w.inspect(w.current.Load()).empty {
		// More likely a mishap of the program that writes the file than
		// the wish to refuse everybody.
		err = mistake{fmt.Errorf("the file %s holds no user with a secret any more; to refuse every link, run caddy reload --force", w.path)}
	}
	switch {
	case w.stopped():
	case errors.Is(err, errMoving):
		w.seen = stamp{}
	case err != nil:
		if _, ok := errors.AsType[mistake](err); ok && !now.young(time.Now()) {
			w.failed = now
		}
		w.moves = 0
		w.fail(err)
	default:
		w.moves = 0
		w.adopt(r)
	}
}

// adopt makes the reading the current one.
func (w *watch[T]) adopt(r reading[T]) {
	before := w.loaded
	w.loaded, w.failed = r, stamp{}
	if before.digest == r.digest {
		w.loaded.value = before.value // the same again: keep what is in use
		w.cured()
		if before.stamp.info.Mode() != r.stamp.info.Mode() {
			w.warn(w.log(), r)
		}
		return
	}
	w.current.Store(r.value)
	w.failure = ""
	sourcemetrics.Loads.WithLabelValues(metricsLabel).Inc()
	if to := w.log(); to.logger != nil {
		to.logger.Info("the key file has changed and was read again", zap.String("file", w.path), w.inspect(r.value).number)
	}
	w.warn(w.log(), r)
}

// fail counts a failure, and logs it if it is another one than before.
func (w *watch[T]) fail(err error) {
	sourcemetrics.Errors.WithLabelValues(metricsLabel).Inc()
	if w.failure == err.Error() {
		return
	}
	w.failure = err.Error()
	if to := w.log(); to.logger != nil {
		to.logger.Error("the key file could not be read again; the keys that were read before stay in force", zap.String("file", w.path), zap.Error(err))
	}
}

// cured ends a failure after which the file is as it was.
func (w *watch[T]) cured() {
	if w.failure == "" {
		return
	}
	w.failure = ""
	if to := w.log(); to.logger != nil {
		to.logger.Info("the key file is there again, as it was read before", zap.String("file", w.path))
	}
}

// log returns where the newest configuration that uses the file logs.
func (w *watch[T]) log() *logTo {
	w.logsMu.Lock()
	defer w.logsMu.Unlock()
	if len(w.logs) == 0 {
		return new(logTo)
	}
	return w.logs[len(w.logs)-1]
}

// warn says what is wrong with a file that was read all the same.
func (w *watch[T]) warn(to *logTo, r reading[T]) {
	if to.logger == nil {
		return
	}
	file := zap.String("file", w.path)
	// Elsewhere than on Unix, the mode does not say who may read a file.
	if mode := r.stamp.info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o037 != 0 {
		to.logger.Warn("others than the owner and the group can read or change the file of secrets; run chmod 0640",
			zap.String("mode", fmt.Sprintf("%04o", mode)), file)
	}
	c := w.inspect(r.value)
	if c.without > 0 {
		to.logger.Warn("users without a secret are treated as if they did not exist", zap.Int("users", c.without), file)
	}
	if c.empty {
		to.logger.Warn("the file holds no user with a secret: every link will be refused", file)
	}
}

// takeNow reads the file for a configuration that waits for it: a file that is
// just being replaced is read once more.
func (w *watch[T]) takeNow() (r reading[T], err error) {
	for range 3 {
		if r, err = w.take(false); !errors.Is(err, errMoving) {
			return r, err
		}
	}
	return r, err
}

// take reads the file. It is the one that stands at the path, and the same
// before and after, or the error is errMoving.
func (w *watch[T]) take(running bool) (reading[T], error) {
	f, info, err := secretfile.Open(w.path, maxFile)
	if err != nil {
		return reading[T]{}, err
	}
	defer f.Close()
	r := reading[T]{stamp: stampOf(info)}
	digest := sha256.New()
	content := &stoppable{file: f, stop: w.stop}
	bounded := &io.LimitedReader{R: io.TeeReader(content, digest), N: maxFile + 1}
	r.value, err = w.read(bounded, running)
	after, statErr := f.Stat()
	there, thereErr := os.Stat(w.path)
	switch {
	case content.err != nil:
		return reading[T]{}, fmt.Errorf("the file %s: %w", w.path, err)
	case statErr != nil || thereErr != nil || !r.stamp.same(stampOf(after)) || !r.stamp.same(stampOf(there)):
		return reading[T]{}, fmt.Errorf("the file %s: %w", w.path, errMoving)
	case bounded.N == 0:
		return reading[T]{}, mistake{secretfile.TooLarge(w.path, maxFile)}
	case err != nil:
		if at, ok := errors.AsType[*fault](err); ok {
			at.locate(f)
		}
		return reading[T]{}, mistake{fmt.Errorf("the file %s: %w", w.path, err)}
	}
	digest.Sum(r.digest[:0])
	r.young = r.stamp.young(time.Now())
	return r, nil
}

// stoppable reads a file until nobody uses it any more.
type stoppable struct {
	file io.Reader
	stop <-chan struct{}
	err  error // why it could not be read to its end
}

// Read implements io.Reader.
func (s *stoppable) Read(p []byte) (int, error) {
	select {
	case <-s.stop:
		s.err = errStopped
		return 0, s.err
	default:
	}
	n, err := s.file.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// Interface guards
var _ caddy.Destructor = (*watch[struct{}])(nil)
