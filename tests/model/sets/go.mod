module latch/model/sets

go 1.24
