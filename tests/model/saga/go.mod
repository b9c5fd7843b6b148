module sagamodel

go 1.24
