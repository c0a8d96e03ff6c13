;; A table of a billion elements from the start.
(table 1000000000 funcref)
(func (export "run") (param i32 i32) (result i32) (i32.const 1024))
