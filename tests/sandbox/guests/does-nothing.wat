;; Succeeds at once: the twin of most others.
(func (export "run") (param i32 i32) (result i32) (i32.const 1024))
