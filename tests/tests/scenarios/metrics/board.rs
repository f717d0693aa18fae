//! The board is one that Grafana can load: what it needs of each panel is there, and no panel lies on another. No service is
//! needed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::file;

/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;

fn number(panel: &Value, name: &str) -> u64 {
    panel["gridPos"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name} in {panel}"))
}

#[test]
fn panels_have_what_grafana_needs_and_do_not_overlap() {
    let board: Value = serde_json::from_str(&file("deploy/grafana/hookline.json")).unwrap();
    assert!(
        board["schemaVersion"].as_u64() >= Some(36)
            && board["uid"] == "hookline"
            && board["title"] == "Hookline"
    );
    let variables: Vec<_> = board["templating"]["list"].as_array().unwrap().iter().collect();
    assert_eq!(variables[0]["type"], "datasource");
    assert_eq!(variables[1]["name"], "namespace");
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in board["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "two panels of one id: {title}"
        );
        let (x, y, w, h) = (
            number(panel, "x"),
            number(panel, "y"),
            number(panel, "w"),
            number(panel, "h"),
        );
        assert!(w > 0 && h > 0 && x + w <= COLUMNS, "{title}");
        for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |row| (column, row))) {
            assert!(taken.insert(cell), "{title} lies on another");
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(
            ["timeseries", "stat"].contains(&panel["type"].as_str().unwrap()),
            "{title}"
        );
        let targets = panel["targets"].as_array().unwrap();
        let names: BTreeSet<_> = targets
            .iter()
            .map(|target| target["refId"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), targets.len(), "{title}");
        for target in targets {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            assert!(
                target["expr"]
                    .as_str()
                    .is_some_and(|query| query.contains("$namespace")),
                "{title}"
            );
        }
    }
}
