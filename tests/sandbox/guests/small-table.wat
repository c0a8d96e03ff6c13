;; A table that grows a little.
(table $a 1 funcref)
(func (export "run") (param i32 i32) (result i32)
    (drop (table.grow $a (ref.null func) (i32.const 1000)))
    (i32.const 1024))
