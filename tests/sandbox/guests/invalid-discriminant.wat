;; Returns an outcome that the type does not have.
(func (export "run") (param i32 i32) (result i32) (i32.store8 (i32.const 1032) (i32.const 77)) (i32.const 1024))
