;; Asks for 2 GiB in one go.
(func (export "run") (param i32 i32) (result i32) (drop (memory.grow (i32.const 32768))) (i32.const 1024))
