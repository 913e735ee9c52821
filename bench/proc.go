package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the kernel's accounting; USER_HZ is 100 on every architecture that
// Go runs on.
const tick = 10 * time.Millisecond

// stat is what the kernel says of a process.
type stat struct {
	pid, group int
	cpu        time.Duration // of it and of its children that ended, user and system
}

// parseStat reads /proc/PID/stat. The name of the program, in parentheses, may hold
// anything.
func parseStat(text string) (stat, error) {
	end := strings.LastIndexByte(text, ')')
	begin := strings.IndexByte(text, ' ')
	if end < 0 || begin < 0 {
		return stat{}, errors.New("not the stat of a process")
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) < 15 {
		return stat{}, errors.New("the stat of a process is cut off")
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0
		}
		return n
	}
	s := stat{pid: number(text[:begin]), group: number(fields[2])}
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		s.cpu += time.Duration(number(f)) * tick
	}
	return s, nil
}

// groupTime is the processor time of all processes of a group.
func groupTime(group int) (time.Duration, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	found := false
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		s, err := parseStat(string(b))
		if err == nil && s.group == group {
			sum, found = sum+s.cpu, true
		}
	}
	if !found {
		return 0, fmt.Errorf("the process group %d has ended", group)
	}
	return sum, nil
}
