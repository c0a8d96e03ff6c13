select status from fm_jobs where id = ?1
