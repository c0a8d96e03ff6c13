;; Gives up in a function with a name.
(func $gives_up (unreachable))
(func (export "run") (param i32 i32) (result i32) (call $gives_up) (i32.const 1024))
