package sampling

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func line(client string) Line {
	return Line{"keyed_hash", "Caddyfile:7", "keyed_hash", "bad_signature", "", client}
}

// take takes n lines at once, and returns how many were written, and what they said was left out.
func take(s *Sampler, l Line, n int, now time.Time) (written, leftOut int) {
	for range n {
		if w, left := s.Take(l, now); w {
			written++
			leftOut += left
		} else if left != 0 {
			leftOut = -1 << 30
		}
	}
	return written, leftOut
}

// TestTake: the first hundred in a minute, then every hundredth.
func TestTake(t *testing.T) {
	s, now := New(), noon
	for _, step := range []struct {
		after            time.Duration // since the step before
		n                int
		written, leftOut int
	}{
		{0, 30, 30, 0}, // at which the filter for fail2ban bans
		{time.Second, 70, 70, 0},
		{time.Second, 99, 0, 0},
		{0, 1, 1, 99},
		{0, 1000, 10, 990},
		{0, 7, 0, 0},
		{57 * time.Second, 3, 0, 0},
		{time.Second, 1, 1, 10}, // the next minute tells what was left out in the last
		{0, 99, 99, 0},
		{0, 50, 0, 0},
		{59*time.Second + 999*time.Millisecond, 1, 0, 0},
		{time.Hour, 2, 2, 51},
		{-30 * time.Minute, 100, 100, 0}, // the clock was set back
		{time.Minute, 0, 0, 0},
		{0, 100, 100, 0},
	} {
		now = now.Add(step.after)
		if written, leftOut := take(s, line("192.0.2.1"), step.n, now); written != step.written || leftOut != step.leftOut {
			t.Errorf("%s, %d lines: %d written, %d said to be left out, want %d and %d",
				now.Format(time.TimeOnly), step.n, written, leftOut, step.written, step.leftOut)
		}
	}
}

// TestAttackNobodyElseIsLeftOut: a flood leaves out no line that tells something else.
func TestAttackNobodyElseIsLeftOut(t *testing.T) {
	s := New()
	take(s, line("192.0.2.1"), 10_000, noon)
	other := line("192.0.2.1")
	for name, change := range map[string]func(*Line){
		"definition": func(l *Line) { l.Definition = "login" },
		"origin":     func(l *Line) { l.Origin = "Caddyfile:8" },
		"scheme":     func(l *Line) { l.Scheme = "akid" },
		"reason":     func(l *Line) { l.Reason = "expired" },
		"detail":     func(l *Line) { l.Detail = "key" },
		"client":     func(l *Line) { l.Client = "192.0.2.10" },
		"border":     func(l *Line) { l.Reason, l.Detail = "bad_signatur", "e" },
	} {
		l := other
		change(&l)
		if written, _ := take(s, l, First, noon); written != First {
			t.Errorf("another %s: %d of %d lines were written", name, written, First)
		}
	}
}

// TestAttackFullTable: what finds no room is written, and a minute later there is room.
func TestAttackFullTable(t *testing.T) {
	s := New()
	for i := range 4 * Capacity {
		if written, _ := s.Take(line(fmt.Sprint(i)), noon); !written {
			t.Fatalf("the first line of client %d was left out", i)
		}
	}
	if written, leftOut := take(s, line("late"), 1000, noon); written != 1000 || leftOut != 0 {
		t.Errorf("without room %d of 1000 lines were written, %d said to be left out", written, leftOut)
	}
	later := noon.Add(time.Minute)
	if written, leftOut := take(s, line("late"), 1000, later); written != First+9 || leftOut != 900-9 {
		t.Errorf("with room %d of 1000 lines were written, %d said to be left out", written, leftOut)
	}
}

// TestTogether: of lines that many requests count at once, none is lost.
func TestTogether(t *testing.T) {
	s := New()
	const each, requests = 5000, 8
	var mu sync.Mutex
	var wait sync.WaitGroup
	written, leftOut := 0, 0
	for range requests {
		wait.Go(func() {
			w, l := take(s, line("192.0.2.1"), each, noon)
			mu.Lock()
			defer mu.Unlock()
			written, leftOut = written+w, leftOut+l
		})
	}
	wait.Wait()
	if want := First + (each*requests-First)/Then; written != want || written+leftOut != each*requests {
		t.Errorf("%d written, %d left out, of %d", written, leftOut, each*requests)
	}
}

// TestTakeAllocations: a flood costs no memory.
func TestTakeAllocations(t *testing.T) {
	s := New()
	if n := testing.AllocsPerRun(1000, func() { s.Take(line("192.0.2.1"), noon) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
