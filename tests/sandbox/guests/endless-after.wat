;; Returns, and never ends tidying up.
(func $tidies (export "after") (param i32) (loop $again (br $again)))
(func (export "run") (param i32 i32) (result i32) (i32.const 1024))
