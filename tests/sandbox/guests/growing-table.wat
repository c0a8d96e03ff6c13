;; Grows two tables, each under the limit, until their sum is not.
(table $a 1 funcref) (table $b 1 funcref)
(func (export "run") (param i32 i32) (result i32)
    (drop (table.grow $a (ref.null func) (i32.const 60000)))
    (drop (table.grow $b (ref.null func) (i32.const 60000)))
    (i32.const 1024))
