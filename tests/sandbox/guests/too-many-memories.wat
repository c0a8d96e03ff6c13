;; More memories than the pool gives one component.
(memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1)
(func (export "run") (param i32 i32) (result i32) (i32.const 1024))
