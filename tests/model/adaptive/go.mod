module latch/model/adaptive

go 1.24
