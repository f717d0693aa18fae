#![allow(clippy::unwrap_used)]
use super::*;

fn line(data: &str) -> Vec<u8> {
    let (event, event_type) = (EventId::new(), EventType::parse("booking.created").unwrap());
    let (company, endpoint) = (
        CompanyId::parse("acme").unwrap(),
        EndpointId::parse("ep").unwrap(),
    );
    let line = RecordLine {
        id: "0192f0c0",
        event: &event,
        event_type: &event_type,
        company: &company,
        endpoint: &endpoint,
        url: "https://crm.example.com/hooks",
        origin: "event",
        attempt: 1,
        started_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        duration_ms: 12,
        outcome: Outcome::HttpStatus,
        status: Some(500),
        error: Some("body_incomplete"),
        response: Some("no \"luck\"".into()),
        next_attempt_at: Some("2026-01-02T03:05:05.678Z".parse().unwrap()),
        is_final: false,
        trace_id: None,
        request_headers: HeaderList(vec![("webhook-id", "evt_1".into())]),
        response_headers: HeaderList(vec![("server", "x".into())]),
        created_at: Some("2026-01-02T03:04:05.500Z".parse().unwrap()),
        data: Some(data),
    };
    line.to_bytes().unwrap()
}

fn batch(lines: &[&str]) -> Batch {
    let mut batch = Batch::default();
    lines.iter().for_each(|data| batch.push(line(data)).unwrap());
    batch
}

fn data_of(batch: &Batch) -> Vec<Option<String>> {
    let records = Batch::read(&batch.to_message().unwrap()).unwrap();
    records.into_iter().map(|record| record.unwrap().data).collect()
}

#[test]
fn a_borrowed_line_reads_as_the_record_that_it_tells_of() {
    let bytes = line("{\"a\":\n1}");
    let record: AttemptRecord = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(record.data.as_deref(), Some("{\"a\":\n1}"));
    assert_eq!(record.request_headers["webhook-id"], "evt_1");
    // Written again by its owner, it is the same but for the order of its members.
    let (ours, theirs): (serde_json::Value, serde_json::Value) = (
        serde_json::from_slice(&bytes).unwrap(),
        serde_json::to_value(&record).unwrap(),
    );
    assert_eq!(ours, theirs);
}

#[test]
fn a_batch_takes_so_many_records_and_no_more() {
    let mut batch = Batch::default();
    (0..Batch::MAX_RECORDS).for_each(|_| batch.push(line("{}")).unwrap());
    assert!(batch.push(line("{}")).is_err());
    let mut batch = Batch::default();
    let long = "x".repeat(Batch::MAX_BYTES);
    batch.push(line(&long)).unwrap();
    assert!(batch.push(line("{}")).is_err());
}

#[test]
fn a_batch_that_is_refused_becomes_smaller_until_nothing_can_be_left_out() {
    let whole = batch(&["1", "2", "3"]);
    let halves = whole.smaller().unwrap();
    let data: Vec<_> = halves.iter().flat_map(data_of).flatten().collect();
    assert_eq!(data, ["1", "2", "3"]);
    let bare = batch(&["1"]).smaller().unwrap();
    assert_eq!(data_of(&bare[0]), [None]);
    assert_eq!(bare[0].smaller(), None);
}
