package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// ticks is the unit of times in /proc, the same on every Linux that Go runs on.
const ticks = 100

// usage is what a process and its descendants have used so far.
type usage struct {
	cpu time.Duration
	rss int64 // bytes now
}

// tree sums up a process and its descendants.
func tree(pid int) (usage, error) {
	parents := map[int]int{}
	stats := map[int][][]byte{}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return usage{}, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		// The name in brackets may hold anything; what follows the last bracket is numbers.
		end := bytes.LastIndexByte(b, ')')
		if end < 0 {
			continue
		}
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		fields := bytes.Fields(b[end+1:])
		parents[id], _ = strconv.Atoi(string(fields[1]))
		stats[id] = fields
	}
	if stats[pid] == nil {
		return usage{}, fmt.Errorf("process %d has ended", pid)
	}
	var u usage
	for id, fields := range stats {
		if !descends(parents, id, pid) {
			continue
		}
		user, _ := strconv.ParseInt(string(fields[11]), 10, 64)
		system, _ := strconv.ParseInt(string(fields[12]), 10, 64)
		pages, _ := strconv.ParseInt(string(fields[21]), 10, 64)
		u.cpu += time.Duration(user+system) * time.Second / ticks
		u.rss += pages * int64(os.Getpagesize())
	}
	return u, nil
}

func descends(parents map[int]int, id, from int) bool {
	for ; id > 1; id = parents[id] {
		if id == from {
			return true
		}
	}
	return false
}
