// porcupine MODEL FILE - are the histories in FILE linearizable? One a line: a JSON list of operations. Prints "ok N" or which ones are not,
// and ends with 1 where one isn't, or can't be decided within 3 s.
//
// An operation whose outcome nobody knows has t1 -1: it may have taken effect at any time since t0, and never. That it never did is told by
// its place behind the end, an operation of ours: before that it must change something, or the checker would try each of them everywhere.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

type op struct {
	Client int    `json:"c"`
	Name   string `json:"op"`
	Status string `json:"status"` // "?": nobody knows
	N      int64  `json:"n"`      // a lock's token, a counter's value, a register's
	By     int64  `json:"by"`     // what was added
	Lease  int64  `json:"lease"`  // µs, and skew too
	Skew   int64  `json:"skew"`
	T0     int64  `json:"t0"`
	T1     int64  `json:"t1"`
	Ended  int64  `json:"ended"` // when the call returned, which it did even where its effect may come later
}

const slack = 2000 // µs: clocks are read in whole milliseconds, at both ends

// ── lock ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

type lock struct {
	held     bool
	fence    int64 // of the last taking; 0: none was seen yet
	from, to int64 // the lease ends between them: its beginning lies within a call
	ended    bool
}

// The lease may have been over, with the margin, when a call began to read the clock; and it may not have been.
func (s lock) mayBeOver(o op) bool { return s.from < o.Ended-o.Skew+slack }
func (s lock) mayLast(o op) bool   { return s.to >= o.T0-o.Skew-slack }

func (s lock) next(o op) lock {
	fence := o.N
	if o.Status == "?" && s.fence > 0 {
		fence = s.fence + 1
	}
	return lock{true, fence, o.T0 + o.Lease - slack, o.Ended + o.Lease + slack, false}
}

func (s lock) isLast(fence int64) bool { return s.fence == fence || s.fence == 0 }

func stepLock(state, input, _ interface{}) (bool, interface{}) {
	s, o := state.(lock), input.(op)
	canTake := !s.held || s.mayBeOver(o)
	released := s
	released.held = false
	if s.ended {
		return true, s
	}
	switch o.Name + " " + o.Status {
	case "take OK":
		return canTake && (s.fence == 0 || o.N == s.fence+1), s.next(o)
	case "take Held":
		return s.held && s.mayLast(o), s
	case "take ?":
		return canTake, s.next(o)
	case "release OK":
		return s.isLast(o.N), released
	case "release Conflict":
		return s.fence != o.N, s
	case "release ?":
		return s.held && s.isLast(o.N), released
	case "look OK":
		return s.held && s.mayLast(o) && s.isLast(o.N), s
	case "look Missing":
		return canTake, s
	case "end ":
		return true, lock{ended: true}
	}
	panic("no such operation: " + o.Name + " " + o.Status)
}

// ── counter, register ────────────────────────────────────────────────────────────────────────────────────────────────

func stepCounter(state, input, _ interface{}) (bool, interface{}) {
	s, o := state.(int64), input.(op)
	switch {
	case o.Name == "end":
		return true, s
	case o.Name == "add" && o.Status == "?":
		return true, s + o.By
	case o.Name == "add":
		return o.N == s+o.By, o.N
	case o.Name == "get":
		return o.N == s, s
	}
	panic("no such operation: " + o.Name)
}

func stepRegister(state, input, _ interface{}) (bool, interface{}) {
	s, o := state.(int64), input.(op)
	switch o.Name {
	case "set":
		return true, o.N
	case "end":
		return true, s
	}
	return o.N == s, s
}

func model(name string) porcupine.Model {
	switch name {
	case "lock":
		return porcupine.Model{Init: func() interface{} { return lock{} }, Step: stepLock}
	case "counter":
		return porcupine.Model{Init: func() interface{} { return int64(0) }, Step: stepCounter}
	case "register":
		return porcupine.Model{Init: func() interface{} { return int64(0) }, Step: stepRegister}
	}
	fmt.Fprintln(os.Stderr, "there is no such model:", name)
	os.Exit(2)
	return porcupine.Model{}
}

// ── histories ────────────────────────────────────────────────────────────────────────────────────────────────────────

func history(line []byte) []porcupine.Operation {
	var ops []op
	if err := json.Unmarshal(line, &ops); err != nil {
		fmt.Fprintln(os.Stderr, "not a history:", err)
		os.Exit(2)
	}
	var out []porcupine.Operation
	last := int64(0)
	for _, o := range ops {
		last = max(last, o.T1)
	}
	ops = append(ops, op{Client: len(ops), Name: "end", T0: last + 1, T1: last + 1})
	for _, o := range ops {
		end := o.T1
		if end < 0 {
			end = math.MaxInt64
		}
		out = append(out, porcupine.Operation{ClientId: o.Client, Input: o, Call: o.T0, Return: end})
	}
	return out
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: porcupine lock|counter|register FILE")
		os.Exit(2)
	}
	m := model(os.Args[1])
	file, err := os.Open(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer file.Close()
	lines, good, bad := bufio.NewScanner(file), 0, 0
	lines.Buffer(nil, 64<<20)
	for n := 0; lines.Scan(); n++ {
		switch porcupine.CheckOperationsTimeout(m, history(lines.Bytes()), 3*time.Second) {
		case porcupine.Ok:
			good++
		case porcupine.Illegal:
			bad++
			fmt.Printf("history %d is not linearizable\n", n)
		default:
			bad++
			fmt.Printf("history %d could not be decided in 3 s\n", n)
		}
	}
	if lines.Err() != nil {
		fmt.Fprintln(os.Stderr, lines.Err())
		os.Exit(2)
	}
	fmt.Printf("ok %d\n", good)
	if bad > 0 {
		os.Exit(1)
	}
}
