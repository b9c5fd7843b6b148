module cachemodel

go 1.24
