;; Calls itself a thousand times.
(func $deeper (param i64) (result i64)
    (if (result i64) (i64.eqz (local.get 0)) (then (i64.const 0))
        (else (i64.add (i64.const 1) (call $deeper (i64.sub (local.get 0) (i64.const 1)))))))
(func (export "run") (param i32 i32) (result i32) (drop (call $deeper (i64.const 1000))) (i32.const 1024))
