use super::{SqliteStore, sql};
use crate::store::{
    DueSchedules, Firing, NewSchedule, Notice, Schedule, ScheduleStore, StoreError, new_job_id, row,
};
use async_trait::async_trait;
use sqlx::Row;

#[async_trait]
impl ScheduleStore for SqliteStore {
    async fn now(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query(sql::NOW).fetch_one(&self.readers).await?.try_get("now")?)
    }

    async fn put_schedule(&self, schedule: &NewSchedule, next_at: Option<i64>) -> Result<(), StoreError> {
        let query = sqlx::query(sql::PUT_SCHEDULE)
            .bind(&schedule.name)
            .bind(&schedule.cron)
            .bind(&schedule.time_zone)
            .bind(&schedule.handler)
            .bind(schedule.input.as_str())
            .bind(schedule.priority)
            .bind(schedule.max_attempts)
            .bind(schedule.missed.as_str())
            .bind(schedule.missed_max)
            .bind(next_at);
        Ok(query.execute(&self.writer).await.map(drop)?)
    }

    async fn schedules(&self) -> Result<Vec<Schedule>, StoreError> {
        let rows = sqlx::query(sql::SCHEDULES).fetch_all(&self.readers).await?;
        rows.iter().map(row::schedule).collect()
    }

    async fn schedule(&self, name: &str) -> Result<Option<Schedule>, StoreError> {
        let found = sqlx::query(sql::SCHEDULE).bind(name).fetch_optional(&self.readers).await?;
        found.map(|found| row::schedule(&found)).transpose()
    }

    async fn pause_schedule(&self, name: &str) -> Result<bool, StoreError> {
        let query = sqlx::query(sql::PAUSE_SCHEDULE).bind(name);
        Ok(query.execute(&self.writer).await?.rows_affected() > 0)
    }

    async fn resume_schedule(&self, name: &str, next_at: Option<i64>) -> Result<bool, StoreError> {
        let query = sqlx::query(sql::RESUME_SCHEDULE).bind(name).bind(next_at);
        Ok(query.execute(&self.writer).await?.rows_affected() > 0)
    }

    async fn remove_schedule(&self, name: &str) -> Result<bool, StoreError> {
        let query = sqlx::query(sql::REMOVE_SCHEDULE).bind(name);
        Ok(query.execute(&self.writer).await?.rows_affected() > 0)
    }

    async fn due_schedules(&self, limit: u32) -> Result<DueSchedules, StoreError> {
        let rows = sqlx::query(sql::DUE_SCHEDULES).bind(limit).fetch_all(&self.readers).await?;
        let schedules = rows.iter().map(row::schedule).collect::<Result<_, _>>()?;
        // Read after them: none of them is due later than this.
        Ok(DueSchedules { now: self.now().await?, schedules })
    }

    async fn fire(&self, firing: &Firing<'_>) -> Result<bool, StoreError> {
        let spec = &firing.schedule.spec;
        let mut transaction = self.begin().await?;
        let moved = sqlx::query(sql::MOVE_SCHEDULE)
            .bind(&spec.name)
            .bind(&spec.cron)
            .bind(&spec.time_zone)
            .bind(firing.schedule.next_at)
            .bind(firing.next_at)
            .bind(firing.slots.iter().max());
        if moved.fetch_all(&mut *transaction).await?.is_empty() {
            return Ok(false);
        }
        for slot in &firing.slots {
            let fire = sqlx::query(sql::FIRE).bind(&spec.name).bind(new_job_id()).bind(slot);
            fire.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        self.tell(Notice::Due);
        Ok(true)
    }
}
