//! What the jobs of a handler remember to have done.

use crate::given::{HANDLER, Loss, json, new_job, places, request, running};
use crate::hold::{blocked, start};
use flowmonkey_jobs::job::{Keep, Lease, NewJob};
use flowmonkey_jobs::store::{ClaimRequest, EffectFault, StoreError};
use flowmonkey_tests::database::Fixture;
use sqlx::AssertSqlSafe;
use tokio::task::JoinSet;

on_both_stores! {
    what_one_job_records_the_next_one_finds,
    a_value_comes_back_to_the_letter,
    a_key_may_be_any_text,
    other_handlers_see_nothing_of_it,
    a_key_whose_time_is_over_is_as_absent,
    the_same_again_changes_nothing,
    another_value_is_refused_while_the_first_stands,
    of_many_that_record_at_once_one_stands,
    a_lost_lease_reads_and_writes_nothing,
    expired_keys_are_forgotten_oldest_first_up_to_the_limit,
}

on_postgres! {
    a_record_that_waits_for_a_rival_sees_what_that_recorded,
    a_record_that_waits_for_a_rival_which_gives_up_is_the_first,
    a_record_meets_a_rival_that_forgets_the_key,
    keys_that_a_rival_holds_are_not_waited_for,
}

async fn record(f: &Fixture, lease: &Lease, key: &str, text: &str) -> Result<(), EffectFault> {
    f.store.record_idempotency(lease, key, &json(text), Keep::FOR_GOOD).await
}

async fn look_up(f: &Fixture, lease: &Lease, key: &str) -> Option<String> {
    f.store.look_up_idempotency(lease, key).await.unwrap().map(|value| value.to_string())
}

async fn running_for(f: &Fixture, handler: &str) -> Lease {
    f.store.create(NewJob { handler: handler.into(), ..new_job() }).await.unwrap();
    let request = ClaimRequest { handlers: vec![places(handler)], ..request(1) };
    f.store.claim(&request).await.unwrap().jobs.remove(0).lease
}

/// All that is remembered, to see that nothing changed.
async fn rows(f: &Fixture) -> String {
    let row = "handler || ' ' || key || ' ' || value || ' ' || job_id || ' ' || created_at || ' '
        || coalesce(cast(expires_at as text), 'null')";
    let all = match f.database {
        flowmonkey_tests::database::Database::Postgres(_) => "string_agg",
        flowmonkey_tests::database::Database::Sqlite(_) => "group_concat",
    };
    let sql =
        format!("select {all}(row, '; ') from (select {row} as row from fm_idempotency order by key) as r");
    f.text(&sql).await.unwrap_or_default()
}

fn is_taken(result: &Result<(), EffectFault>) -> bool {
    matches!(result, Err(EffectFault::KeyTaken(key)) if key == "k")
}

async fn what_one_job_records_the_next_one_finds(f: Fixture) {
    let first = running(&f).await;
    assert_eq!(look_up(&f, &first, "k").await, None);
    record(&f, &first, "k", "{\"sent\": true}").await.unwrap();
    assert_eq!(look_up(&f, &first, "k").await.unwrap(), "{\"sent\": true}");
    assert_eq!(look_up(&f, &first, "other").await, None);
    let second = running(&f).await;
    assert_eq!(look_up(&f, &second, "k").await.unwrap(), "{\"sent\": true}");
    f.execute(&format!("delete from fm_jobs where id = '{}'", first.job_id)).await;
    assert!(look_up(&f, &second, "k").await.is_some(), "it outlives the job that recorded it");
}

async fn a_value_comes_back_to_the_letter(f: Fixture) {
    let lease = running(&f).await;
    let large = format!("\"{}\"", "x".repeat(1024 * 1024 - 2));
    for (at, text) in
        ["null", "9007199254740993", "1.50", "{\"b\": 1,  \"a\": \"größe 😀\"}", &large].iter().enumerate()
    {
        record(&f, &lease, &at.to_string(), text).await.unwrap();
        assert_eq!(look_up(&f, &lease, &at.to_string()).await.as_deref(), Some(*text));
    }
}

async fn a_key_may_be_any_text(f: Fixture) {
    let lease = running(&f).await;
    let keys = ["a'b", "$1", "?1", "größe", "😀", "a\nb", "%", " ", "K", "k"];
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(look_up(&f, &lease, key).await, None, "{key:?}");
        record(&f, &lease, key, &at.to_string()).await.unwrap();
    }
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(look_up(&f, &lease, key).await, Some(at.to_string()), "{key:?}");
    }
}

/// The handler is that of the job's row: nothing a guest says has part in it.
async fn other_handlers_see_nothing_of_it(f: Fixture) {
    let ours = running(&f).await;
    let theirs = running_for(&f, "email-sent").await;
    record(&f, &ours, "k", "\"ours\"").await.unwrap();
    assert_eq!(look_up(&f, &theirs, "k").await, None);
    record(&f, &theirs, "k", "\"theirs\"").await.unwrap();
    assert_eq!(look_up(&f, &ours, "k").await.unwrap(), "\"ours\"");
    assert_eq!(look_up(&f, &theirs, "k").await.unwrap(), "\"theirs\"");
}

async fn a_key_whose_time_is_over_is_as_absent(f: Fixture) {
    let lease = running(&f).await;
    let hour = Keep::millis(3_600_000).unwrap();
    f.store.record_idempotency(&lease, "k", &json("1"), hour).await.unwrap();
    let kept = "select expires_at - created_at from fm_idempotency";
    assert_eq!(f.number(kept).await, 3_600_000);
    assert_eq!(look_up(&f, &lease, "k").await.as_deref(), Some("1"));
    // By the database's clock.
    let now = f.now().await;
    f.execute(&format!("update fm_idempotency set expires_at = {now}")).await;
    assert_eq!(look_up(&f, &lease, "k").await, None);
    let other = running(&f).await;
    record(&f, &other, "k", "2").await.unwrap();
    assert_eq!(look_up(&f, &lease, "k").await.as_deref(), Some("2"));
    assert_eq!(f.text("select job_id from fm_idempotency").await.unwrap(), other.job_id);
    assert_eq!(f.number("select count(*) from fm_idempotency where expires_at is null").await, 1);
}

async fn the_same_again_changes_nothing(f: Fixture) {
    let lease = running(&f).await;
    let hour = Keep::millis(3_600_000).unwrap();
    f.store.record_idempotency(&lease, "k", &json("[1]"), hour).await.unwrap();
    let before = rows(&f).await;
    let other = running(&f).await;
    for keep in [hour, Keep::FOR_GOOD, Keep::millis(1).unwrap()] {
        for lease in [&lease, &other] {
            f.store.record_idempotency(lease, "k", &json(" [1] "), keep).await.unwrap();
        }
    }
    assert_eq!(rows(&f).await, before);
}

async fn another_value_is_refused_while_the_first_stands(f: Fixture) {
    let lease = running(&f).await;
    record(&f, &lease, "k", "{\"a\": 1}").await.unwrap();
    let before = rows(&f).await;
    let other = running(&f).await;
    for lease in [&lease, &other] {
        // Also what is the same but for its spelling: nobody compares more than bytes.
        for text in ["2", "{\"a\":1}"] {
            assert!(is_taken(&record(&f, lease, "k", text).await), "{text}");
        }
    }
    assert_eq!(rows(&f).await, before);
}

async fn of_many_that_record_at_once_one_stands(f: Fixture) {
    let mut leases = Vec::new();
    for _ in 0..8 {
        leases.push(running(&f).await);
    }
    for round in 0..5 {
        let mut records = JoinSet::new();
        for (at, lease) in leases.clone().into_iter().enumerate() {
            let store = f.store.clone();
            records.spawn(async move {
                let value = json(&at.to_string());
                let key = round.to_string();
                let recorded = store.record_idempotency(&lease, &key, &value, Keep::FOR_GOOD).await;
                recorded.is_ok().then(|| at.to_string())
            });
        }
        let winners: Vec<String> = records.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(look_up(&f, &leases[0], &round.to_string()).await, Some(winners[0].clone()));
    }
}

async fn a_lost_lease_reads_and_writes_nothing(f: Fixture) {
    let is_lost = |fault: EffectFault| matches!(fault, EffectFault::Store(StoreError::LeaseLost));
    record(&f, &running(&f).await, "k", "1").await.unwrap();
    f.execute("delete from fm_jobs").await;
    let before = rows(&f).await;
    for loss in Loss::ALL {
        let lease = running(&f).await;
        loss.befall(&f, &lease).await;
        let wrong = Lease { instance_id: String::new(), ..lease.clone() };
        for lease in [lease, wrong] {
            assert!(is_lost(f.store.look_up_idempotency(&lease, "k").await.unwrap_err()), "{loss:?}");
            for (key, text) in [("k", "1"), ("k", "2"), ("new", "1")] {
                assert!(is_lost(record(&f, &lease, key, text).await.unwrap_err()), "{loss:?} {key} {text}");
            }
        }
        f.execute("delete from fm_jobs").await;
    }
    assert_eq!(rows(&f).await, before);
}

/// Keys with the moment at which each expires, counted from now in ms; `None` is never.
async fn remembered(f: &Fixture, keys: &[(&str, Option<i64>)]) {
    let now = f.now().await;
    for (key, left) in keys {
        let expires = left.map_or_else(|| "null".to_owned(), |left| (now + left).to_string());
        f.execute(&format!(
            "insert into fm_idempotency (handler, key, value, job_id, created_at, expires_at)
            values ('{HANDLER}', '{key}', '1', 'j', 1, {expires})"
        ))
        .await;
    }
}

async fn left(f: &Fixture) -> Vec<String> {
    rows(f).await.split("; ").filter_map(|row| Some(row.split(' ').nth(1)?.to_owned())).collect()
}

async fn expired_keys_are_forgotten_oldest_first_up_to_the_limit(f: Fixture) {
    assert_eq!(f.store.forget_expired(100).await.unwrap(), 0);
    let hour = 3_600_000;
    let keys =
        [("b", Some(-2)), ("a", Some(-50)), ("d", Some(-40)), ("c", Some(-3000)), ("live", Some(hour))];
    remembered(&f, &keys).await;
    remembered(&f, &[("ever", None)]).await;
    assert_eq!(f.store.forget_expired(0).await.unwrap(), 0);
    assert_eq!(f.store.forget_expired(2).await.unwrap(), 2);
    assert_eq!(left(&f).await, ["b", "d", "ever", "live"]);
    assert_eq!(f.store.forget_expired(100).await.unwrap(), 2);
    assert_eq!(left(&f).await, ["ever", "live"]);
}

/// A rival's transaction that has recorded the key "k" and not ended.
async fn rival_record(f: &Fixture, expires: &str) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut rival = f.pg().begin().await.unwrap();
    let sql = format!(
        "insert into fm_idempotency (handler, key, value, job_id, created_at, expires_at)
        values ('{HANDLER}', 'k', '\"rival\"', 'j', 1, {expires})"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *rival).await.unwrap();
    rival
}

async fn a_record_that_waits_for_a_rival_sees_what_that_recorded(f: Fixture) {
    for (value, taken) in [("\"ours\"", true), ("\"rival\"", false)] {
        let lease = running(&f).await;
        let rival = rival_record(&f, "null").await;
        let record = start(&f, |store| async move {
            store.record_idempotency(&lease, "k", &json(value), Keep::FOR_GOOD).await
        });
        blocked(f.pg()).await;
        rival.commit().await.unwrap();
        let recorded = record.await.unwrap();
        assert_eq!(is_taken(&recorded), taken, "{recorded:?}");
        f.execute("delete from fm_idempotency").await;
    }
}

async fn a_record_that_waits_for_a_rival_which_gives_up_is_the_first(f: Fixture) {
    let lease = running(&f).await;
    let rival = rival_record(&f, "null").await;
    let ours = lease.clone();
    let record = start(&f, |store| async move {
        store.record_idempotency(&ours, "k", &json("\"ours\""), Keep::FOR_GOOD).await
    });
    blocked(f.pg()).await;
    rival.rollback().await.unwrap();
    record.await.unwrap().unwrap();
    assert_eq!(look_up(&f, &lease, "k").await.unwrap(), "\"ours\"");
}

/// The reaper deletes an expired key while it is recorded again.
async fn a_record_meets_a_rival_that_forgets_the_key(f: Fixture) {
    let lease = running(&f).await;
    remembered(&f, &[("k", Some(-10))]).await;
    let mut rival = f.pg().begin().await.unwrap();
    sqlx::raw_sql("delete from fm_idempotency").execute(&mut *rival).await.unwrap();
    let ours = lease.clone();
    let record = start(&f, |store| async move {
        store.record_idempotency(&ours, "k", &json("\"ours\""), Keep::FOR_GOOD).await
    });
    blocked(f.pg()).await;
    rival.commit().await.unwrap();
    record.await.unwrap().unwrap();
    assert_eq!(look_up(&f, &lease, "k").await.unwrap(), "\"ours\"");
}

async fn keys_that_a_rival_holds_are_not_waited_for(f: Fixture) {
    remembered(&f, &[("a", Some(-10)), ("b", Some(-20))]).await;
    let mut rival = f.pg().begin().await.unwrap();
    let lock = "select from fm_idempotency where key = 'b' for update";
    sqlx::raw_sql(lock).execute(&mut *rival).await.unwrap();
    assert_eq!(f.store.forget_expired(100).await.unwrap(), 1);
    rival.rollback().await.unwrap();
    assert_eq!(left(&f).await, ["b"]);
}
