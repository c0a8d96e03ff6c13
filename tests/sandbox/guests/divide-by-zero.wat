;; Divides by zero.
(func $divides (param i32 i32) (result i32) (i32.div_u (local.get 0) (local.get 1)))
(func (export "run") (param i32 i32) (result i32) (call $divides (i32.const 1) (i32.const 0)))
