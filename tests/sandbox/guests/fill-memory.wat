;; Fills 64 MiB over and over: one instruction that no epoch check interrupts.
(func (export "run") (param i32 i32) (result i32)
    (drop (memory.grow (i32.const 1022)))
    (loop $again (memory.fill (i32.const 65536) (i32.const 7) (i32.const 67043328)) (br $again))
    (unreachable))
