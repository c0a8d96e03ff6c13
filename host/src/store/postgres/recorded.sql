-- Arrays of one length: $1 job ids, $2 instance ids, $3 outcomes; one row a place, in their order: whether
-- the recording stands, from a call whose commit this one's statement could not see yet.
select coalesce(job.history @> jsonb_build_array(jsonb_build_object(
    'instance_id', recording.instance_id, 'outcome', recording.outcome)), false) as written
from unnest($1::text[], $2::text[], $3::text[]) with ordinality
    as recording (job_id, instance_id, outcome, place)
left join fm_jobs as job on job.id = recording.job_id
order by recording.place
