package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime/coverage"
)

// The coverage counters of a program, as [coverage.WriteCounters] writes them: a header, one
// segment with a table of strings and the program's arguments, and for each function that
// ran how many counters it has, two numbers of its own, and the counters.
const (
	counterMagic   = "\x00cwm"
	counterVersion = 1
	counterHeader  = 32
	counterSegment = 16
	counterFooter  = 16
	counterULEB128 = 2 // how the numbers are written
)

var errCounters = errors.New("the coverage counters have another format than that of Go 1.20 to 1.26")

// count returns how many blocks of code have run since the counters were cleared.
func count() (sum uint64, err error) {
	var b bytes.Buffer
	if err := coverage.WriteCounters(&b); err != nil {
		return 0, err
	}
	return sumCounters(b.Bytes())
}

func sumCounters(data []byte) (sum uint64, err error) {
	if len(data) < counterHeader+counterSegment+counterFooter || string(data[:4]) != counterMagic ||
		binary.LittleEndian.Uint32(data[4:]) != counterVersion || data[24] != counterULEB128 {
		return 0, errCounters
	}
	segment := data[counterHeader:]
	functions := binary.LittleEndian.Uint64(segment)
	skip := counterSegment + int(binary.LittleEndian.Uint32(segment[8:])) + int(binary.LittleEndian.Uint32(segment[12:]))
	skip += (4 - (counterHeader+skip)%4) % 4
	if counterHeader+skip > len(data)-counterFooter {
		return 0, errCounters
	}
	rest := data[counterHeader+skip : len(data)-counterFooter]
	next := func() uint64 {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			err = errCounters
			return 0
		}
		rest = rest[size:]
		return n
	}
	for range functions {
		counters := next()
		next() // its package
		next() // its place in there
		for range counters {
			if sum += next(); err != nil {
				return 0, err
			}
		}
	}
	if len(rest) != 0 {
		return 0, errCounters
	}
	return sum, err
}
