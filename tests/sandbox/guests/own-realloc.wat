;; Hands out the same place every time: enough for one input.
(func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
(func (export "run") (param i32 i32) (result i32) (i32.const 1024))
