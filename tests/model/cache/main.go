// The rules of store/cache.h, explored state by state, breadth first: each breach comes with a shortest trace.
package main

import "latch/model/explore"

func main() { explore.Main(append(append(loadModels(), tagModels()...), frontModels()...)...) }
