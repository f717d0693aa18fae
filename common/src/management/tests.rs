use serde_json::json;

use super::answers::{Page, alarms_of};
use super::{AlarmKind, ManagementUrl, NodeInfo, QueueInfo, pattern_for};

#[test]
fn a_url_is_printed_without_its_account_and_gives_it_decoded() {
    let url = ManagementUrl::parse("https://ops:p%40ss@rabbit:15671/mq/").unwrap();
    assert_eq!(url.account(), Some(("ops", "p@ss")));
    assert_eq!(url.to_string(), "https://rabbit:15671/mq/");
    assert!(!format!("{url:?}").contains("ss@"));
    assert_eq!(
        url.join(&["api", "queues", "/"]).as_str(),
        "https://rabbit:15671/mq/api/queues/%2F"
    );
    assert_eq!(
        ManagementUrl::parse("http://h:15672")
            .unwrap()
            .join(&["api"])
            .as_str(),
        "http://h:15672/api"
    );
    assert_eq!(ManagementUrl::parse("http://h:15672").unwrap().account(), None);
}

#[test]
fn other_texts_are_refused_without_being_repeated() {
    for bad in [
        "",
        "rabbit:15672",
        "amqp://guest:s3cret@h",
        "http://",
        "http://u:s3cret@h/?a=b",
        "http://u:s3cret@h/#x",
    ] {
        let error = ManagementUrl::parse(bad).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{bad}: {error}");
    }
}

#[test]
fn an_answer_is_read_with_and_without_what_versions_leave_out() {
    let page = json!({
        "page_count": 1,
        "items": [
            {
                "name": "hookline.failed", "type": "quorum", "messages_ready": 3, "messages_unacknowledged": 1, "messages": 4,
                "consumers": 2, "members": ["a", "b"], "online": ["a"], "leader": "a", "policy": "all",
                "operator_policy": null, "effective_policy_definition": {"max-length": 10}, "arguments": {"x-queue-type": "quorum"}
            },
            {"name": "hookline.due", "policy": "", "effective_policy_definition": [], "arguments": []}
        ]
    });
    let page: Page<QueueInfo> = serde_json::from_value(page).unwrap();
    let [full, bare] = page.items.try_into().unwrap();
    assert_eq!(
        (full.ready, full.unacked, full.consumers, full.online.len()),
        (Some(3), Some(1), Some(2), 1)
    );
    assert_eq!(
        full.effective_policy_definition.get("max-length"),
        Some(&json!(10))
    );
    assert_eq!(
        (full.policy.as_deref(), full.operator_policy),
        (Some("all"), None)
    );
    assert_eq!((bare.policy, bare.ready), (None, None));
    assert!(bare.effective_policy_definition.is_empty() && bare.arguments.is_empty());
}

#[test]
fn each_alarm_is_told_with_its_node_and_bound() {
    let nodes: Vec<NodeInfo> = serde_json::from_value(json!([
        {"name": "a", "running": true, "mem_alarm": true, "mem_used": 9, "mem_limit": 8, "disk_free_alarm": true},
        {"name": "b", "running": false},
    ]))
    .unwrap();
    let alarms = alarms_of(&nodes);
    assert_eq!(alarms.len(), 2);
    assert_eq!((alarms[0].kind, alarms[0].limit), (AlarmKind::Memory, Some(8)));
    assert_eq!((alarms[1].kind, alarms[1].node.as_str()), (AlarmKind::Disk, "a"));
}

#[test]
fn a_prefix_is_no_pattern() {
    assert_eq!(pattern_for("hookline."), "^hookline\\.");
}
