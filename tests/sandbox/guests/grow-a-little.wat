;; Takes 8 pages beyond its 2 and uses the last byte.
(func (export "run") (param i32 i32) (result i32)
    (drop (memory.grow (i32.const 8)))
    (i32.store8 (i32.const 655359) (i32.const 1))
    (i32.const 1024))
