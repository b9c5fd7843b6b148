package main

import (
	"fmt"

	"latch/model/explore"
)

// A set of one element, x, in an item that a plain set may write too. Ann adds x and Bob removes it, both by what they read; Carl puts the
// empty list, plainly. Each write may be lost before or behind the table, and goes once more; one that was given up may still come.
//
// Once Ann's call was answered, and then Bob's, nobody has added x since: it must be gone.

type item struct {
	there, x bool
	ver      int8 // 0: it has none
	md5      bool // of the contents; else it is conditioned on the contents themselves, which comes to the same
}

type write struct {
	from int8 // whose; 0: there is none
	seen item // its condition
	puts bool // x
	ver  int8
}

type caller struct {
	at    int8 // 0 before, 1 has read, 2 has sent, 3 sent once more, 4 done, 5 given up
	seen  item
	sent  write
	late  bool // one that was given up may still come
	tries int8
}

type setState struct {
	it        item
	ann, bob  caller
	carl      int8 // how often he has put
	vers      int8
	annBefore bool // Ann was done when Bob began
	losses    int8
}

type setRule struct {
	name, breaks string
	ver          bool // the condition has the ver too
	plainVer     bool // a plain set writes a ver
}

func (r setRule) holds(w write, it item) bool {
	if w.seen.there != it.there {
		return false
	}
	return w.seen.x == it.x && w.seen.md5 == it.md5 && (!r.ver || w.seen.ver == it.ver)
}

func (r setRule) apply(s *setState, w write) bool {
	if !r.holds(w, s.it) {
		return false
	}
	s.it = item{there: true, x: w.puts, ver: w.ver, md5: true}
	return true
}

// One caller's Steps: read, send, be answered or lose the answer, send the same again, be late.
func (r setRule) callerSteps(s setState, who int8, to func(string, setState)) {
	of := func(t *setState) *caller {
		if who == 1 {
			return &t.ann
		}
		return &t.bob
	}
	name, c := []string{"", "Ann", "Bob"}[who], *of(&s)
	adds := who == 1
	switch c.at {
	case 0:
		if who == 2 && s.ann.at < 4 {
			return // Bob begins behind Ann: before that, who wins is open
		}
		t := s
		u := of(&t)
		u.seen, u.at = s.it, 1
		if s.it.x == adds {
			u.at = 4 // nothing to change
		}
		if who == 2 {
			t.annBefore = s.ann.at == 4
		}
		to(fmt.Sprintf("%s reads %v", name, s.it), t)
	case 1:
		t := s
		u := of(&t)
		t.vers++
		u.sent = write{who, c.seen, adds, t.vers}
		u.at, u.tries = 2, c.tries+1
		to(name+" sends a write", t)
	case 2, 3:
		r.answers(s, c, name, of, to)
	}
	if c.late {
		t := s
		of(&t).late = false
		if r.apply(&t, c.sent) {
			to(name+"'s lost try comes late, and is applied", t)
		} else {
			to(name+"'s lost try comes late, and is refused", t)
		}
	}
}

func (r setRule) answers(s setState, c caller, name string, of func(*setState) *caller, to func(string, setState)) {
	t := s
	u := of(&t)
	applied := r.apply(&t, c.sent)
	own := !applied && t.it.ver == c.sent.ver && r.ver
	switch {
	case applied || own:
		u.at = 4
		to(name+"'s write is answered: done", t)
	case c.tries < 3:
		u.seen, u.at = t.it, 1
		if t.it.x == c.sent.puts {
			u.at = 4
		}
		to(name+"'s write is refused, which shows the set", t)
	default:
		u.at = 5
		to(name+" gives up", t)
	}
	if s.losses == 0 || c.at == 3 {
		return
	}
	before, behind := s, t
	before.losses--
	of(&before).at, of(&before).late = 3, true
	to(name+"'s write is lost, and may yet come; the same goes again", before)
	if applied {
		of(&behind).at, behind.losses = 3, s.losses-1
		to(name+"'s write is applied, its answer lost; the same goes again", behind)
	}
}

func (r setRule) steps(s setState, to func(string, setState)) {
	r.callerSteps(s, 1, to)
	r.callerSteps(s, 2, to)
	if s.carl < 2 {
		t := s
		t.carl++
		t.it = item{there: true}
		if r.plainVer {
			t.vers++
			t.it = item{there: true, ver: t.vers, md5: true}
		}
		to("Carl puts the empty list", t)
	}
}

const back = "an element that was removed came back"

func setModels() []explore.Model {
	all := []setRule{
		{"sets, md5 alone", back, false, true},
		{"sets, md5 and ver, but a plain set has no ver", back, true, false},
		{"sets, md5 and ver, and each write has one: MENDED", "", true, true},
	}
	var out []explore.Model
	for _, r := range all {
		out = append(out, explore.Rules[setState]{Name: r.name, Breaks: r.breaks, Start: setState{losses: 2}, Steps: r.steps, Wrong: func(s setState) string {
			if s.annBefore && s.bob.at == 4 && s.it.x {
				return back
			}
			return ""
		}})
	}
	return out
}
