//! A batch of the log, counted in the batch's own transaction: one statement, however many records there are, and few rows,
//! as those of one minute are added up before.

use std::sync::LazyLock;

use hookline_common::record::AttemptRecord;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, PgConnection};

use super::columns::COUNTED;
use super::tally::tally;
use crate::error::StoreError;
use crate::moment::Moment;

static ADD: LazyLock<String> = LazyLock::new(|| {
    let columns = COUNTED.join(", ");
    let arrays: Vec<String> = (5..5 + COUNTED.len())
        .map(|number| format!("${number}::int[]"))
        .collect();
    let sums = COUNTED.map(|column| format!("{column} = c.{column} + EXCLUDED.{column}"));
    format!(
        "INSERT INTO attempt_counts AS c (company, step_s, at, endpoint, {columns}) \
         SELECT * FROM unnest($1::text[], $2::int[], $3::timestamptz[], $4::text[], {}) \
         ON CONFLICT (company, step_s, at, endpoint) DO UPDATE SET {}",
        arrays.join(", "),
        sums.join(", "),
    )
});

/// Counts these attempts; each must be told once only. Rows are locked in the order of their keys, so that two who do so at
/// the same time wait for each other at most.
pub(crate) async fn note(
    transaction: &mut PgConnection,
    new: &[&AttemptRecord],
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = tally(new, now);
    if rows.is_empty() {
        return Ok(());
    }
    let (mut companies, mut steps, mut times, mut endpoints) = (vec![], vec![], vec![], vec![]);
    let mut counted: [Vec<i32>; COUNTED.len()] = Default::default();
    for ((company, step, at, endpoint), counts) in &rows {
        companies.push(*company);
        steps.push(step.seconds());
        times.push(Moment(
            Timestamp::from_second(*at).unwrap_or(Timestamp::UNIX_EPOCH),
        ));
        endpoints.push(*endpoint);
        for (column, value) in counted.iter_mut().zip(counts.values()) {
            column.push(i32::try_from(value).unwrap_or(i32::MAX));
        }
    }
    let query = sqlx::query(AssertSqlSafe(ADD.as_str()))
        .bind(companies)
        .bind(steps)
        .bind(times)
        .bind(endpoints);
    let query = counted
        .into_iter()
        .fold(query, |query, column| query.bind(column));
    query.execute(transaction).await?;
    Ok(())
}
