package main

import (
	"fmt"

	"latch/model/explore"
)

// Two loaders, a setter, and a source whose change is followed by one delete. A loader may be frozen anywhere (it isn't scheduled), and its
// put may be given up and applied at any later time.
type loadState struct {
	source   int8 // its version, 1 or 2
	value    int8 // 0: none; else the version that it was computed from
	write    int8 // counts writes of the item: which one it is
	gen      int8 // 0: there is no generation's item
	raised   int8 // how often it was raised, whatever its item says
	expiries int8
	deletes  int8 // 0: to come, 1: between its two steps, 2: done
	sets     int8
	loaders  [2]loader
	broken   string
}

type loader struct {
	at       int8 // 0 not begun, 1 has looked, 2 has computed, 3 put is under way, 4 put was given up and is under way, 5 done
	saw      int8 // the item's write, when it looked
	gen      int8 // the generation that it read
	raised   int8 // what was raised when its look began: what its value may be older than
	computed int8
}

type loadRules struct {
	conditional bool // the put: only over what was seen
	strict      bool // and only at the generation that was read
	late        bool // the generation is read after computing
	deletes     string
	fromOne     bool // a generation that is made again begins at 1, not with the time
	forgets     bool // its ttl doesn't wait for the loads that are under way
}

const newerLost = "a load replaced what was stored since it looked"
const olderKept = "a value computed before a delete is there after it"

func (r loadRules) apply(s *loadState, l loader) {
	if r.conditional && s.write != l.saw {
		return
	}
	if r.strict && s.gen != l.gen {
		return
	}
	if s.write != l.saw && s.value != 0 {
		s.broken = newerLost
	}
	s.write++
	s.value = l.computed
	if s.deletes == 2 && l.computed == 1 {
		s.broken = olderKept
	}
}

// By the time: a later one is a higher one, also after its item was gone.
func (r loadRules) raise(s *loadState) {
	s.raised++
	if r.fromOne {
		s.gen++
	} else {
		s.gen = s.raised
	}
}

func (r loadRules) model(name, breaks string) explore.Model {
	steps := func(s loadState, to func(string, loadState)) {
		for i := range s.loaders {
			l := s.loaders[i]
			name := string(rune('A' + i))
			t := s
			q := &t.loaders[i]
			switch l.at {
			case 0:
				*q = loader{at: 1, saw: s.write, gen: s.gen, raised: s.raised}
				if s.value == 0 {
					to(name+": looks: a miss", t)
				}
			case 1:
				q.at, q.computed = 2, s.source
				to(fmt.Sprintf("%s: computes version %d", name, s.source), t)
			case 2:
				q.at = 3
				if r.late {
					q.gen = s.gen
				}
				to(name+": sends its put", t)
			case 3:
				u := s
				u.loaders[i].at = 4
				to(name+": gives its put up", u)
				q.at = 5
				r.apply(&t, l)
				to(name+": its put comes", t)
			case 4:
				q.at = 5
				r.apply(&t, l)
				to(name+": its put comes late", t)
			}
		}
		if s.source == 1 {
			t := s
			t.source = 2
			to("the source changes", t)
		}
		if s.source == 2 && s.deletes < 2 {
			r.deleting(s, to)
		}
		if s.sets == 0 {
			t := s
			t.sets, t.value = 1, s.source
			t.write++
			if s.deletes != 2 && s.source == 1 {
				t.value = 2 // what another sets is of no loader's making, and never old
			}
			to("another sets a value", t)
		}
		if s.gen > 0 && s.expiries == 0 && (r.forgets || r.settled(s)) {
			t := s
			t.gen, t.expiries = 0, 1
			to("the generation's item ends by its ttl", t)
		}
	}
	return explore.Rules[loadState]{Name: name, Breaks: breaks, Start: loadState{source: 1}, Steps: steps, Wrong: func(s loadState) string { return s.broken }}
}

// No load that began before the last raise is under way.
func (r loadRules) settled(s loadState) bool {
	for _, l := range s.loaders {
		if l.at > 0 && l.at < 5 && l.raised < s.raised {
			return false
		}
	}
	return true
}

func (r loadRules) deleting(s loadState, to func(string, loadState)) {
	t := s
	remove := func() {
		if t.value != 0 {
			t.write++
		}
		t.value = 0
	}
	first, second := remove, func() { r.raise(&t) }
	if r.deletes == "raise, delete" {
		first, second = second, remove
	}
	if r.deletes == "once" {
		first()
		second()
		t.deletes = 2
		to("the key is deleted and its generation raised", t)
		return
	}
	if s.deletes == 0 {
		first()
		t.deletes = 1
		to("the delete's first step", t)
		return
	}
	second()
	t.deletes = 2
	if t.value == 1 {
		t.broken = olderKept
	}
	to("the delete's second step", t)
}

func loadModels() []explore.Model {
	return []explore.Model{
		loadRules{deletes: "once"}.model("load: put without a condition", newerLost),
		loadRules{conditional: true, deletes: "once"}.model("load: put over what was seen, no generation", olderKept),
		loadRules{conditional: true, strict: true, late: true, deletes: "once"}.model("strict: the generation is read after computing", olderKept),
		loadRules{conditional: true, strict: true, deletes: "delete, raise"}.model("strict: deleted, then raised", olderKept),
		loadRules{conditional: true, strict: true, deletes: "once", forgets: true}.model("strict: its ttl is shorter than a load", olderKept),
		loadRules{conditional: true, strict: true, deletes: "raise, delete"}.model("strict MENDED: raised, then deleted", ""),
		loadRules{conditional: true, strict: true, deletes: "once"}.model("strict MENDED: in one transaction", ""),
		againModel("strict: a generation made again begins at 1", olderKept, true),
		againModel("strict MENDED: it begins with the time", "", false),
	}
}

// Two deletes with the generation's end between them, and a load that read the first one's.
func againModel(name, breaks string, fromOne bool) explore.Model {
	r := loadRules{conditional: false, strict: true, deletes: "once", fromOne: fromOne, forgets: true}
	inner := r.model(name, breaks).(explore.Rules[loadState])
	start := loadState{source: 1, raised: 1, gen: 1, sets: 1}
	inner.Start = start
	all := inner.Steps
	inner.Steps = func(s loadState, to func(string, loadState)) {
		all(s, func(step string, t loadState) {
			if t.loaders[1].at == 0 && !(s.raised == 1 && s.loaders[0].at == 0 && t.gen == 0) {
				to(step, t)
			}
		})
	}
	return inner
}
