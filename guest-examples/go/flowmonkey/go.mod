module flowmonkey

go 1.24
