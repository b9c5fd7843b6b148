package main

import "latch/model/explore"

// Set if it isn't there: Ann and Bob each put theirs if there is no item, Carl deletes what is there. A write may be lost, and goes once more.
//
// Whoever is told that it was there, without a doubt, must not have put it there; whoever is told that it wasn't must have.

type claimer struct {
	at      int8 // 0 before, 1 sent, 2 sent once more, 3 done
	applied bool // ever
	told    int8 // 1 it is mine, 2 it was there, 3 it was there and I may have been first
}

type claimState struct {
	owner   int8 // 0: there is no item
	of      [2]claimer
	deletes int8
	losses  int8
}

type claimRule struct {
	name, breaks string
	own, doubts  bool // a refusal that shows our ver is ours; one behind a lost try says so
}

func (r claimRule) apply(s *claimState, i int) bool {
	if s.owner != 0 {
		return false
	}
	s.owner = int8(i) + 1
	s.of[i].applied = true
	return true
}

func (r claimRule) steps(s claimState, to func(string, claimState)) {
	if s.owner != 0 && s.deletes > 0 {
		t := s
		t.owner = 0
		t.deletes--
		to("Carl deletes it", t)
	}
	for i, name := range []string{"Ann", "Bob"} {
		c, t := s.of[i], s
		u := &t.of[i]
		if c.at == 0 {
			u.at = 1
			to(name+" sends", t)
		}
		if c.at != 1 && c.at != 2 {
			continue
		}
		applied := r.apply(&t, i)
		lost := t
		u.at, u.told = 3, 2
		if applied || (r.own && t.owner == int8(i)+1) {
			u.told = 1
		} else if r.doubts && c.at == 2 {
			u.told = 3
		}
		to(name+" is answered", t)
		if c.at == 1 && s.losses > 0 {
			before := s
			before.losses--
			before.of[i].at = 2
			to(name+"'s try is lost on its way; the same goes again", before)
			lost.losses--
			lost.of[i].at = 2
			to(name+"'s try reaches the table, its answer is lost; the same goes again", lost)
		}
	}
}

func claimModels() []explore.Model {
	const mine, never = "told that it was there, and was it", "told that it is its own, and never was"
	all := []claimRule{
		{"set if not exists, a refusal is a refusal", mine, false, false},
		{"set if not exists, a refusal that shows our ver is ours", mine, true, false},
		{"set if not exists, the ver, and a doubt behind a lost try: MENDED", "", true, true},
	}
	var out []explore.Model
	for _, r := range all {
		out = append(out, explore.Rules[claimState]{Name: r.name, Breaks: r.breaks, Start: claimState{deletes: 2, losses: 2}, Steps: r.steps, Wrong: func(s claimState) string {
			for _, c := range s.of {
				if c.told == 2 && c.applied {
					return mine
				}
				if c.told == 1 && !c.applied {
					return never
				}
			}
			return ""
		}})
	}
	return out
}
