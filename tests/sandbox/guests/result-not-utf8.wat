;; Returns a string of one byte, 0xff.
(data (memory $memory) (i32.const 2048) "\ff")
(func (export "run") (param i32 i32) (result i32)
    (i32.store8 (i32.const 1040) (i32.const 1))
    (i32.store (i32.const 1044) (i32.const 2048))
    (i32.store (i32.const 1048) (i32.const 1))
    (i32.const 1024))
