;; The twin of `fill-table`: gives up if any element of a new table is not null.
(table $seen (export "seen") 60001 funcref)
(func (export "run") (param i32 i32) (result i32) (local $at i32)
    (loop $again
        (if (i32.eqz (ref.is_null (table.get $seen (local.get $at)))) (then (unreachable)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $at) (i32.const 60001))))
    (i32.const 1024))
