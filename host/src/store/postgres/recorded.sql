-- Arrays of one length: $1 job ids, $2 instance ids, $3 outcomes. Returns the places of those that stand: a
-- recording that finds itself in the history was written by an earlier call whose answer got lost, or whose
-- commit a later call's statement could not see yet.
select recording.place
from unnest($1::text[], $2::text[], $3::text[]) with ordinality
    as recording (job_id, instance_id, outcome, place)
join fm_jobs as job on job.id = recording.job_id
where job.history @> jsonb_build_array(jsonb_build_object(
    'instance_id', recording.instance_id, 'outcome', recording.outcome))
