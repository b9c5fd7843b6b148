// The rules of store/sets.h and store/pkv.h, explored state by state, breadth first: each breach comes with a shortest trace.
package main

import "latch/model/explore"

func main() { explore.Main(append(setModels(), claimModels()...)...) }
