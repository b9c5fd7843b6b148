package main

import (
	"fmt"

	"latch/model/explore"
)

// A sliding list from which 1 or 2 are taken at once. Several have one stamp, written so many times: a repeat is recognised by it. The list is
// appended to while there is room; else, if so many have left the window, what has left is dropped and the newest of it stays as `low`.

const slideWindow = 3

type stamp struct{ at, id int8 }

type slide struct {
	t, losses, limit, moves, low, count, version, written int8
	ts                                                    [6]stamp
	calls                                                 [2]int8
	net                                                   [3]taking
	all                                                   [10]struct{ at, limit int8 }
	over                                                  bool
}

type taking struct { // what a request has in it
	state, caller, n, now, limit, tries, id, version int8
	swaps                                            bool
	ts                                               [6]stamp // of a swap: the list that it was made of
	count, low                                       int8
}

type several struct {
	calls, losses, until, skew, life, limit, moves int8
	noOld                                          bool // broken: a swap doesn't look whether the list is still the one it was made of
	noLow                                          bool // broken: what was dropped leaves no trace
	oneRoom                                        bool // broken: room for one is room for several
}

func (c several) apply(s *slide, r taking) bool {
	for _, x := range s.ts[:s.count] {
		if x.id == r.id {
			return true // our own, already
		}
	}
	if !c.noLow && s.low != 0 && s.low >= r.now-slideWindow {
		return false
	}
	if r.swaps {
		return c.swap(s, r)
	}
	room := r.limit - r.n
	if c.oneRoom {
		room = r.limit - 1
	}
	if s.count > room {
		return false
	}
	c.put(s, r)
	return true
}

func (c several) swap(s *slide, r taking) bool {
	if !c.noOld && s.version != r.version {
		return false
	}
	var kept [6]stamp
	count, low := int8(0), r.low
	for _, x := range r.ts[:r.count] {
		if x.at >= r.now-slideWindow {
			kept[count] = x
			count++
		} else if x.at > low {
			low = x.at
		}
	}
	if count+r.n > r.limit {
		return false
	}
	s.ts, s.count, s.low = kept, count, low
	c.put(s, r)
	return true
}

func (c several) put(s *slide, r taking) {
	for i := int8(0); i < r.n && int(s.count) < len(s.ts); i++ {
		s.ts[s.count] = stamp{r.now, r.id}
		s.count++
		if int(s.written) < len(s.all) {
			s.all[s.written] = struct{ at, limit int8 }{r.now, r.limit}
			s.written++
		}
	}
	s.version++
	in := int8(0)
	for _, x := range s.all[:s.written] {
		if x.at >= r.now-slideWindow && x.at <= r.now {
			in++
		}
	}
	s.over = s.over || in > r.limit
}

func (c several) steps(s slide, to func(string, slide)) {
	if s.t < c.until {
		n := s
		n.t++
		to(fmt.Sprint("time ", n.t), n)
	}
	for l := int8(1); l <= 3 && s.moves > 0; l++ {
		if l != s.limit {
			n := s
			n.limit, n.moves = l, s.moves-1
			to(fmt.Sprint("limit ", l), n)
		}
	}
	for p := int8(0); p < 2; p++ {
		c.begins(s, p, to)
	}
	for i, r := range s.net {
		if r.state != nowhere {
			c.goes(s, i, r, to)
		}
	}
}

func (c several) begins(s slide, p int8, to func(string, slide)) {
	free := -1
	for i, r := range s.net {
		if r.state == nowhere {
			free = i
		}
		if r.state == sent && r.caller == p {
			return
		}
	}
	if free < 0 || s.calls[p] == c.calls {
		return
	}
	for take := int8(1); take <= 2 && take <= s.limit; take++ {
		n := s
		n.calls[p]++
		r := taking{state: sent, caller: p, n: take, now: s.t + p*c.skew, limit: s.limit, id: 1 + p*3 + n.calls[p] - 1}
		if s.count+take > s.limit {
			r.swaps, r.version, r.ts, r.count, r.low = true, s.version, s.ts, s.count, s.low
		}
		n.net[free] = r
		to(fmt.Sprintf("%c takes %d of %d, now %d, swaps %v", 'A'+p, take, s.limit, r.now, r.swaps), n)
	}
}

func (c several) goes(s slide, i int, r taking, to func(string, slide)) {
	n := s
	name := fmt.Sprintf("%c's %d", 'A'+r.caller, r.id)
	n.net[i] = taking{}
	if s.t-(r.now-r.caller*c.skew) > c.life {
		to("too old: "+name, n)
		return
	}
	yes := c.apply(&n, r)
	to(fmt.Sprint("applied ", yes, ": ", name), n)
	if s.losses == 0 || r.tries > 0 || r.state == late {
		return
	}
	n = s
	n.losses--
	n.net[i].tries = 1
	for j := range n.net {
		if n.net[j].state == nowhere {
			n.net[j] = r
			n.net[j].state = late
			break
		}
	}
	to("silence, sent again: "+name, n)
}

func (c several) wrong(s slide) string {
	if s.over {
		return "granted beyond its limit in the window before"
	}
	return ""
}

func (c several) model(name, breaks string) explore.Model {
	return explore.Rules[slide]{Name: name, Breaks: breaks, Start: slide{t: 4, losses: c.losses, limit: c.limit, moves: c.moves}, Steps: c.steps, Wrong: c.wrong}
}

func severalModels() []explore.Model {
	const beyond = "granted beyond its limit in the window before"
	fixed := several{calls: 3, until: 9, skew: 1, life: 4, limit: 2}
	lossy := several{calls: 2, losses: 1, until: 9, skew: 1, life: 4, limit: 2}
	moving := several{calls: 2, losses: 1, until: 8, life: 4, limit: 3, moves: 1}
	with := func(c several, f func(*several)) several { f(&c); return c }
	return []explore.Model{
		fixed.model("several at once: clocks differ", ""),
		lossy.model("several at once: clocks differ, losses, late requests", ""),
		moving.model("several at once: the limit moves, losses, late requests", ""),
		with(moving, func(c *several) { c.skew = 1; c.losses = 0 }).model("several at once: the limit moves, clocks differ", ""),
		with(fixed, func(c *several) { c.oneRoom = true }).model("several broken: room for one is room for several", beyond),
		with(fixed, func(c *several) { c.noOld = true }).model("several broken: a swap of a list that has changed", beyond),
		with(moving, func(c *several) { c.noLow = true; c.skew = 1; c.moves = 2; c.losses = 0 }).model("several broken: what was dropped leaves no trace", beyond),
	}
}
