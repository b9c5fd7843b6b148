package main

import (
	"fmt"

	"latch/model/explore"
)

// One key, its front in one process, two threads that write it and one that reads it. A write and a read reach the table at some moment
// between their beginning and their end.
type frontState struct {
	table   int8 // the version that the table has
	kept    int8 // that the front has; 0: none
	stamp   int8
	writing int8 // writes that are under way
	writers [2]frontWriter
	reader  frontReader
	ended   int8 // the newest version, by the table's order, whose write has ended, or that was seen after it
	broken  string
}

type frontWriter struct {
	at      int8 // 0 to come, 1 begun, 2 applied, 3 ended
	stamp   int8
	version int8 // the table's order is the versions' order: given when it is applied
}

type frontReader struct{ at, stamp, got int8 }

const never = -1 // no stamp

type frontRules struct {
	begin, end bool // a write moves the stamp when it begins, when it ends
	checks     bool // a read's value is kept only at the stamp it began with
	alone      bool // a write's, only at the stamp it began with
	counts     bool // and neither where it began while another write was under way
}

const older = "this process gets what its own write had replaced"

func (r frontRules) steps(s frontState, to func(string, frontState)) {
	for i, w := range s.writers {
		t := s
		q := &t.writers[i]
		name := fmt.Sprintf("%c: ", 'A'+i)
		switch w.at {
		case 0:
			q.at = 1
			t.kept = 0
			if r.begin {
				t.stamp++
			}
			q.stamp = t.stamp
			if r.counts && s.writing > 0 {
				q.stamp = never
			}
			t.writing++
			to(name+"begins a write", t)
		case 1:
			q.at = 2
			t.table++
			q.version = t.table
			to(name+"its write reaches the table", t)
		case 2:
			q.at = 3
			t.writing--
			alone := s.stamp == w.stamp
			if r.end {
				t.stamp++
			}
			if alone || !r.alone {
				t.kept = w.version
			}
			if w.version > t.ended {
				t.ended = w.version
			}
			to(name+"ends its write, and keeps it where it was alone", t)
		}
	}
	t := s
	q := &t.reader
	switch s.reader.at {
	case 0:
		q.at, q.stamp = 1, s.stamp
		if r.counts && s.writing > 0 {
			q.stamp = never
		}
		to("R: begins a read", t)
	case 1:
		q.at, q.got = 2, s.table
		to("R: its read reaches the table", t)
	case 2:
		q.at = 3
		if !r.checks || s.stamp == s.reader.stamp {
			t.kept = s.reader.got
		}
		to("R: keeps what it read", t)
	}
	if s.kept != 0 && s.kept < s.ended {
		t := s
		t.broken = older
		to("a later get finds what is kept", t)
	}
}

func (r frontRules) model(name, breaks string) explore.Model {
	return explore.Rules[frontState]{Name: name, Breaks: breaks, Start: frontState{table: 1}, Steps: r.steps, Wrong: func(s frontState) string { return s.broken }}
}

func frontModels() []explore.Model {
	return []explore.Model{
		frontRules{begin: true, end: true, alone: true}.model("front: filled whatever was written meanwhile", older),
		frontRules{begin: true, checks: true, alone: true}.model("front: the stamp moves when a write begins", older),
		frontRules{begin: true, end: true, checks: true}.model("front: both of two overlapping writes are kept", older),
		frontRules{begin: true, end: true, checks: true, alone: true}.model("front: a write that began while another was under way is kept", older),
		frontRules{begin: true, end: true, checks: true, alone: true, counts: true}.model("front MENDED", ""),
	}
}
