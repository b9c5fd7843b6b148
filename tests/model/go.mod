module latch/model

go 1.24
