module oncemodel

go 1.24
