;; Returns an address beyond its memory.
(func (export "run") (param i32 i32) (result i32) (i32.const 0x10000000))
