//! The columns of the table of counts, and a row of their sums.

use std::sync::LazyLock;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::histogram::{BUCKETS, Histogram};
use super::tally::Counts;
use crate::error::StoreError;

/// What is counted, in the order of the table.
pub(super) const COUNTED: [&str; 3 + BUCKETS] = [
    "attempts",
    "delivered",
    "failed",
    "ms_5",
    "ms_10",
    "ms_20",
    "ms_50",
    "ms_100",
    "ms_200",
    "ms_500",
    "ms_1000",
    "ms_2000",
    "ms_5000",
    "ms_10000",
    "ms_20000",
    "ms_30000",
    "ms_more",
];

/// The sums of all of them, under their own names.
pub(super) static SUMS: LazyLock<String> = LazyLock::new(|| {
    COUNTED
        .map(|column| format!("sum({column})::bigint AS {column}"))
        .join(", ")
});

impl Counts {
    /// In the order of [`COUNTED`].
    pub(super) fn values(&self) -> [u64; COUNTED.len()] {
        let mut values = [0; COUNTED.len()];
        let counted = [self.attempts, self.delivered, self.failed].into_iter();
        for (value, counted) in values.iter_mut().zip(counted.chain(self.answers.0)) {
            *value = counted;
        }
        values
    }
}

/// The sums of a row.
pub(super) fn counts(row: &PgRow) -> Result<Counts, StoreError> {
    let count = |column: &str| -> Result<u64, StoreError> {
        u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| StoreError::Corrupt("count of attempts"))
    };
    let [attempts, delivered, failed, buckets @ ..] = COUNTED;
    let mut answers = [0; BUCKETS];
    for (answered, column) in answers.iter_mut().zip(buckets) {
        *answered = count(column)?;
    }
    Ok(Counts {
        attempts: count(attempts)?,
        delivered: count(delivered)?,
        failed: count(failed)?,
        answers: Histogram(answers),
    })
}

#[cfg(test)]
mod tests {
    use super::super::histogram::BOUNDS_MS;
    use super::*;

    #[test]
    fn each_bucket_has_the_column_of_its_bound() {
        let (_, columns) = COUNTED.split_at(3);
        let bounds = BOUNDS_MS.map(|bound| format!("ms_{bound}"));
        assert_eq!(columns[..BOUNDS_MS.len()], bounds);
        let mut counts = Counts {
            attempts: 1,
            delivered: 2,
            failed: 3,
            ..Counts::default()
        };
        counts.answers.add(60_000);
        let values = counts.values();
        assert_eq!(
            (values[..3].to_vec(), values[COUNTED.len() - 1]),
            (vec![1, 2, 3], 1)
        );
        assert_eq!(values.iter().sum::<u64>(), 7);
    }
}
