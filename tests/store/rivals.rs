//! Races held open: a rival transaction stands in the middle while the store acts.

mod postgres {
    use crate::given::{
        STALLED, claim, get, json, pending, pending_in_order, record, recording, running, silence,
    };
    use crate::hold::{blocked, hold, lock, start};
    use flowmonkey_jobs::job::{Lease, Status, Transition};
    use flowmonkey_jobs::store::{Changed, LeaseState, Recorded, StoreError};
    use flowmonkey_tests::database::Fixture;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_claim_skips_rows_that_a_rival_holds() {
        let f = Fixture::postgres().await;
        let ids = pending_in_order(&f, 3).await;
        let mut rival = f.pg().begin().await.unwrap();
        lock(&mut rival, &ids[0]).await;
        // One, though the first in line is taken; and none of the others waits.
        for expected in [&ids[1..2], &ids[2..3], &[]] {
            let claimed: Vec<_> = claim(&f, 1).await.into_iter().map(|job| job.lease.job_id).collect();
            assert_eq!(claimed, expected);
        }
        rival.commit().await.unwrap();
        assert_eq!(claim(&f, 1).await[0].lease.job_id, ids[0]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_claim_skips_what_a_rival_is_claiming() {
        let f = Fixture::postgres().await;
        let id = pending(&f).await.id;
        let mut rival = f.pg().begin().await.unwrap();
        hold(&mut rival, "update fm_jobs set status = 'running', instance_id = 'rival'", &id).await;
        assert!(claim(&f, 10).await.is_empty());
        rival.commit().await.unwrap();
        assert!(claim(&f, 10).await.is_empty());
        assert_eq!(get(&f, &id).await.instance_id.as_deref(), Some("rival"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reap_skips_rows_that_a_rival_holds() {
        let f = Fixture::postgres().await;
        let ids = pending_in_order(&f, 2).await;
        claim(&f, 2).await;
        f.execute("update fm_jobs set heartbeat_at = 1").await;
        let mut rival = f.pg().begin().await.unwrap();
        lock(&mut rival, &ids[0]).await;
        let reaped = f.store.reap(STALLED, 10).await.unwrap();
        assert_eq!(reaped.iter().map(|reaped| &reaped.lease.job_id).collect::<Vec<_>>(), [&ids[1]]);
        rival.rollback().await.unwrap();
        assert_eq!(f.store.reap(STALLED, 10).await.unwrap()[0].lease.job_id, ids[0]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_beat_under_way_saves_the_job() {
        let f = Fixture::postgres().await;
        let lease = running(&f).await;
        silence(&f, &lease.job_id).await;
        let mut rival = f.pg().begin().await.unwrap();
        hold(&mut rival, "update fm_jobs set heartbeat_at = fm_now_ms()", &lease.job_id).await;
        assert!(f.store.reap(STALLED, 10).await.unwrap().is_empty());
        rival.commit().await.unwrap();
        assert!(f.store.reap(STALLED, 10).await.unwrap().is_empty());
        assert_eq!(record(&f, &lease, Transition::Complete(None)).await, Recorded::Written);
    }

    /// What happens to a running job while a write under its lease waits for the row.
    const TAKEN: [&str; 3] = [
        "update fm_jobs set status = 'cancelled'",
        "update fm_jobs set status = 'pending'",
        "update fm_jobs set instance_id = 'rival'",
    ];

    #[tokio::test(flavor = "multi_thread")]
    async fn an_outcome_that_waits_for_a_rival_finds_its_lease_lost() {
        let f = Fixture::postgres().await;
        for taken in TAKEN {
            let lease = running(&f).await;
            let mut rival = f.pg().begin().await.unwrap();
            hold(&mut rival, taken, &lease.job_id).await;
            let ended = recording(&lease, Transition::Complete(None));
            let record = start(&f, |store| async move { store.record(&[ended]).await });
            blocked(f.pg()).await;
            rival.commit().await.unwrap();
            assert_eq!(record.await.unwrap().unwrap(), [Recorded::LeaseLost], "{taken}");
            let job = get(&f, &lease.job_id).await;
            assert!(job.status != Status::Completed && job.history.is_empty(), "{job:?}");
            f.execute("delete from fm_jobs").await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_outcome_that_waits_for_a_rival_beat_is_written() {
        let f = Fixture::postgres().await;
        let lease = running(&f).await;
        let mut rival = f.pg().begin().await.unwrap();
        hold(&mut rival, "update fm_jobs set heartbeat_at = fm_now_ms()", &lease.job_id).await;
        let ended = recording(&lease, Transition::Complete(None));
        let record = start(&f, |store| async move { store.record(&[ended]).await });
        blocked(f.pg()).await;
        rival.commit().await.unwrap();
        assert_eq!(record.await.unwrap().unwrap(), [Recorded::Written]);
        assert_eq!(get(&f, &lease.job_id).await.status, Status::Completed);
    }

    /// A beat passes over a row that a rival holds: the others must not wait for it. It may say held, from
    /// what it saw at its start; the next one tells the truth.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_beat_does_not_wait_for_a_rival_and_does_not_revive_the_lease() {
        let f = Fixture::postgres().await;
        for (taken, state) in
            TAKEN.into_iter().zip([LeaseState::Cancelled, LeaseState::Lost, LeaseState::Lost])
        {
            let lease = running(&f).await;
            let other = running(&f).await;
            f.execute("update fm_jobs set heartbeat_at = 1").await;
            let mut rival = f.pg().begin().await.unwrap();
            hold(&mut rival, taken, &lease.job_id).await;
            let states = f.store.heartbeat(&[lease.clone(), other.clone()]).await.unwrap();
            assert_eq!(states, [LeaseState::Held, LeaseState::Held]);
            assert!(get(&f, &other.job_id).await.heartbeat_at > Some(1), "the other is kept alive");
            rival.commit().await.unwrap();
            assert_eq!(get(&f, &lease.job_id).await.heartbeat_at, Some(1), "{taken}");
            let next = f.store.heartbeat(std::slice::from_ref(&lease)).await.unwrap();
            assert_eq!(next, [state], "{taken}");
            f.execute("delete from fm_jobs").await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_checkpoint_that_waits_for_a_rival_finds_its_lease_lost() {
        let f = Fixture::postgres().await;
        let lease = running(&f).await;
        let mut rival = f.pg().begin().await.unwrap();
        hold(&mut rival, TAKEN[2], &lease.job_id).await;
        let late = lease.clone();
        let save = start(&f, |store| async move { store.save_checkpoint(&late, "a", &json("1")).await });
        blocked(f.pg()).await;
        rival.commit().await.unwrap();
        assert!(matches!(save.await.unwrap(), Err(StoreError::LeaseLost)));
        assert_eq!(get(&f, &lease.job_id).await.checkpoint, None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_cancel_that_waits_for_an_outcome_comes_too_late() {
        let f = Fixture::postgres().await;
        let lease = running(&f).await;
        let mut rival = f.pg().begin().await.unwrap();
        hold(&mut rival, "update fm_jobs set status = 'completed'", &lease.job_id).await;
        let id = lease.job_id.clone();
        let cancel = start(&f, |store| async move { store.cancel(&id).await });
        blocked(f.pg()).await;
        rival.commit().await.unwrap();
        assert_eq!(cancel.await.unwrap().unwrap(), Changed::NotFrom(Status::Completed));
    }

    /// Whichever way the batch is turned, the lowest id is locked first: what waits holds nothing that
    /// another may wait for.
    #[tokio::test(flavor = "multi_thread")]
    async fn batches_lock_their_rows_in_the_order_of_ids() {
        let f = Fixture::postgres().await;
        for turned in [false, true] {
            pending_in_order(&f, 6).await;
            let mut leases: Vec<Lease> = claim(&f, 6).await.into_iter().map(|job| job.lease).collect();
            leases.sort_by(|a, b| a.job_id.cmp(&b.job_id));
            let (first, others) = (leases[0].job_id.clone(), leases.len() - 1);
            if turned {
                leases.reverse();
            }
            let mut rival = f.pg().begin().await.unwrap();
            lock(&mut rival, &first).await;
            let batch: Vec<_> = leases.iter().map(|lease| recording(lease, Transition::Release)).collect();
            let call = start(&f, |store| async move { store.record(&batch).await.map(drop) });
            blocked(f.pg()).await;
            let free = "select id from fm_jobs for update skip locked";
            let free = sqlx::query(free).fetch_all(f.pg()).await.unwrap().len();
            assert_eq!(free, others, "turned: {turned}");
            rival.commit().await.unwrap();
            call.await.unwrap().unwrap();
            f.execute("delete from fm_jobs").await;
        }
    }

    /// The first call is given up while it waits; the second waits for the first.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_outcome_that_an_earlier_call_is_still_writing_counts_as_written() {
        let f = Fixture::postgres().await;
        let lease = running(&f).await;
        let mut rival = f.pg().begin().await.unwrap();
        lock(&mut rival, &lease.job_id).await;
        let ended = recording(&lease, Transition::Complete(None));
        let calls = [ended.clone(), ended]
            .map(|ended| start(&f, |store| async move { store.record(&[ended]).await.unwrap() }));
        blocked(f.pg()).await;
        rival.commit().await.unwrap();
        for call in calls {
            assert_eq!(call.await.unwrap(), [Recorded::Written]);
        }
        assert_eq!(get(&f, &lease.job_id).await.history.len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_call_whose_connection_dies_is_unavailable_and_the_next_one_works() {
        let f = Fixture::postgres().await;
        let id = pending(&f).await.id;
        let mut rival = f.pg().begin().await.unwrap();
        lock(&mut rival, &id).await;
        let cancelled = id.clone();
        let cancel = start(&f, |store| async move { store.cancel(&cancelled).await });
        blocked(f.pg()).await;
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query(kill).execute(f.pg()).await.unwrap();
        assert!(matches!(cancel.await.unwrap(), Err(StoreError::Unavailable(_))));
        rival.commit().await.unwrap();
        assert_eq!(f.store.cancel(&id).await.unwrap(), Changed::Yes);
    }
}

mod sqlite {
    use crate::given::{claim, get, json, pending, pending_in_order, recording, request, running};
    use flowmonkey_jobs::job::Transition;
    use flowmonkey_jobs::store::{LeaseStore, Recorded};
    use flowmonkey_tests::database::{Database, Fixture, SqliteDatabase};
    use std::sync::Arc;
    use std::time::Duration;

    fn database(f: &Fixture) -> &SqliteDatabase {
        let Database::Sqlite(database) = &f.database else { panic!("this case is about SQLite") };
        database
    }

    /// Long enough for a call that does not wait to come back; a correct one can never be late here.
    const A_WHILE: Duration = Duration::from_millis(300);

    #[tokio::test(flavor = "multi_thread")]
    async fn a_claim_waits_for_a_rival_that_writes() {
        let f = Fixture::sqlite().await;
        let ids = pending_in_order(&f, 2).await;
        let mut rival = database(&f).pool.begin_with("begin immediate").await.unwrap();
        let store = Arc::clone(&f.store);
        let mut claim = tokio::spawn(async move { store.claim(&request(10)).await });
        assert!(tokio::time::timeout(A_WHILE, &mut claim).await.is_err(), "claimed beside a rival");
        let query = sqlx::query("update fm_jobs set status = 'cancelled' where id = $1").bind(&ids[0]);
        query.execute(&mut *rival).await.unwrap();
        rival.commit().await.unwrap();
        // It sees what the rival did.
        let claimed = claim.await.unwrap().unwrap().jobs;
        assert_eq!(claimed.into_iter().map(|job| job.lease.job_id).collect::<Vec<_>>(), ids[1..]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_other_write_waits_too() {
        let f = Fixture::sqlite().await;
        let lease = running(&f).await;
        let mut rival = database(&f).pool.begin_with("begin immediate").await.unwrap();
        let query = sqlx::query("update fm_jobs set instance_id = 'rival'");
        query.execute(&mut *rival).await.unwrap();
        let (store, late) = (Arc::clone(&f.store), lease.clone());
        let mut writes = tokio::spawn(async move {
            let saved = store.save_checkpoint(&late, "a", &json("1")).await;
            let recorded = store.record(&[recording(&late, Transition::Complete(None))]).await;
            (saved, recorded)
        });
        assert!(tokio::time::timeout(A_WHILE, &mut writes).await.is_err(), "wrote beside a rival");
        rival.commit().await.unwrap();
        let (saved, recorded) = writes.await.unwrap();
        assert!(matches!(saved, Err(flowmonkey_jobs::store::StoreError::LeaseLost)), "{saved:?}");
        assert_eq!(recorded.unwrap(), [Recorded::LeaseLost]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn reading_does_not_wait_for_a_rival_that_writes() {
        let f = Fixture::sqlite().await;
        let job = pending(&f).await;
        let mut rival = database(&f).pool.begin_with("begin immediate").await.unwrap();
        sqlx::query("update fm_jobs set handler = 'x'").execute(&mut *rival).await.unwrap();
        assert_eq!(get(&f, &job.id).await.handler, job.handler);
        rival.commit().await.unwrap();
        assert_eq!(get(&f, &job.id).await.handler, "x");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_programs_share_one_file() {
        let f = Fixture::sqlite().await;
        let other = database(&f).store().await;
        let ids = pending_in_order(&f, 4).await;
        let mut claimed = Vec::new();
        for _ in 0..2 {
            claimed.extend(claim(&f, 1).await);
            claimed.extend(other.claim(&request(1)).await.unwrap().jobs);
        }
        assert_eq!(
            claimed.iter().map(|job| &job.lease.job_id).collect::<Vec<_>>(),
            ids.iter().collect::<Vec<_>>()
        );
        let ended = recording(&claimed[0].lease, Transition::Complete(None));
        assert_eq!(other.record(&[ended]).await.unwrap(), [Recorded::Written]);
    }
}
