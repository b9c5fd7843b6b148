package main

import (
	"fmt"

	"latch/model/explore"
)

// Two callers, users and background, one item of two cells. A limit of 2 in 4 ticks: a grant comes back every 2. Each call goes by a share of
// background that may be any other than the last one's: the split moves. Requests are applied, answered, lost, or given up and applied late.

const (
	limit  = 2
	window = 4
	step   = window / limit
)

type asked struct { // a request: the same body each time that it is sent
	state, caller, share, now, tries, id int8
	user, rests, backgroundRests         bool
}

const (
	nowhere = iota
	sent
	granted
	refused
	late // nobody waits for it
)

type grant struct { // within the window
	at   int8
	user bool
}

type shared struct {
	t, losses, tat, background, users, last, made, count int8
	calls                                                [2]int8
	net                                                  [3]asked
	grants                                               [8]grant
	byId                                                 [8]int8 // times that a call was counted
	most                                                 int8    // the largest share that background was granted by
	twice, unsaid                                        bool
}

type adaptive struct {
	calls, losses, until int8
	skew, life           int8 // the second caller's clock is ahead; a request is applied at most so long after it was made
	alone                bool // broken: background looks at its share alone
	apart                bool // broken: users and background have a cell each, of what is theirs now, as in the npm package
	anyRest              bool // broken: a cell begins anew whether it has passed or not
	noLast               bool // broken: a repeat isn't recognised
}

func stepOf(share int8) int8 { return window / share }

func (c adaptive) applies(s *shared, r asked) bool {
	if !c.noLast && s.last == r.id {
		return false
	}
	goes := func(tat, full, by int8, rests bool) bool {
		if rests {
			return c.anyRest && tat != 0 || tat != 0 && tat < r.now
		}
		return tat == 0 || tat >= r.now && tat <= r.now+full-by
	}
	next := func(tat, by int8, rests bool) int8 {
		if rests || tat == 0 {
			return r.now + by
		}
		return tat + by
	}
	if c.apart && r.user {
		own := int8(limit) - r.share
		if own == 0 || !goes(s.users, window, stepOf(own), r.rests) {
			return false
		}
		s.users = next(s.users, stepOf(own), r.rests)
		s.last = r.id
		return true
	}
	total := !c.alone && !c.apart || r.user
	if total && !goes(s.tat, window, step, r.rests) {
		return false
	}
	if !r.user && (r.share == 0 || !goes(s.background, window, stepOf(r.share), r.backgroundRests)) {
		return false
	}
	if total {
		s.tat = next(s.tat, step, r.rests)
	}
	if !r.user {
		s.background = next(s.background, stepOf(r.share), r.backgroundRests)
	}
	s.last = r.id
	return true
}

func (c adaptive) apply(s *shared, r asked) bool {
	recognised := !c.noLast && s.last == r.id
	if !c.applies(s, r) {
		return recognised
	}
	if c.losses > 0 {
		if s.byId[r.id]++; s.byId[r.id] > 1 && s.made == r.id {
			s.twice = true // though nobody came between
		}
		s.made = r.id
	}
	s.grants[s.count] = grant{s.t, r.user}
	s.count++
	if !r.user {
		s.most = max(s.most, r.share)
	}
	return true
}

func order(net *[3]asked) { // requests have no order among them: fewer states
	key := func(a asked) int { return int(a.state)<<16 | int(a.id)<<8 | int(a.tries) }
	for i := 1; i < len(net); i++ {
		for j := i; j > 0 && key(net[j]) > key(net[j-1]); j-- {
			net[j], net[j-1] = net[j-1], net[j]
		}
	}
}

func (s *shared) forget() {
	kept := [8]grant{}
	count := int8(0)
	for _, g := range s.grants[:s.count] {
		if g.at >= s.t-window {
			kept[count] = g
			count++
		}
	}
	s.grants, s.count = kept, count
}

func (c adaptive) steps(s shared, to func(string, shared)) {
	if s.t < c.until {
		n := s
		n.t++
		n.forget()
		to(fmt.Sprint("time ", n.t), n)
	}
	for p := int8(0); p < 2; p++ {
		c.begins(s, p, to)
	}
	for i, r := range s.net {
		if r.state != nowhere {
			c.moves(s, i, r, to)
		}
	}
}

func (c adaptive) begins(s shared, p int8, to func(string, shared)) {
	free := -1
	for i, r := range s.net {
		if r.state == nowhere {
			free = i
		}
		if r.state != nowhere && r.state != late && r.caller == p {
			return
		}
	}
	if free < 0 || s.calls[p] == c.calls || int(s.count) == len(s.grants) {
		return
	}
	for share := int8(0); share <= limit; share++ {
		for _, user := range []bool{false, true} {
			if user && share > 0 && !c.apart || share == 0 && !(user && !c.apart) && !user {
				continue // what it doesn't go by
			}
			n := s
			n.calls[p]++
			r := asked{state: sent, caller: p, share: share, user: user, now: s.t + p*c.skew, id: 1 + p*3 + n.calls[p] - 1}
			cell := s.tat
			if c.apart && user {
				cell = s.users
			}
			r.rests, r.backgroundRests = cell != 0 && cell < r.now, s.background != 0 && s.background < r.now
			n.net[free] = r
			order(&n.net)
			to(fmt.Sprintf("%c asks, user %v, share %d, now %d", 'A'+p, user, share, r.now), n)
		}
	}
}

func (c adaptive) moves(s shared, i int, r asked, to func(string, shared)) {
	n := s
	end := func() {
		for j := range n.net {
			if n.net[j].id == r.id && n.net[j].state != late || j == i && r.state == late {
				n.net[j] = asked{}
				break
			}
		}
		order(&n.net)
	}
	name := fmt.Sprintf("%c's %d", 'A'+r.caller, r.id)
	if (r.state == sent || r.state == late) && s.t-(r.now-r.caller*c.skew) > c.life {
		end()
		to("too old: "+name, n)
		return
	}
	if int(s.count) == len(s.grants) {
		return
	}
	switch r.state {
	case sent:
		yes := c.apply(&n, r)
		n.net[i].state = refused
		if yes {
			n.net[i].state = granted
		}
		order(&n.net)
		if c.losses == 0 { // an answer that can't be lost changes nothing when it comes
			end()
		}
		to(fmt.Sprint("applied ", yes, ": ", name), n)
		if s.losses > 0 && r.tries == 0 { // sent once more, and the first may still come
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
			order(&n.net)
			to("silence, sent again: "+name, n)
		}
	case late:
		c.apply(&n, r)
		end()
		to("comes late: "+name, n)
	default:
		if s.losses > 0 && r.tries == 0 {
			m := s
			m.losses--
			m.net[i].state, m.net[i].tries = sent, 1
			order(&m.net)
			to("answer lost, sent again: "+name, m)
		}
		end()
		if r.state == refused && r.tries == 0 && s.byId[r.id] > 0 {
			n.unsaid = true
		}
		to("answered: "+name, n)
	}
}

// In a window that ends now: all by the limit's bound, background by that of the largest share it has had.
func (c adaptive) wrong(s shared) string {
	if s.twice {
		return "a repeat is counted twice"
	}
	if s.unsaid {
		return "refused without a doubt, and counted"
	}
	all, background, most := int(s.count), 0, s.most
	for _, g := range s.grants[:s.count] {
		if !g.user {
			background++
		}
	}
	room := window + int(c.skew) + int(c.life)
	if (all-limit)*step > room {
		return "more than the limit's bound"
	}
	if most > 0 && (background-int(most))*int(stepOf(most)) > room {
		return "more background than its share's bound"
	}
	return ""
}

func (c adaptive) model(name, breaks string) explore.Model {
	return explore.Rules[shared]{Name: name, Breaks: breaks, Start: shared{t: 1, losses: c.losses}, Steps: c.steps, Wrong: c.wrong}
}

func adaptiveModels() []explore.Model {
	const more = "more than the limit's bound"
	plain, lossy := adaptive{calls: 3, until: 5}, adaptive{calls: 2, losses: 1, until: 4, life: 1}
	with := func(c adaptive, f func(*adaptive)) adaptive { f(&c); return c }
	return []explore.Model{
		plain.model("adaptive: the split moves", ""),
		with(plain, func(c *adaptive) { c.skew = 1 }).model("adaptive: the split moves, clocks differ", ""),
		lossy.model("adaptive: losses, late requests", ""),
		with(lossy, func(c *adaptive) { c.skew = 1 }).model("adaptive: losses, late requests, clocks differ", ""),
		with(plain, func(c *adaptive) { c.alone = true }).model("adaptive broken: background looks at its share alone", more),
		with(plain, func(c *adaptive) { c.apart = true }).model("adaptive broken: a cell each, of what is theirs now", more),
		with(plain, func(c *adaptive) { c.anyRest = true }).model("adaptive broken: a cell begins anew before it has passed", more),
		with(lossy, func(c *adaptive) { c.noLast = true }).model("adaptive broken: a repeat isn't recognised", "a repeat is counted twice"),
	}
}
