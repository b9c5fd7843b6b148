// The rules of store/cache.h, explored state by state, breadth first: each breach comes with a shortest trace.
package main

import (
	"fmt"
	"os"
	"strings"
)

// A model's state is a comparable value; a step has a name and the state behind it.
type model interface {
	run(traces bool) bool
	title() string
}

type rules[S comparable] struct {
	name   string
	breaks string // what must be found; "": nothing may be
	start  S
	steps  func(s S, to func(step string, next S))
	wrong  func(s S) string // "" or what is broken
}

func (m rules[S]) title() string { return m.name }

type arrival[S comparable] struct {
	from S
	step string
}

func (m rules[S]) run(traces bool) bool {
	seen := map[S]arrival[S]{m.start: {}}
	level, found := []S{m.start}, map[string][]string{}
	for len(level) > 0 {
		var next []S
		for _, s := range level {
			if what := m.wrong(s); what != "" {
				if found[what] == nil {
					found[what] = m.trace(seen, s)
				}
				continue
			}
			m.steps(s, func(step string, t S) {
				if _, known := seen[t]; !known {
					seen[t] = arrival[S]{s, step}
					next = append(next, t)
				}
			})
		}
		level = next
	}
	ok := (m.breaks == "" && len(found) == 0) || (m.breaks != "" && found[m.breaks] != nil)
	verdict := "clean"
	for what := range found {
		verdict = "BROKEN: " + what
	}
	if !ok {
		verdict += "   <-- NOT AS EXPECTED"
	}
	fmt.Printf("%-66s %8d  %s\n", m.name, len(seen), verdict)
	if traces || !ok {
		for _, steps := range found {
			fmt.Println("      " + strings.Join(steps, "\n      "))
		}
	}
	return ok
}

func (m rules[S]) trace(seen map[S]arrival[S], s S) []string {
	var steps []string
	for s != m.start {
		a := seen[s]
		steps = append([]string{a.step}, steps...)
		s = a.from
	}
	return steps
}

func main() {
	failed, count := 0, 0
	for _, models := range [][]model{loadModels(), tagModels(), frontModels()} {
		for _, m := range models {
			if len(os.Args) > 1 && !strings.Contains(m.title(), os.Args[1]) {
				continue
			}
			count++
			if !m.run(len(os.Args) > 1) {
				failed++
			}
		}
	}
	fmt.Printf("%d models, %d not as expected\n", count, failed)
	if failed > 0 || count == 0 {
		os.Exit(1)
	}
}
