// The rules of store/adaptive.h, and of several taken at once in store/rate.h, explored state by state, breadth first: each breach comes with
// a shortest trace.
package main

import "latch/model/explore"

func main() { explore.Main(append(adaptiveModels(), severalModels()...)...) }
