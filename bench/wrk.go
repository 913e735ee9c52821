package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// load is what wrk says of one burst.
type load struct {
	requests int
	rate     float64 // requests a second
}

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkRate     = regexp.MustCompile(`(?m)^Requests/sec:\s+([0-9.]+)`)
)

// parseWrk reads what wrk prints. A burst with errors is no measurement.
func parseWrk(output string) (load, error) {
	for _, bad := range []string{"Non-2xx or 3xx responses", "Socket errors"} {
		if _, rest, ok := strings.Cut(output, bad); ok {
			line, _, _ := strings.Cut(rest, "\n")
			return load{}, fmt.Errorf("%s%s", bad, line)
		}
	}
	requests, rate := wrkRequests.FindStringSubmatch(output), wrkRate.FindStringSubmatch(output)
	if requests == nil || rate == nil {
		return load{}, fmt.Errorf("wrk said %q", output)
	}
	n, err := strconv.Atoi(requests[1])
	if err != nil {
		return load{}, err
	}
	r, err := strconv.ParseFloat(rate[1], 64)
	if err != nil || n == 0 {
		return load{}, fmt.Errorf("wrk said %q", output)
	}
	return load{n, r}, nil
}

// burst sends requests for that time, in whole seconds, over 16 connections.
func burst(url string, d time.Duration) (load, error) {
	out, err := exec.Command("wrk", "-t1", "-c16", fmt.Sprintf("-d%ds", max(1, int(d.Seconds()))), url).CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	return parseWrk(string(out))
}
