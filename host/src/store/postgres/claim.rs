use super::ends::{Beginnings, JOBS_MIN};
use super::{PgStore, sql, within_deadline};
use crate::store::row::{self, Columns, InOrder};
use crate::store::{Claim, ClaimRequest, StoreError};
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{PgConnection, Row};
use std::collections::BTreeMap;
use std::time::Instant;

/// More in one statement would not be quicker.
const CLAIM_MAX: u32 = 1000;

/// Never says that there is nothing without having looked at all that is due.
pub(super) async fn claim(store: &PgStore, request: &ClaimRequest) -> Result<Claim, StoreError> {
    if request.handlers.is_empty() || request.limit == 0 {
        return Ok(Claim::default());
    }
    if request.limit < JOBS_MIN {
        return claim_from(store, request, &Beginnings::default()).await;
    }
    let begin = store.ends.beginnings(request, Instant::now());
    let claim = claim_and_note(store, request, &begin).await?;
    if claim.more || begin.is_look() {
        return Ok(claim);
    }
    if !claim.jobs.is_empty() {
        return Ok(Claim { more: true, ..claim });
    }
    claim_and_note(store, request, &store.ends.look()).await
}

async fn claim_and_note(
    store: &PgStore,
    request: &ClaimRequest,
    begin: &Beginnings,
) -> Result<Claim, StoreError> {
    let claim = claim_from(store, request, begin).await?;
    store.ends.note(begin, &claim, Instant::now());
    Ok(claim)
}

/// One statement, but where a handler is bounded over the whole fleet.
async fn claim_from(
    store: &PgStore,
    request: &ClaimRequest,
    begin: &Beginnings,
) -> Result<Claim, StoreError> {
    let mut places: Vec<u32> = request.handlers.iter().map(|one| one.places.unwrap_or(u32::MAX)).collect();
    let bounds = bounds(request);
    if bounds.is_empty() {
        return read(&store.group(query(request, &places, begin)).await?);
    }
    within_deadline(async {
        let mut transaction = store.groups.begin().await?;
        let room = room(&mut transaction, &bounds).await?;
        for (one, places) in request.handlers.iter().zip(&mut places) {
            if bounds.contains_key(one.handler.as_str()) {
                *places = (*places).min(room.get(&one.handler).copied().unwrap_or(0));
            }
        }
        let claim = read(&query(request, &places, begin).fetch_all(&mut *transaction).await?)?;
        transaction.commit().await?;
        // A handler that a rival is just counting is looked at again.
        Ok(Claim { more: claim.more || room.len() < bounds.len(), ..claim })
    })
    .await
}

/// How many jobs of which handlers may run at once over the whole fleet, of those that have a place here.
fn bounds(request: &ClaimRequest) -> BTreeMap<&str, u32> {
    let mut bounds = BTreeMap::new();
    for one in request.handlers.iter().filter(|one| one.places != Some(0)) {
        if let Some(max) = one.fleet_max {
            let bound = bounds.entry(one.handler.as_str()).or_insert(max);
            *bound = max.min(*bound);
        }
    }
    bounds
}

/// How many more jobs of these handlers may run; those that a rival is counting are left out. Nobody else
/// takes one of the others before the transaction ends. Two statements, since the second must see what the last
/// holder of the locks took.
async fn room(
    connection: &mut PgConnection,
    bounds: &BTreeMap<&str, u32>,
) -> Result<BTreeMap<String, u32>, StoreError> {
    let handlers: Vec<&str> = bounds.keys().copied().collect();
    let locks = sqlx::query(sql::LOCK_FLEET).bind(handlers).fetch_all(&mut *connection).await?;
    let mut room = BTreeMap::new();
    for lock in &locks {
        let handler = lock.text("handler")?;
        if lock.try_get("locked")? {
            let max = bounds.get(handler.as_str()).copied().unwrap_or(0);
            room.insert(handler, max);
        }
    }
    let held: Vec<&str> = room.keys().map(String::as_str).collect();
    for counted in sqlx::query(sql::COUNT_RUNNING).bind(held).fetch_all(connection).await? {
        let running = u32::try_from(counted.int("running")?).unwrap_or(u32::MAX);
        if let Some(room) = room.get_mut(&counted.text("handler")?) {
            *room = room.saturating_sub(running);
        }
    }
    Ok(room)
}

fn query<'q>(
    request: &'q ClaimRequest,
    places: &[u32],
    begin: &Beginnings,
) -> Query<'q, Postgres, PgArguments> {
    let handlers: Vec<&str> = request.handlers.iter().map(|one| one.handler.as_str()).collect();
    let places: Vec<i32> = places.iter().map(|places| i32::try_from(*places).unwrap_or(i32::MAX)).collect();
    sqlx::query(sql::CLAIM)
        .bind(&request.runner_id)
        .bind(handlers)
        .bind(places)
        .bind(request.limit.min(CLAIM_MAX) as i32)
        .bind(i32::try_from(request.heartbeat_interval.as_millis()).unwrap_or(i32::MAX))
        .bind(begin.handlers.clone())
        .bind(begin.priorities.clone())
        .bind(begin.due.clone())
        .bind(begin.ids.clone())
}

fn read(rows: &[PgRow]) -> Result<Claim, StoreError> {
    // One row without a job says whether there is more, too.
    let more = rows.first().map(|row| row.try_get("more")).transpose()?.unwrap_or(false);
    let taken = rows.iter().filter(|row| row.try_get::<&str, _>("id").is_ok());
    let mut jobs = taken.map(|row| row::claimed(&InOrder::new(row))).collect::<Result<Vec<_>, _>>()?;
    jobs.sort_unstable_by(|one, other| one.turn().cmp(&other.turn()));
    Ok(Claim { jobs, more })
}
