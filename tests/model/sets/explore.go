// The rules of store/sets.h and store/pkv.h, explored state by state, breadth first: each breach comes with a shortest trace.
package main

import (
	"fmt"
	"os"
	"strings"
)

// A step of a model leads from one state to another; states are comparable values.
type rules[S comparable] struct {
	name   string
	breaks string // what must be found; "": nothing may be
	start  S
	steps  func(s S, to func(step string, next S))
	wrong  func(s S) string // "" or what is broken
}

type model interface {
	title() string
	run(traces bool) bool
}

type arrival[S comparable] struct {
	from S
	step string
}

func (m rules[S]) title() string { return m.name }

func (m rules[S]) run(traces bool) bool {
	seen := map[S]arrival[S]{m.start: {}}
	found, level := "", []S{m.start}
	var at S
	for len(level) > 0 && found == "" {
		var next []S
		for _, s := range level {
			if found = m.wrong(s); found != "" {
				at = s
				break
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
	verdict := "clean"
	if found != "" {
		verdict = "BROKEN: " + found
	}
	if found != m.breaks {
		verdict += "   <-- NOT AS EXPECTED"
	}
	fmt.Printf("%-72s %8d  %s\n", m.name, len(seen), verdict)
	if traces && found != "" {
		var lines []string
		for s := at; s != m.start; s = seen[s].from {
			lines = append([]string{"      " + seen[s].step}, lines...)
		}
		fmt.Println(strings.Join(lines, "\n"))
	}
	return found == m.breaks
}

func main() {
	only, wrong := "", 0
	if len(os.Args) > 1 {
		only = os.Args[1]
	}
	models := append(setModels(), claimModels()...)
	for _, m := range models {
		if strings.Contains(m.title(), only) && !m.run(only != "") {
			wrong++
		}
	}
	fmt.Printf("%d models, %d not as expected\n", len(models), wrong)
	if wrong > 0 {
		os.Exit(1)
	}
}
