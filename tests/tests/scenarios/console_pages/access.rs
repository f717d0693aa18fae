//! Who sees which page, and what of another company's is not there.

use hookline_console::api::Access;
use hookline_console::pages::pages;
use hookline_tests::browser::Browser;
use hookline_tests::console::console_scenario;

use super::{ask, audit_lines, browser, id_of, member, operator, path};

#[tokio::test]
async fn every_page_is_for_whom_its_row_says_and_another_company_is_not_there() {
    console_scenario(async |console, database| {
        let (operator, acme, nobody) = (
            operator(console).await,
            member(console, "acme").await,
            browser(console),
        );
        let (of_operator, of_acme) = (operator.proof().await, acme.proof().await);
        for (number, page) in pages().iter().enumerate() {
            let told = format!("{} {}", page.method, page.path);
            if page.access == Access::Public || page.path == "/sign-out" {
                continue;
            }
            let is_form = page.method == "POST";
            let globex = format!("globex-{number}");
            let id = id_of(console, database, page, &globex).await;
            let lines = audit_lines(console, &globex).await;
            let path_of_globex = path(page, &globex, &id);
            // Nobody is asked to sign in, or is refused.
            let strange = ask(&nobody, page, &path_of_globex, "").await;
            assert_eq!(
                strange.status,
                if is_form { 403 } else { 303 },
                "{told}: {strange:?}"
            );
            if page.access == Access::SignedIn {
                continue;
            }
            // Another company's people see what they would see of one that is not there.
            let foreign = ask(&acme, page, &path_of_globex, &of_acme).await;
            assert_eq!(foreign.status, 404, "{told}: {foreign:?}");
            let none = ask(&acme, page, &path(page, "nobody", &id), &of_acme).await;
            assert_eq!(foreign.body, none.body, "{told}");
            assert!(!foreign.body.contains(&globex), "{told}");
            assert_eq!(audit_lines(console, &globex).await, lines, "{told}");
            // Of their own company they see all but what is the operator's.
            if page.access == Access::Admin {
                let own = ask(&acme, page, &path(page, "acme", &id), &of_acme).await;
                assert_eq!(own.status, 403, "{told}");
            } else if page.path.contains("{id}") {
                let own = ask(&acme, page, &path(page, "acme", &id), &of_acme).await;
                assert_eq!(own.status, 404, "another company's id, {told}");
            }
            // Whom it is for gets it; the test event names no type that there is, and nothing of a delivery was kept.
            let shown = ask(&operator, page, &path_of_globex, &of_operator).await;
            let is_incomplete = is_form && page.path.ends_with("/test") || page.path.contains("{endpoint}/");
            assert_eq!(shown.status >= 400, is_incomplete, "{told}: {shown:?}");
        }
        // The operator's list of companies is nothing to a company's people.
        assert_eq!(acme.get("/companies").await.status, 404);
        assert_eq!(
            Browser::location(&acme.get("/").await),
            Some("/companies/acme/overview")
        );
    })
    .await;
}
