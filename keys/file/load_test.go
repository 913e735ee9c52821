package file

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// formats are files of user keys: beginning, a line for each user, end.
var formats = map[string][3]string{
	"u.csv":   {"user,secret\n", "%s,%s\n", ""},
	"u.jsonl": {"", "{\"user\":%s,\"secret\":\"%s\"}\n", ""},
	"u.json":  {"{\"0\":null", ",\n\"%s\":\"%s\"", "}\n"},
}

func manyUsers(format [3]string, n int) string {
	var content strings.Builder
	content.WriteString(format[0])
	for i := range n {
		fmt.Fprintf(&content, format[1], strconv.Itoa(10_000_000+i), fmt.Sprintf("%032x", uint64(i)*0x9e3779b97f4a7c15))
	}
	content.WriteString(format[2])
	return content.String()
}

// heap returns the bytes that are in use, garbage removed.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watchHeap returns a function that ends it and returns the greatest heap that was
// seen in between, garbage and all.
func watchHeap() func() uint64 {
	var greatest atomic.Uint64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			greatest.Store(max(greatest.Load(), m.HeapAlloc))
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-ended
		return greatest.Load()
	}
}

// BenchmarkOpenMillion opens files of a million users with secrets of 32 bytes. It
// reports what they take in memory when they are loaded, and what they take at most
// while they are being loaded, and once more beside those that are in use, garbage
// included.
func BenchmarkOpenMillion(b *testing.B) {
	for name, format := range formats {
		b.Run(name, func(b *testing.B) {
			s := &Source{Path: write(b, name, manyUsers(format, 1_000_000)), every: time.Hour}
			for b.Loop() {
				before := heap()
				greatest := watchHeap()
				start := time.Now()
				users, err := s.OpenUsers()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(time.Since(start).Seconds(), "s/load")
				b.ReportMetric(float64(greatest()-before)/1e6, "MB/peak")
				b.ReportMetric(float64(heap()-before)/1e6, "MB/loaded")
				greatest = watchHeap()
				w := users.(userSource).watch
				w.mu.Lock()
				again, err := w.take(true)
				w.mu.Unlock()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(greatest()-before)/1e6, "MB/reload-peak")
				runtime.KeepAlive(again)
				runtime.KeepAlive(users)
				s.Cleanup()
			}
		})
	}
}

// TestMemory: a million users may take 200 MB, so 50,000 may take 10, also while the
// file is being read again and the old and the new ones are in memory at once.
func TestMemory(t *testing.T) {
	const n, limit = 50_000, 10e6
	for name, format := range formats {
		content := manyUsers(format, n)
		s, _ := source(t, name, content)
		before := heap()
		opened, err := s.OpenUsers()
		if err != nil {
			t.Fatal(err)
		}
		if took := heap() - before; took > limit {
			t.Errorf("%s: %d users take %d bytes, at most %.0f are allowed", name, n, took, limit)
		}
		w := opened.(userSource).watch
		w.mu.Lock()
		r, err := w.take(true)
		w.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if took := heap() - before; took > limit {
			t.Errorf("%s: twice %d users take %d bytes, at most %.0f are allowed", name, n, took, limit)
		}
		runtime.KeepAlive(r)
		runtime.KeepAlive(content)
	}
}
