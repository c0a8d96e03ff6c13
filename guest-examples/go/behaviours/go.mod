module handlers/behaviours

go 1.24

require flowmonkey v0.0.0

replace flowmonkey => ../flowmonkey
