;; Returns all the memory it can have as one string.
(func (export "run") (param i32 i32) (result i32)
    (drop (memory.grow (i32.const 254)))
    (i32.store8 (i32.const 1040) (i32.const 1))
    (i32.store (i32.const 1044) (i32.const 65536))
    (i32.store (i32.const 1048) (i32.const 16000000))
    (i32.const 1024))
