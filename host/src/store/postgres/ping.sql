-- $1 the message. Proof for a listener that its line works.
select pg_notify('flowmonkey', $1)
