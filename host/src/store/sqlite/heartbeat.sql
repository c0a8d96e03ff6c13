-- ?1 leases as a JSON array of [job id, instance id]
update fm_jobs
set heartbeat_at = (select now from fm_clock)
where status = 'running' and (id, instance_id) in
    (select value ->> 0, value ->> 1 from json_each(?1))
