;; Works a little when it starts.
(global $n (mut i32) (i32.const 0))
(func $start (loop $again (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (br_if $again (i32.lt_u (global.get $n) (i32.const 1000)))))
(start $start)
(func (export "run") (param i32 i32) (result i32) (i32.const 1024))
