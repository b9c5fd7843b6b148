// The rules of store/once.h beyond claiming and completing: work that is abandoned, records that are marked and cleared by somebody else, tables
// in which other libraries' claims drop the count of takeovers.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	only := ""
	if len(os.Args) > 1 {
		only = os.Args[1]
	}
	wrong, total := 0, 0
	for _, m := range onceModels() {
		if !strings.Contains(m.Name, only) {
			continue
		}
		began := time.Now()
		got := m.Run()
		total += got.States
		verdict := "clean"
		if len(got.Bad) > 0 {
			verdict = "breaks: " + strings.Join(keys(got.Bad), "; ")
		}
		as := got.Complete && len(got.Bad) == 0
		if m.Expect != "" {
			_, as = got.Bad[m.Expect]
		}
		if !as {
			verdict += "   NOT AS EXPECTED: " + m.Expect
			wrong++
		}
		fmt.Printf("%-58s %9d states  %s  [%.1f s]\n", m.Name, got.States, verdict, time.Since(began).Seconds())
		if only == "" && as {
			continue
		}
		for _, bad := range keys(got.Bad) {
			fmt.Printf("    %s\n      %s\n", bad, strings.Join(got.Bad[bad], "\n      "))
		}
	}
	fmt.Printf("%d states, %d models not as expected\n", total, wrong)
	if wrong > 0 {
		os.Exit(1)
	}
}
