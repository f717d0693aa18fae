//! Everything that is described stands on the page, and nothing of it is taken for HTML.

use serde_json::json;

use super::*;

#[test]
fn every_route_and_every_body_stands_on_the_page() {
    let description = crate::api::description();
    let page = page(&description);
    for route in crate::api::routes() {
        let told = format!("<code><b>{}</b> {}</code>", route.method, route.path);
        assert!(page.contains(&told), "{told}");
    }
    let api: Value = serde_json::from_str(&description).unwrap();
    for (name, _) in members(&api["components"]["schemas"]) {
        assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name}");
    }
    // Each link within the page leads somewhere.
    for link in page.split("href=\"#").skip(1) {
        let target = link.split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{target}\"")), "{target}");
    }
    for link in page.split("href=\"").skip(1) {
        assert!(link.starts_with(['#', '/']), "{link:.40}");
    }
    for never in ["<script", "<style", "style=", "src=", "\"http"] {
        assert!(!page.contains(never), "{never}");
    }
}

#[test]
fn texts_of_the_description_are_texts_of_the_page() {
    let api = json!({"info": {"title": "<b>&\"'"}, "tags": []});
    let page = page(&api.to_string());
    assert!(page.contains("<h1>&lt;b&gt;&amp;&quot;&#39; API</h1>"), "{page}");
}
