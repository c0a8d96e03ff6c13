;; Counts its runs in a global and in memory, and fails if it is not the first.
(global $runs (mut i32) (i32.const 0))
(func (export "run") (param i32 i32) (result i32)
    (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
    (i32.store (i32.const 4096) (i32.add (i32.load (i32.const 4096)) (i32.const 1)))
    (if (i32.or (i32.ne (global.get $runs) (i32.const 1)) (i32.ne (i32.load (i32.const 4096)) (i32.const 1)))
        (then (unreachable)))
    (i32.const 1024))
