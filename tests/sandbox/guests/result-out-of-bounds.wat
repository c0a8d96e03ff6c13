;; Returns a string that lies beyond its memory.
(func (export "run") (param i32 i32) (result i32)
    (i32.store8 (i32.const 1040) (i32.const 1))
    (i32.store (i32.const 1044) (i32.const 0x10000000))
    (i32.store (i32.const 1048) (i32.const 100))
    (i32.const 1024))
