use super::{PgStore, sql};
use crate::store::{DueSchedules, Firing, NewSchedule, Schedule, ScheduleStore, StoreError, new_job_id, row};
use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;

#[async_trait]
impl ScheduleStore for PgStore {
    async fn now(&self) -> Result<i64, StoreError> {
        let row = self.call(sqlx::query(sql::NOW).fetch_one(&self.pool)).await?;
        Ok(row.try_get("now")?)
    }

    async fn put_schedule(&self, schedule: &NewSchedule, next_at: Option<i64>) -> Result<(), StoreError> {
        let query = sqlx::query(sql::PUT_SCHEDULE)
            .bind(&schedule.name)
            .bind(&schedule.cron)
            .bind(&schedule.time_zone)
            .bind(&schedule.handler)
            .bind(schedule.input.as_str())
            .bind(i32::from(schedule.priority))
            .bind(schedule.max_attempts as i32)
            .bind(schedule.missed.as_str())
            .bind(i32::try_from(schedule.missed_max).unwrap_or(i32::MAX))
            .bind(next_at);
        self.changes(query).await.map(drop)
    }

    async fn schedules(&self) -> Result<Vec<Schedule>, StoreError> {
        self.rows(sqlx::query(sql::SCHEDULES)).await?.iter().map(row::schedule).collect()
    }

    async fn schedule(&self, name: &str) -> Result<Option<Schedule>, StoreError> {
        let rows = self.rows(sqlx::query(sql::SCHEDULE).bind(name)).await?;
        rows.first().map(row::schedule).transpose()
    }

    async fn pause_schedule(&self, name: &str) -> Result<bool, StoreError> {
        self.changes(sqlx::query(sql::PAUSE_SCHEDULE).bind(name)).await
    }

    async fn resume_schedule(&self, name: &str, next_at: Option<i64>) -> Result<bool, StoreError> {
        self.changes(sqlx::query(sql::RESUME_SCHEDULE).bind(name).bind(next_at)).await
    }

    async fn remove_schedule(&self, name: &str) -> Result<bool, StoreError> {
        self.changes(sqlx::query(sql::REMOVE_SCHEDULE).bind(name)).await
    }

    async fn due_schedules(&self, limit: u32) -> Result<DueSchedules, StoreError> {
        let rows = self.rows(sqlx::query(sql::DUE_SCHEDULES).bind(i64::from(limit))).await?;
        let schedules = rows.iter().map(row::schedule).collect::<Result<_, _>>()?;
        // Read after them: none of them is due later than this.
        Ok(DueSchedules { now: self.now().await?, schedules })
    }

    async fn fire(&self, firing: &Firing<'_>) -> Result<bool, StoreError> {
        let spec = &firing.schedule.spec;
        let ids: Vec<String> = firing.slots.iter().map(|_| new_job_id()).collect();
        let query = sqlx::query(sql::FIRE)
            .bind(&spec.name)
            .bind(&spec.cron)
            .bind(&spec.time_zone)
            .bind(firing.schedule.next_at)
            .bind(firing.next_at)
            .bind(ids)
            .bind(&firing.slots);
        Ok(!self.rows(query).await?.is_empty())
    }
}

impl PgStore {
    async fn changes(&self, query: Query<'_, Postgres, PgArguments>) -> Result<bool, StoreError> {
        Ok(self.call(query.execute(&self.pool)).await?.rows_affected() > 0)
    }
}
