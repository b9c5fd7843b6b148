// The rules of store/adaptive.h, and of several taken at once in store/rate.h, explored state by state, breadth first: each breach comes with
// a shortest trace.
package main

import (
	"fmt"
	"hash/maphash"
	"os"
	"strings"
)

// A state is a comparable value; `wrong` says what is broken in it.
type rules[S comparable] struct {
	name   string
	breaks string // what must be found; "": nothing may be
	start  S
	steps  func(s S, to func(step string, next S))
	wrong  func(s S) string
}

type model interface {
	title() string
	run(traces bool) bool
}

type arrival struct {
	from int32
	step string
}

func (m rules[S]) title() string { return m.name }

func (m rules[S]) run(traces bool) bool {
	type node struct {
		s  S
		at int32
	}
	seed := maphash.MakeSeed()
	seen := map[uint64]bool{maphash.Comparable(seed, m.start): true}
	came := []arrival{{-1, ""}}
	level := []node{{m.start, 0}}
	found, at := "", int32(0)
	for len(level) > 0 && found == "" {
		var next []node
		for _, n := range level {
			if found = m.wrong(n.s); found != "" {
				at = n.at
				break
			}
			m.steps(n.s, func(step string, t S) {
				h := maphash.Comparable(seed, t)
				if seen[h] {
					return
				}
				seen[h] = true
				came = append(came, arrival{n.at, step})
				next = append(next, node{t, int32(len(came) - 1)})
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
	fmt.Printf("%-74s %9d  %s\n", m.name, len(came), verdict)
	if traces && found != "" {
		var lines []string
		for ; at > 0; at = came[at].from {
			lines = append([]string{"      " + came[at].step}, lines...)
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
	models := append(adaptiveModels(), severalModels()...)
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
