;; As many memories as the pool gives one component, all used.
(memory $b 1) (memory $c 1) (memory $d 1)
(func (export "run") (param i32 i32) (result i32)
    (i32.store $b (i32.const 0) (i32.const 1)) (i32.store $c (i32.const 0) (i32.const 1))
    (i32.store $d (i32.const 0) (i32.const 1)) (i32.const 1024))
