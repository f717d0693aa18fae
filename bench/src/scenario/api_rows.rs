//! The rows of a large log, as recording for ten days would have left them.

use crate::error::Result;
use crate::registry::Filled;

/// The company that has most of it, with all that fails. Its sixth endpoint has a type of its own.
pub(super) const LARGE: &str = "acme";
/// One that has a thousandth of it.
pub(super) const SMALL: &str = "company-1";
/// An event of the large company.
pub(super) const EVENT: &str = "evt_c4ca4238a0b923820dcc509a6f75849b";
/// Days that they are spread over.
const DAYS: u32 = 10;

/// Fills a database with so many deliveries, an attempt and an event of each, and a twentieth of them failing: one half
/// lately, and tried again, the other at any time, and filed as dead letters.
///
/// # Errors
/// The server does not answer, or refuses.
pub(super) async fn fill(filled: &Filled, rows: u32) -> Result<()> {
    filled.execute(&days()).await?;
    let failing = rows / 20;
    // What is tried again was begun within the last hour or so, as the schedule ends then: one in four of the newest.
    let newest = 2 * failing;
    let seconds = f64::from(DAYS - 1) * 86_400.0 / f64::from(rows);
    let company = format!(
        "CASE WHEN i % 1000 = 999 THEN '{SMALL}' WHEN i % 4 = 3 AND i > {newest} THEN 'company-' || 2 + i % 7 ELSE '{LARGE}' END"
    );
    let every = rows / (failing / 2);
    filled
        .execute(&format!(
            "INSERT INTO deliveries (company, event, endpoint, created_at, type, origin, status, attempts, last_attempt_at, \
             last_outcome, last_status) \
             SELECT company, event, 'ep_' || i % 6, at, CASE WHEN i % 6 = 5 THEN 'form.submitted' ELSE 'booking.' || (ARRAY['created', 'rescheduled', 'cancelled'])[1 + i / 6 % 3] END, \
             'event', status, 1, at, CASE WHEN status = 'delivered' THEN 'delivered' WHEN i % 3 = 0 THEN 'timeout' ELSE 'http_status' END, \
             CASE WHEN status = 'delivered' THEN 204 WHEN i % 3 > 0 THEN 500 + i / 20 % 4 END \
             FROM (SELECT i, {company} AS company, 'evt_' || md5(i::text) AS event, now() - i * interval '{seconds} s' AS at, \
             CASE WHEN i <= {newest} AND i % 4 = 0 THEN 'retrying' WHEN i > {newest} AND i % {every} = 0 THEN 'failed' \
             ELSE 'delivered' END AS status FROM generate_series(1, {rows}) i) made"
        ))
        .await?;
    filled
        .execute(
            "INSERT INTO dead_letters (company, event, endpoint, failed_at, type, origin, reason, attempts, last_outcome, \
             last_status, created_at, data) SELECT company, event, endpoint, created_at, type, origin, 'retries_exhausted', 4, \
             last_outcome, last_status, created_at, convert_to('{\"a\":\"' || repeat(md5(event), 30) || '\"}', 'UTF8') \
             FROM deliveries WHERE status = 'failed'",
        )
        .await?;
    filled
        .execute(
            "INSERT INTO attempts (id, started_at, company, event, endpoint, type, url, origin, attempt, duration_ms, outcome, \
             status, is_final, request_headers, response_headers) SELECT gen_random_uuid(), created_at, company, event, \
             endpoint, type, 'https://crm.example.com/hooks', origin, 1, 12, last_outcome, last_status, status <> 'retrying', \
             '{\"content-type\":\"application/json\",\"webhook-attempt\":\"1\"}', '{\"server\":\"bench\"}' FROM deliveries",
        )
        .await?;
    filled
        .execute(
            "INSERT INTO events (recorded_at, company, id, type, created_at, data) SELECT created_at, company, event, type, \
             created_at, convert_to('{\"a\":\"' || md5(event) || '\"}', 'UTF8') FROM deliveries ORDER BY created_at",
        )
        .await?;
    filled.execute(COUNTS).await?;
    filled.execute(ENDPOINTS).await?;
    // As the server does it by itself in the course of a day.
    for table in [
        "deliveries",
        "attempts",
        "events",
        "dead_letters",
        "attempt_counts",
    ] {
        filled.execute(&format!("VACUUM (ANALYZE) {table}")).await?;
    }
    Ok(())
}

/// What recording counts of these attempts: minutes of the last day, hours of the last week.
const COUNTS: &str = "\
INSERT INTO attempt_counts SELECT r.company, r.step_s, r.at, r.endpoint, count(*), \
    count(*) FILTER (WHERE outcome = 'delivered'), count(*) FILTER (WHERE outcome <> 'delivered' AND is_final), \
    0, 0, count(status), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
FROM attempts a CROSS JOIN LATERAL (VALUES \
    ('' COLLATE \"C\", 60, date_trunc('minute', started_at), '' COLLATE \"C\"), \
    ('', 3600, date_trunc('hour', started_at), ''), \
    (a.company, 60, date_trunc('minute', started_at), ''), \
    (a.company, 3600, date_trunc('hour', started_at), a.endpoint)) AS r (company, step_s, at, endpoint) \
WHERE started_at > now() - CASE r.step_s WHEN 60 THEN interval '26 hours' ELSE interval '8 days' END \
GROUP BY 1, 2, 3, 4";

/// The endpoints that they were sent to. Nothing is sent here, so that nobody opens their secrets.
const ENDPOINTS: &str = "\
INSERT INTO endpoints (company, id, url, format, secret) \
    SELECT DISTINCT company, endpoint, 'https://crm.example.com/hooks', 'meeva', ''::bytea FROM attempt_counts \
    WHERE endpoint <> ''; \
INSERT INTO endpoint_health (company, endpoint, last_success_at) SELECT company, id, now() FROM endpoints";

/// The days, by the names that the console gives them.
fn days() -> String {
    format!(
        "DO $$ DECLARE t text; d date; n text; BEGIN FOREACH t IN ARRAY ARRAY['attempts', 'deliveries', 'events'] LOOP \
         FOR ago IN 0..{DAYS} LOOP d := (now() AT TIME ZONE 'UTC')::date - ago; n := t || '_' || to_char(d, 'YYYYMMDD'); \
         IF to_regclass(n) IS NULL THEN EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', n, t, \
         d || ' 00:00:00+00', (d + 1) || ' 00:00:00+00'); END IF; END LOOP; END LOOP; END $$"
    )
}
