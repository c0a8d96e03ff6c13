;; Three memories of 16 MiB: each is under a limit of 32 MiB, together they are not.
(memory 256) (memory 256) (memory 256)
(func (export "run") (param i32 i32) (result i32) (i32.const 1024))
