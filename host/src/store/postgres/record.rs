//! Outcomes, in groups.

use super::{PgStore, sql};
use crate::job::HISTORY_ENTRIES_MAX;
use crate::store::recording::RecordingRow;
use crate::store::{Recorded, Recording, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::HashSet;

impl PgStore {
    /// Each recording stands or falls by itself: those that forget their job go first.
    pub(super) async fn record_all(&self, recordings: &[Recording]) -> Result<Vec<Recorded>, StoreError> {
        let gone = self.forget(recordings).await?;
        let places: Vec<usize> = (0..recordings.len()).filter(|place| !gone[*place]).collect();
        let kept: Vec<RecordingRow> =
            places.iter().map(|place| RecordingRow::new(&recordings[*place])).collect();
        let mut answers = vec![Recorded::Written; recordings.len()];
        if !kept.is_empty() {
            for (place, written) in places.iter().zip(self.keep(&kept).await?) {
                answers[*place] = if written { Recorded::Written } else { Recorded::LeaseLost };
            }
        }
        Ok(answers)
    }

    /// Which of them need no record any more, since their jobs are gone: now, or by an earlier call.
    async fn forget(&self, recordings: &[Recording]) -> Result<Vec<bool>, StoreError> {
        let forgetful: Vec<&Recording> = recordings.iter().filter(|one| one.forgets()).collect();
        let ids: Vec<&str> = forgetful.iter().map(|one| one.lease.job_id.as_str()).collect();
        let mut present = HashSet::new();
        if !ids.is_empty() {
            let instances: Vec<&str> = forgetful.iter().map(|one| one.lease.instance_id.as_str()).collect();
            let query = sqlx::query(sql::FORGET).bind(&ids).bind(instances);
            let gone = self.call(query.execute(&self.groups)).await?.rows_affected();
            if gone < ids.len() as u64 {
                for row in self.group(sqlx::query(sql::PRESENT).bind(&ids)).await? {
                    present.insert(row.try_get::<String, _>("id")?);
                }
            }
        }
        Ok(recordings.iter().map(|one| one.forgets() && !present.contains(&one.lease.job_id)).collect())
    }

    async fn keep(&self, rows: &[RecordingRow<'_>]) -> Result<Vec<bool>, StoreError> {
        fn texts<'r>(
            rows: &'r [RecordingRow<'r>],
            pick: impl Fn(&'r RecordingRow<'r>) -> Option<&'r str>,
        ) -> Vec<Option<&'r str>> {
            rows.iter().map(pick).collect()
        }
        let ids: Vec<&str> = rows.iter().map(|row| row.job_id).collect();
        let instances: Vec<&str> = rows.iter().map(|row| row.instance_id).collect();
        let query = sqlx::query(sql::RECORD)
            .bind(&ids)
            .bind(&instances)
            .bind(rows.iter().map(|row| row.status.as_str()).collect::<Vec<_>>())
            .bind(texts(rows, |row| row.result))
            .bind(texts(rows, |row| row.error.as_deref()))
            .bind(rows.iter().map(|row| row.delay_ms).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.at_ms).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.refund).collect::<Vec<_>>())
            .bind(texts(rows, |row| row.waiting.as_deref()))
            .bind(texts(rows, |row| row.progress.as_deref()))
            .bind(texts(rows, |row| Some(&row.entry)))
            .bind(HISTORY_ENTRIES_MAX as i32);
        let mut written = vec![false; rows.len()];
        note(&mut written, &self.group(query).await?)?;
        if written.contains(&false) {
            let outcomes: Vec<&str> = rows.iter().map(|row| row.outcome).collect();
            let query = sqlx::query(sql::RECORDED).bind(&ids).bind(&instances).bind(outcomes);
            note(&mut written, &self.group(query).await?)?;
        }
        Ok(written)
    }
}

/// Places count from 1.
fn note(written: &mut [bool], places: &[PgRow]) -> Result<(), StoreError> {
    for row in places {
        let place = usize::try_from(row.try_get::<i64, _>("place")?).unwrap_or_default();
        if let Some(written) = place.checked_sub(1).and_then(|place| written.get_mut(place)) {
            *written = true;
        }
    }
    Ok(())
}
