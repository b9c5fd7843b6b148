// Package explore walks a model's states, breadth first: each breach comes with a shortest trace.
package explore

import (
	"fmt"
	"hash/maphash"
	"os"
	"sort"
	"strings"
)

// Rules are one model. A state is a comparable value; a step has words and the state behind it.
type Rules[S comparable] struct {
	Name   string
	Breaks string // what must be found, the walk ends there; "": nothing may be
	Start  S
	Steps  func(s S, to func(step string, next S))
	Wrong  func(s S) string // "" or what is broken: nothing follows from such a state
}

// Model is what Main runs: Rules of any state.
type Model interface {
	title() string
	run(traces bool) bool
}

func (m Rules[S]) title() string { return m.Name }

type arrival struct {
	from int32 // -1: the start
	step string
}

// States are known by a hash of 64 bits: of ten million, two share one in fewer than one walk in a hundred thousand.
type walk[S comparable] struct {
	seed  maphash.Seed
	seen  map[uint64]bool
	came  []arrival
	found map[string]int32 // what is broken, and where first
	level []place[S]
}

type place[S comparable] struct {
	s  S
	at int32
}

func (w *walk[S]) arrive(s S, from int32, step string) {
	hash := maphash.Comparable(w.seed, s)
	if w.seen[hash] {
		return
	}
	w.seen[hash] = true
	w.came = append(w.came, arrival{from, step})
	w.level = append(w.level, place[S]{s, int32(len(w.came) - 1)})
}

func (m Rules[S]) walk() *walk[S] {
	w := &walk[S]{seed: maphash.MakeSeed(), seen: map[uint64]bool{}, found: map[string]int32{}}
	w.arrive(m.Start, -1, "")
	for len(w.level) > 0 {
		now := w.level
		w.level = nil
		for _, p := range now {
			if what := m.Wrong(p.s); what != "" {
				if _, known := w.found[what]; !known {
					w.found[what] = p.at
				}
				continue
			}
			m.Steps(p.s, func(step string, next S) { w.arrive(next, p.at, step) })
		}
		if _, enough := w.found[m.Breaks]; enough {
			break
		}
	}
	return w
}

func (w *walk[S]) trace(at int32) string {
	var lines []string
	for ; w.came[at].from >= 0; at = w.came[at].from {
		lines = append([]string{"      " + w.came[at].step}, lines...)
	}
	return strings.Join(lines, "\n")
}

func (m Rules[S]) run(traces bool) bool {
	w := m.walk()
	var broken []string
	for what := range w.found {
		broken = append(broken, what)
	}
	sort.Strings(broken)
	_, expected := w.found[m.Breaks]
	ok := expected || (m.Breaks == "" && len(broken) == 0)
	verdict := "clean"
	if len(broken) > 0 {
		verdict = "BROKEN: " + strings.Join(broken, "; ")
	}
	if !ok {
		verdict += "   <-- NOT AS EXPECTED"
	}
	fmt.Printf("%-74s %9d  %s\n", m.Name, len(w.came), verdict)
	for _, what := range broken {
		if traces || !ok {
			fmt.Println(w.trace(w.found[what]))
		}
	}
	return ok
}

// Main runs the models whose name has the command's argument, with traces; without one, all of them. The process ends with 1 where one isn't as expected.
func Main(models ...Model) {
	only, count, wrong := "", 0, 0
	if len(os.Args) > 1 {
		only = os.Args[1]
	}
	for _, m := range models {
		if !strings.Contains(m.title(), only) {
			continue
		}
		count++
		if !m.run(only != "") {
			wrong++
		}
	}
	fmt.Printf("%d models, %d not as expected\n", count, wrong)
	if wrong > 0 || count == 0 {
		os.Exit(1)
	}
}
