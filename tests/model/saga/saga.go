package main

const (
	steps = 2
	lease = 2 // ticks
	end   = 4 // the last tick
)

// What is saved.
type item struct {
	there, undoing, completed bool
	version, step             int8
	by                        int8 // the id of the write: updateId
	until                     int8 // by the owner's clock; 0: given back
	takeovers                 int8
}

// A write on its way: what the item is to be, where it is at the version before.
type write struct {
	on      bool
	insert  bool
	saves   int8 // the part whose end it saves; -1: it claims, or gives back
	becomes item
}

const (
	idle = iota
	sending
	again // its first try got no answer
	holding
	working
)

type caller struct {
	at    int8
	calls int8 // that are left
	part  int8 // at work on
	ids   int8
	it    item // as it saved or read it
	out   write
	late  write // a try that nobody waits for any more
}

// Parts: run 0, run 1, undo 0, undo 1.
type state struct {
	now            int8
	table          item
	callers        [2]caller
	losses, deaths int8
	odd            int8            // how often a part may still say neither yes nor no
	begun, saved   [2 * steps]bool // a part was begun and isn't saved yet; it is saved
	broken         int8
}

type rules struct {
	name, breaks string
	no           bool // step 1 says no
	ahead        int8 // of the second caller's clock
	margin       int8
	versions     bool // a save expects the version that was read
	told         bool // a claim raises takeovers
	leases       bool // another's time is waited for
	ids          bool // a refused try is known by its id, else by the version
	halves       bool // work that may be half done isn't given back as if nothing were
	backwards    bool // the last step is undone first
}

const (
	fine = iota
	twoAtOnce
	untold
	twice
	disorder
	forgotten
)

var breaches = [...]string{"", "two are at it at once", "a part is run again, and isn't told", "a part is saved twice",
	"a part before its time", "a saved step is forgotten"}

func (r rules) start() state {
	return state{callers: [2]caller{{calls: 2}, {calls: 1}}, losses: 1, deaths: 1, odd: 1}
}

func (r rules) clock(s *state, p int) int8 {
	if p == 1 {
		return s.now + r.ahead
	}
	return s.now
}

func (r rules) fits(s *state, w *write) bool {
	if w.insert {
		return !s.table.there
	}
	return s.table.there && (!r.versions || s.table.version == w.becomes.version-1)
}

func (r rules) apply(s *state, w *write) bool {
	if !r.fits(s, w) {
		return false
	}
	if s.table.there && w.becomes.version <= s.table.version && w.becomes.step != s.table.step {
		s.broken = forgotten
	}
	if w.saves >= 0 {
		if s.saved[w.saves] && s.broken == fine {
			s.broken = twice
		}
		s.saved[w.saves], s.begun[w.saves] = true, false
	}
	s.table = w.becomes
	return true
}

func (r rules) send(s *state, p int, w write) {
	c := &s.callers[p]
	c.ids++
	w.on = true
	w.becomes.by = int8(p+1)*16 + c.ids
	c.out, c.at = w, sending
}

// One call: it looks, and inserts or claims.
func (r rules) begin(s state, p int, to func(step, state)) {
	t, who := s, int8(p)
	c := &t.callers[p]
	c.calls--
	clock := r.clock(&s, p)
	switch {
	case !s.table.there:
		r.send(&t, p, write{insert: true, saves: -1, becomes: item{there: true, until: clock + lease}})
		to(step{who, "begins it", -1}, t)
	case s.table.completed:
		to(step{who, "finds it at its end", -1}, t)
	case r.leases && s.table.until >= clock-r.margin:
		to(step{who, "finds another at it", -1}, t)
	default:
		next := s.table
		next.version++
		next.until = clock + lease
		if r.told {
			next.takeovers++
		}
		r.send(&t, p, write{saves: -1, becomes: next})
		to(step{who, "claims it", -1}, t)
	}
}

func (r rules) answered(t *state, p int, ok bool) {
	c := &t.callers[p]
	mine := ok
	if !ok && c.at == again {
		mine = t.table.there && t.table.by == c.out.becomes.by
		if !r.ids {
			mine = t.table.there && t.table.version == c.out.becomes.version
		}
	}
	c.it = c.out.becomes
	c.at = idle
	if mine && !c.it.completed && c.it.until != 0 {
		c.at = holding
	}
	c.out = write{}
}

func outcome(ok bool) string {
	if ok {
		return "request applied"
	}
	return "request refused"
}

func (r rules) request(s state, p int, to func(step, state)) {
	who := int8(p)
	t := s
	ok := r.apply(&t, &t.callers[p].out)
	u := t
	r.answered(&t, p, ok)
	to(step{who, outcome(ok), -1}, t)
	if s.losses == 0 || s.callers[p].at == again {
		return
	}
	u.losses--
	u.callers[p].at = again
	to(step{who, outcome(ok) + ", and the answer is lost", -1}, u)
	v := s
	v.losses--
	v.callers[p].late = v.callers[p].out
	v.callers[p].at = again
	to(step{who, "sends a request that is lost, or late", -1}, v)
}

func (r rules) part(i *item) int8 {
	if !i.undoing {
		return i.step
	}
	if r.backwards {
		return steps + i.step - 1
	}
	return steps // the first one first
}

// Whether all is done that must be before it.
func inOrder(s *state, part int8) bool {
	switch part {
	case 0:
		return true
	case 1:
		return s.saved[0]
	}
	return s.saved[part-steps] && (part == steps+1 || !s.saved[1] || s.saved[steps+1])
}

func (r rules) work(s state, p int, to func(step, state)) {
	who := int8(p)
	t := s
	c, other := &t.callers[p], &t.callers[1-p]
	if r.clock(&s, p) >= c.it.until {
		c.at = idle
		to(step{who, "comes too late for its step", -1}, t)
		return
	}
	c.part = r.part(&c.it)
	c.at = working
	switch {
	case other.at == working && r.clock(&s, 1-p) < other.it.until:
		t.broken = twoAtOnce
	case s.begun[c.part] && c.it.takeovers == 0:
		t.broken = untold
	case !inOrder(&s, c.part) || s.saved[c.part]:
		t.broken = disorder
	}
	t.begun[c.part] = true
	to(step{who, "begins part %d", c.part}, t)
}

// What the part's end makes of the item.
func (r rules) after(i item, clock int8) item {
	i.version++
	i.takeovers = 0
	i.until = clock + lease
	if i.undoing {
		i.step--
		i.completed = i.step == 0
	} else {
		i.step++
		i.completed = i.step == steps && !r.no
	}
	return i
}

func (r rules) ends(s state, p int, to func(step, state)) {
	who, clock, c := int8(p), r.clock(&s, p), s.callers[p]
	t := s
	done := r.after(c.it, clock)
	if r.no && !c.it.undoing && done.step == steps { // both are done, and what follows says no
		done.undoing = true
	}
	r.send(&t, p, write{saves: c.part, becomes: done})
	to(step{who, "ends part %d", c.part}, t)
	if s.odd == 0 {
		return
	}
	half := c.it
	half.version++
	half.until = 0
	if !r.halves {
		half.takeovers--
	}
	u := s
	u.odd--
	r.send(&u, p, write{saves: -1, becomes: half})
	to(step{who, "leaves part %d, which may be half done", c.part}, u)
	back := c.it
	back.version++
	back.until = 0
	back.takeovers--
	if c.it.takeovers > 0 { // an earlier one may have done it: that stays told
		return
	}
	v := s
	v.odd--
	v.begun[c.part] = false
	r.send(&v, p, write{saves: -1, becomes: back})
	to(step{who, "is told by part %d: not now", c.part}, v)
}

func (r rules) steps(s state, to func(step, state)) {
	if s.now < end {
		t := s
		t.now++
		to(step{-1, "a tick", -1}, t)
	}
	for p := range s.callers {
		c, who := s.callers[p], int8(p)
		switch c.at {
		case idle:
			if c.calls > 0 {
				r.begin(s, p, to)
			}
		case sending, again:
			r.request(s, p, to)
		case holding:
			r.work(s, p, to)
		case working:
			r.ends(s, p, to)
		}
		if c.late.on {
			t := s
			w := c.late
			t.callers[p].late = write{}
			ok := r.apply(&t, &w)
			to(step{who, "late: " + outcome(ok), -1}, t)
		}
		if c.at != idle && s.deaths > 0 {
			t := s
			t.deaths--
			if c.at != holding && c.at != working && c.out.on {
				t.callers[p].late = c.out
			}
			t.callers[p].at, t.callers[p].out = idle, write{}
			to(step{who, "dies", -1}, t)
		}
	}
}

func all() []rules {
	mended := rules{versions: true, told: true, leases: true, ids: true, halves: true, backwards: true, margin: 1, ahead: 1}
	named := func(name string, breaks int, change func(*rules)) rules {
		r := mended
		r.name, r.breaks = name, breaches[breaks]
		change(&r)
		return r
	}
	return []rules{
		named("a save that expects no version", forgotten, func(r *rules) { r.versions = false }),
		named("a claim that isn't told", untold, func(r *rules) { r.told = false }),
		named("a claim that waits for no lease", twoAtOnce, func(r *rules) { r.leases = false }),
		named("a claim without a margin for clocks", twoAtOnce, func(r *rules) { r.margin, r.ahead = 0, 2 }),
		named("a refused claim that is known by its version", twoAtOnce, func(r *rules) { r.ids = false }),
		named("half-done work given back as if nothing were done", untold, func(r *rules) { r.halves = false }),
		named("the first step undone first", disorder, func(r *rules) { r.no, r.backwards = true, false }),
		named("saga run MENDED", fine, func(r *rules) {}),
		named("saga run MENDED, undone", fine, func(r *rules) { r.no = true }),
		named("saga run MENDED, undone, clocks the other way", fine, func(r *rules) { r.no, r.ahead = true, -1 }),
	}
}
