;; Fills a table with references to its own functions, and keeps it.
(table $seen (export "seen") 1 funcref)
(elem declare func $me)
(func $me (export "run") (param i32 i32) (result i32)
    (drop (table.grow $seen (ref.func $me) (i32.const 60000)))
    (table.set $seen (i32.const 0) (ref.func $me))
    (i32.const 1024))
