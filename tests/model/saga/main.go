// The rules of store/saga_run.h, explored state by state, breadth first: two callers, one saga of two steps, clocks that differ, requests that
// are lost or come late, callers that freeze (whoever isn't scheduled) and die.
package main

import (
	"fmt"
	"os"
	"strings"
)

// Who did what: put into words only where a trace is printed.
type step struct {
	who  int8 // -1: nobody
	what string
	part int8 // -1: none
}

func (s step) String() string {
	text := s.what
	if s.part >= 0 {
		text = fmt.Sprintf(s.what, s.part)
	}
	if s.who >= 0 {
		text = string(rune('A'+s.who)) + " " + text
	}
	return text
}

type arrival struct {
	from int32
	by   step
}

// All states that can be reached, or those up to the breach that must be there; the first of each kind, with its steps.
func explore(r rules) (int, map[string][]string) {
	start := r.start()
	seen, arrivals, states, found := map[state]bool{start: true}, []arrival{{from: -1}}, []state{start}, map[string][]string{}
	for at := 0; at < len(states) && (r.breaks == "" || found[r.breaks] == nil); at++ {
		s := states[at]
		if s.broken != fine {
			if found[breaches[s.broken]] == nil {
				found[breaches[s.broken]] = trace(arrivals, int32(at))
			}
			continue
		}
		r.steps(s, func(by step, t state) {
			if !seen[t] {
				seen[t] = true
				states = append(states, t)
				arrivals = append(arrivals, arrival{int32(at), by})
			}
		})
	}
	return len(states), found
}

func trace(arrivals []arrival, at int32) []string {
	var steps []string
	for ; arrivals[at].from >= 0; at = arrivals[at].from {
		steps = append([]string{arrivals[at].by.String()}, steps...)
	}
	return steps
}

func (r rules) check(traces bool) bool {
	count, found := explore(r)
	ok := (r.breaks == "" && len(found) == 0) || (r.breaks != "" && found[r.breaks] != nil)
	var broken []string
	for what := range found {
		broken = append(broken, what)
	}
	verdict := "clean"
	if len(broken) > 0 {
		verdict = "BROKEN: " + strings.Join(broken, "; ")
	}
	if !ok {
		verdict += "   <-- NOT AS EXPECTED"
	}
	fmt.Printf("%-62s %9d  %s\n", r.name, count, verdict)
	for _, steps := range found {
		if traces || !ok {
			fmt.Println("      " + strings.Join(steps, "\n      "))
		}
	}
	return ok
}

func main() {
	failed, count := 0, 0
	for _, r := range all() {
		if len(os.Args) > 1 && !strings.Contains(r.name, os.Args[1]) {
			continue
		}
		count++
		if !r.check(len(os.Args) > 1) {
			failed++
		}
	}
	fmt.Printf("%d models, %d not as expected\n", count, failed)
	if failed > 0 || count == 0 {
		os.Exit(1)
	}
}
