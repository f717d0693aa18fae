//! A page of a company's deliveries, the newest first.

use hookline_common::ids::CompanyId;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row as _};

use super::cursor::DeliveryCursor;
use super::filter::DeliveryFilter;
use super::model::LoggedDelivery;
use super::row::{COLUMNS, delivery};
use crate::connect::{Store, within};
use crate::error::StoreError;
use crate::moment::Moment;
use crate::page::Page;

impl Store {
    /// A company's deliveries, the newest first. What is added while somebody turns pages comes before the first page, or,
    /// recorded late, stands at its place; nothing is told twice.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deliveries(
        &self,
        company: &CompanyId,
        filter: &DeliveryFilter,
        after: Option<&DeliveryCursor>,
        limit: u32,
    ) -> Result<Page<LoggedDelivery, DeliveryCursor>, StoreError> {
        let rows = self.rows(list("", company, filter, after, limit)).await?;
        let items = rows.iter().map(delivery).collect::<Result<_, _>>()?;
        Ok(Page::after(items, limit, DeliveryCursor::behind))
    }

    /// How the database would look up such a page, a line of its plan each: for whoever wonders why one takes long.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plan_of_deliveries(
        &self,
        company: &CompanyId,
        filter: &DeliveryFilter,
        after: Option<&DeliveryCursor>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let rows = self.rows(list("EXPLAIN ", company, filter, after, limit)).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn rows(&self, mut query: QueryBuilder<Postgres>) -> Result<Vec<PgRow>, StoreError> {
        within(async {
            let mut transaction = self.pool.begin_with(IN_ORDER).await?;
            // Planned for each question: a plan for all of them reads every day, and cannot know which values are rare.
            let query = query.build().persistent(false);
            let rows = query.fetch_all(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(rows)
        })
        .await
    }
}

/// Every filter has an index that holds a list's order, and a page is read from its beginning. The planner must not gather
/// more rows than that to put them in order, which it would where it takes them for few: of a day that is new, it knows
/// nothing.
const IN_ORDER: &str = "BEGIN READ ONLY; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; \
                        SET LOCAL enable_seqscan = off";

fn list(
    before: &str,
    company: &CompanyId,
    filter: &DeliveryFilter,
    after: Option<&DeliveryCursor>,
    limit: u32,
) -> QueryBuilder<Postgres> {
    // An event has few deliveries, and no index that holds them in order: they are gathered before they are put in order.
    let fence = if filter.event.is_some() {
        "MATERIALIZED"
    } else {
        "NOT MATERIALIZED"
    };
    let mut query = QueryBuilder::new(format!(
        "{before}WITH found AS {fence} (SELECT {COLUMNS} FROM deliveries WHERE company = "
    ));
    query.push_bind(company.as_str().to_owned());
    filter.push_to(&mut query);
    if let Some(cursor) = after {
        // The first says nothing new, and days behind it are left out because of it.
        query
            .push(" AND created_at <= ")
            .push_bind(Moment(cursor.created_at))
            .push(" AND (created_at, event, endpoint) < (")
            .push_bind(Moment(cursor.created_at))
            .push(", ")
            .push_bind(cursor.event.as_str().to_owned())
            .push(", ")
            .push_bind(cursor.endpoint.as_str().to_owned())
            .push(")");
    }
    query
        .push(") SELECT * FROM found ORDER BY created_at DESC, event DESC, endpoint DESC LIMIT ")
        .push_bind(i64::from(limit) + 1);
    query
}
