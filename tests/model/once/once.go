package main

// The record: in progress until Dl (0: given back or abandoned), or completed until Exp. At names one completion, as doneAt does.
type record struct {
	Ex                        bool
	St, Id, Dl, Exp, Take, At int8
	Counts                    bool // it has takeovers: a claim of another library drops them
}

// Two workers, and one who clears or marks. Seen is what the latter read.
type worker struct{ Pc, Try, Id, Cnt, Off, T0, Nw, Told int8 }
type state struct {
	T, Losses int8
	It        record
	P         [3]worker
	Seen      record
	Net       [4]Req
	Dirty     bool // something that was started was neither completed, nor given back, nor cleared
	DirtyId   int8
	Done      uint32 // by whom it was completed
	Deleted   bool   // with the record went who had claimed it: a try that comes late is in progress again, until its time is over
	Broken    uint16
}

const (
	inProgress, completed = 1, 2

	claims, completes, gives, abandons, reads, clears, marks, foreignClaims = 0, 1, 2, 3, 4, 5, 6, 7

	idle, claiming, working, completing, settling, reading, clearing, marking = 0, 1, 2, 3, 4, 5, 6, 7
)

var breaches = []string{"two live owners", "started again, not told", "cleared a live claim", "cleared what was not seen",
	"marked over a live claim", "a mark was reported, never applied", "restarted while a completion was alive", "a finished claim is pending again"}

type rules struct {
	clearsByOwner bool // the deletion looks at the owner alone
	clearsLive    bool // without looking whether one is at it
	clearsBlindly bool // without a condition
	givesBack     bool // what was abandoned is given back, as if it had never been
	marksBlindly  bool
	marks         bool // the third marks; else it clears
	foreign       bool // the second worker is another library's: its claims put whole items, without an owner's id that is looked at
	forgets       bool // a record in progress without a count is told as 0
	alone         bool // one worker and the third; else two workers
	calls, losses int8
	tmax          int8
}

const skew, lease, kept, late = 1, 1, 9, 2

func (s *state) breach(i int) { s.Broken |= 1 << i }

func free(it *record, id, now int8) bool {
	over := it.Ex && (it.St == completed && it.Exp < now || it.St == inProgress && it.Dl < now-skew)
	return (!it.Ex || over) && !(it.Ex && it.Id == id)
}

func (r rules) claim(s *state, q *Req, foreign bool) {
	it, id, now := &s.It, q.A[0], q.A[1]
	q.Ok = free(it, id, now)
	if foreign { // by its own clock, and no margin: expiry or the end of the time in progress
		q.Ok = !it.Ex || it.St == completed && it.Exp < now || it.St == inProgress && it.Dl < now
	}
	if !q.Ok {
		q.R = [4]int8{it.Id, it.St, it.Take, it.Dl}
		return
	}
	if it.Ex && it.St == completed && it.Exp >= s.T+skew {
		s.breach(6)
	}
	told, take := int8(0), int8(0)
	if it.Ex && it.St == inProgress {
		told = it.Take + 1
		if it.Counts {
			take = it.Take + 1
		}
		if !it.Counts {
			told = 1
			if r.forgets {
				told = 0
			}
		}
	}
	q.R = [4]int8{id, inProgress, told, 0}
	if s.Dirty && told <= 0 && s.DirtyId != id && !foreign {
		s.breach(1)
	}
	*it = record{Ex: true, St: inProgress, Id: id, Dl: now + lease, Exp: now + kept, Take: take, Counts: !foreign}
	s.Dirty, s.DirtyId = true, id
}

func (r rules) settle(s *state, q *Req) {
	it := &s.It
	q.Ok = it.Ex && it.Id == q.A[0] && it.St == inProgress && it.Dl > 0
	if q.P == 1 && r.foreign { // completes and deletes without looking
		q.Ok = true
	}
	q.R = [4]int8{it.Id, it.St, 0, 0}
	if !q.Ok {
		return
	}
	switch {
	case q.Op == completes:
		it.Ex, it.St, it.Exp, it.At, it.Take, it.Counts = true, completed, q.A[1]+kept, q.A[0], 0, false
		s.Done |= 1 << q.A[0]
		s.Dirty = false
	case q.P == 1 && r.foreign:
		*it = record{}
		s.Deleted = true
		s.Dirty = false // it says that nothing was done
	case q.Op == gives || r.givesBack:
		it.Dl, it.Take, it.Counts = 0, q.A[2]-1, true
		if q.Op == gives && q.A[2] <= 0 {
			s.Dirty = false
		}
	default:
		it.Dl = 0
		it.Take, it.Counts = q.A[2], true
	}
}

func (r rules) clear(s *state, q *Req) {
	it := &s.It
	same := it.Ex && it.Id == q.A[0] && it.St == q.A[1] && (it.St == completed && it.At == q.A[2] || it.St == inProgress && it.Dl == q.A[2])
	q.Ok = same
	if r.clearsByOwner {
		q.Ok = it.Ex && it.Id == q.A[0]
	}
	if r.clearsBlindly {
		q.Ok = it.Ex
	}
	if !it.Ex || !q.Ok {
		return
	}
	if !same {
		s.breach(3)
	}
	if it.St == inProgress && it.Dl > 0 && it.Dl >= s.T {
		s.breach(2)
	}
	*it = record{}
	s.Dirty, s.Deleted = false, true
}

func (r rules) mark(s *state, q *Req) {
	it, id, now := &s.It, q.A[0], q.A[1]
	q.Ok = free(it, id, now) || r.marksBlindly
	q.R = [4]int8{it.Id, it.St, 0, 0}
	if !q.Ok {
		return
	}
	if it.Ex && it.St == inProgress && it.Dl > 0 && it.Dl >= s.T {
		s.breach(4)
	}
	*it = record{Ex: true, St: completed, Id: id, Exp: now + kept, At: id}
	s.Done |= 1 << id
	s.Dirty = false
}

func (r rules) apply(s *state, q *Req) {
	switch q.Op {
	case claims:
		r.claim(s, q, q.P == 1 && r.foreign)
	case completes, gives, abandons:
		r.settle(s, q)
	case reads:
		q.Ok = true
		s.Seen = s.It
	case clears:
		r.clear(s, q)
	case marks:
		r.mark(s, q)
	}
}

func send(s *state, p, op int8) {
	w := &s.P[p]
	a := [6]int8{w.Id, w.Nw, w.Told}
	switch op {
	case completes:
		a[1] = s.T + w.Off
	case clears:
		a = [6]int8{s.Seen.Id, s.Seen.St, s.Seen.At}
		if s.Seen.St == inProgress {
			a[2] = s.Seen.Dl
		}
	}
	Send(s.Net[:], Req{P: p, Op: op, Sent: s.T, A: a})
}

func rest(w *worker) { *w = worker{Cnt: w.Cnt, Off: w.Off} }

func (r rules) deliver(s *state, q Req) {
	w := &s.P[q.P]
	w.Try = 0
	switch q.Op {
	case claims:
		ours := q.R[0] == q.A[0] && q.R[1] == inProgress && q.R[3] > 0
		if q.P == 1 && r.foreign {
			ours = false
		}
		if !q.Ok && !ours {
			rest(w)
			return
		}
		w.Pc, w.Told = working, q.R[2]
		if !q.Ok && r.foreign && w.Told <= 0 {
			w.Told = 1 // whom it took over from came with the answer that was lost
		}
	case reads:
		live := s.Seen.Ex && s.Seen.St == inProgress && s.Seen.Dl >= w.Nw-skew
		if !s.Seen.Ex || live && !r.clearsLive {
			rest(w)
			return
		}
		w.Pc = clearing
		send(s, q.P, clears)
	case marks:
		if (q.Ok || q.R[0] == q.A[0]) && s.Done&(1<<q.A[0]) == 0 {
			s.breach(5)
		}
		rest(w)
	default:
		rest(w)
	}
}

func (r rules) timeout(s *state, q Req) {
	w := &s.P[q.P]
	if w.Try == 0 && q.Op != reads {
		w.Try = 1
		Send(s.Net[:], Req{P: q.P, Op: q.Op, Sent: s.T, A: q.A})
		return
	}
	rest(w)
}

func (r rules) work(s *state, p int8, emit func(L, state)) {
	for op, what := range map[int8]string{completes: "has done it", gives: "says no", abandons: "fails"} {
		t := *s
		t.P[p].Pc, t.P[p].Try = settling, 0
		if op == completes {
			t.P[p].Pc = completing
		}
		send(&t, p, op)
		emit(L{what, p, 0, 0}, t)
	}
	t := *s
	rest(&t.P[p])
	t.P[p].Cnt = r.calls
	emit(L{"dies", p, 0, 0}, t)
}

func (r rules) begin(s *state, p int8, emit func(L, state)) {
	t := *s
	w := &t.P[p]
	w.Cnt++
	w.Id, w.T0, w.Nw, w.Pc = p*8+w.Cnt, s.T, s.T+w.Off, claiming
	op := int8(claims)
	if p == 2 {
		op, w.Pc = reads, reading
		if r.marks {
			op, w.Pc = marks, marking
		}
	}
	send(&t, p, op)
	emit(L{"calls", p, 0, 0}, t)
}

func (r rules) steps(s *state, emit func(L, state)) {
	if s.T < r.tmax {
		t := *s
		t.T++
		emit(L{"time %x", -1, t.T, 0}, t)
	}
	if s.It.Ex && s.T > s.It.Exp {
		t := *s
		t.It, t.Dirty = record{}, false // the record has ended: so has the promise
		emit(L{"TTL deletes the record", -1, 0, 0}, t)
	}
	for p := int8(0); p < 3; p++ {
		calls := r.calls
		if p == 2 {
			calls = 1
		}
		if p == 1 && r.alone || p == 2 && !r.alone {
			calls = 0
		}
		if s.P[p].Pc == idle && s.P[p].Cnt < calls {
			r.begin(s, p, emit)
		}
		if s.P[p].Pc == working {
			r.work(s, p, emit)
		}
	}
}

func (r rules) bad(s *state) string {
	live := 0
	for p := 0; p < 2; p++ {
		if s.P[p].Pc == working && s.T-s.P[p].T0 < lease {
			live++
		}
	}
	if live > 1 && !r.foreign { // another library's completes and deletes without looking: what follows is its own
		s.breach(0)
	}
	for i, b := range breaches {
		if s.Broken&(1<<i) != 0 {
			return b
		}
	}
	if s.It.Ex && s.It.St == inProgress && s.Done&(1<<s.It.Id) != 0 && !s.Deleted {
		return breaches[7]
	}
	return ""
}

func (r rules) model(name, breaks string) Model[state] {
	net := Net[state]{N: func(s *state) []Req { return s.Net[:] }, T: func(s *state) int8 { return s.T }, ZD: late,
		B:     func(s *state) *int8 { return &s.Losses },
		Names: []string{"claim", "complete", "give back", "abandon", "read", "clear", "mark", ""},
		Apply: r.apply, Deliver: r.deliver, Timeout: r.timeout}
	var start []state
	for _, off := range []int8{-1, 1} {
		s := state{T: 3, Losses: r.losses}
		s.P[1].Off = off
		start = append(start, s)
	}
	return Model[state]{Name: name, Expect: breaks, Init: start, Bad: r.bad, Next: func(s *state, emit func(L, state)) {
		net.Steps(s, emit)
		r.steps(s, emit)
	}}
}

func onceModels() []Model[state] {
	base := rules{alone: true, calls: 2, losses: 1, tmax: 7}
	with := func(f func(*rules)) rules { r := base; f(&r); return r }
	mark := with(func(r *rules) { r.marks = true })
	pair := with(func(r *rules) { r.alone, r.calls = false, 1 })
	pairWith := func(f func(*rules)) rules { r := pair; f(&r); return r }
	quiet := func(r rules) rules { r.calls, r.losses, r.tmax = 2, 0, 8; return r }
	return []Model[state]{
		base.model("cleared as it was read", ""),
		with(func(r *rules) { r.clearsByOwner = true }).model("cleared by its owner's id alone", breaches[3]),
		with(func(r *rules) { r.clearsBlindly = true }).model("cleared without a condition", breaches[3]),
		with(func(r *rules) { r.clearsLive = true }).model("cleared while one is at it", breaches[2]),
		mark.model("marked where it is free", ""),
		with(func(r *rules) { r.marks, r.marksBlindly = true, true }).model("marked without a condition", breaches[4]),
		pair.model("abandoned, and told", ""),
		quiet(pair).model("abandoned, and told, two calls each", ""),
		quiet(pairWith(func(r *rules) { r.givesBack = true })).model("abandoned as if it had never been", breaches[1]),
		pairWith(func(r *rules) { r.foreign = true }).model("beside a library that drops the count", ""),
		quiet(pairWith(func(r *rules) { r.foreign, r.forgets = true, true })).model("a dropped count is none", breaches[1]),
	}
}
