//! Which deliveries a page is asked for: as its address says it, as a form keeps it, and as chips that can be taken off. What
//! may be asked for is the API's own rule.

use hookline_catalogue::Catalogue;
use hookline_store::{DeliveryCursor, DeliveryFilter};
use url::form_urlencoded::Serializer;

use crate::api::deliveries::{Asked, DeliveryQuery};
use crate::pages::fields::Fields;
use crate::pages::words::moment;

/// What can be asked for, by the names that the API has for it.
pub(super) const NAMES: [&str; 7] = ["endpoint", "type", "status", "outcome", "event", "since", "until"];

/// What was asked for.
pub(super) struct Filter {
    /// What stands in the form, whatever it is.
    typed: Vec<(&'static str, String)>,
    /// The same as the API would be asked.
    values: Vec<(&'static str, String)>,
    /// What is wrong with which.
    faults: Vec<(String, String)>,
    /// What that means; none where something is wrong.
    checked: Option<Asked>,
    is_untidy: bool,
}

impl Filter {
    pub(super) fn read(query: &Fields, catalogue: &Catalogue) -> Self {
        let given = |name: &'static str| Some((name, query.given(name)?));
        let typed: Vec<(&'static str, String)> = NAMES.into_iter().filter_map(given).collect();
        let values: Vec<(&'static str, String)> = typed
            .iter()
            .map(|(name, text)| match *name {
                "since" | "until" => (*name, moment(text)),
                _ => (*name, text.clone()),
            })
            .collect();
        let mut faults = Vec::new();
        for (name, value) in &values {
            let alone = DeliveryQuery::named(|wanted| (wanted == *name).then(|| value.clone()));
            if let Err(problem) = alone.checked(catalogue) {
                faults.push(told(problem.detail()));
            }
        }
        let mut checked = None;
        if faults.is_empty() {
            let all = DeliveryQuery::named(|wanted| {
                let known = values.iter().find(|(name, _)| *name == wanted);
                let value = known.map(|(_, value)| value.clone());
                value.or_else(|| query.given("cursor").filter(|_| wanted == "cursor"))
            });
            match all.checked(catalogue) {
                Ok(asked) => checked = Some(asked),
                Err(problem) => faults.push(told(problem.detail())),
            }
        }
        let has_empty = NAMES.into_iter().any(|name| query.has(name, ""));
        Self {
            is_untidy: faults.is_empty() && (has_empty || typed != values),
            typed,
            values,
            faults,
            checked,
        }
    }

    /// What stands in a field.
    pub(super) fn typed(&self, name: &str) -> &str {
        find(&self.typed, name)
    }

    /// What is wrong with it.
    pub(super) fn fault(&self, name: &str) -> Option<&str> {
        let found = self.faults.iter().find(|(of, _)| of == name);
        found.map(|(_, text)| text.as_str())
    }

    /// What is wrong with no field.
    pub(super) fn other_faults(&self) -> impl Iterator<Item = &str> {
        let others = self.faults.iter().filter(|(of, _)| !NAMES.contains(&of.as_str()));
        others.map(|(_, text)| text.as_str())
    }

    /// What is asked of the log; none where something is wrong.
    pub(super) fn asked(&self) -> Option<(&DeliveryFilter, Option<&DeliveryCursor>)> {
        let asked = self.checked.as_ref()?;
        Some((&asked.filter, asked.cursor.as_ref()))
    }

    /// Whether this is a later page of the list.
    pub(super) fn is_later_page(&self) -> bool {
        self.checked.as_ref().is_some_and(|asked| asked.cursor.is_some())
    }

    /// Whether its address has a shorter one that says the same.
    pub(super) fn is_untidy(&self) -> bool {
        self.is_untidy
    }

    /// What is set, as the API would be asked.
    fn values(&self) -> Vec<(&str, &str)> {
        let values = self.values.iter();
        values.map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// One of them; empty where it is not set.
    pub(super) fn value(&self, name: &str) -> &str {
        find(&self.values, name)
    }

    /// Whether nothing is set.
    pub(super) fn is_empty(&self) -> bool {
        self.typed.is_empty()
    }

    /// The address of the same list.
    pub(super) fn address(&self, list: &str) -> String {
        address(list, self.values().into_iter())
    }

    /// The address of the list with all of it but this.
    pub(super) fn address_without(&self, list: &str, name: &str) -> String {
        address(
            list,
            self.values().into_iter().filter(|(known, _)| *known != name),
        )
    }

    /// The address with this in place of what was set.
    pub(super) fn address_with(&self, list: &str, name: &str, value: &str) -> String {
        let others = self.values().into_iter().filter(|(known, _)| *known != name);
        address(list, others.chain([(name, value)]))
    }

    /// The address of the page behind this one.
    pub(super) fn address_of_next(&self, list: &str, next: &DeliveryCursor) -> String {
        let cursor = next.to_string();
        address(
            list,
            self.values().into_iter().chain([("cursor", cursor.as_str())]),
        )
    }
}

/// The address of a list with a filter.
fn address<'a>(list: &str, values: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let query = Serializer::new(String::new()).extend_pairs(values).finish();
    if query.is_empty() {
        list.to_owned()
    } else {
        format!("{list}?{query}")
    }
}

fn find<'a>(pairs: &'a [(&'static str, String)], name: &str) -> &'a str {
    let found = pairs.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// A problem of the API as the field that it is about, and what is wrong with it.
fn told(detail: &str) -> (String, String) {
    let (field, text) = detail.split_once(": ").unwrap_or(("", detail));
    let text = match field {
        "since" | "until" if text.contains("RFC 3339") => {
            "must be a time in UTC, like 2030-01-15 14:30".to_owned()
        }
        "cursor" => "this list has no such page; begin with the first one".to_owned(),
        _ => text.replace('`', ""),
    };
    (field.to_owned(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Filter {
        Filter::read(&Fields::parse(query.as_bytes()), &Catalogue::built_in())
    }

    #[test]
    fn a_filter_stands_in_the_address_and_each_part_can_be_taken_off() {
        let filter = read("type=booking_created&status=failed&event=+evt_1+");
        assert!(filter.asked().is_some() && !filter.is_untidy());
        let list = "/d";
        assert_eq!(
            filter.address(list),
            "/d?type=booking_created&status=failed&event=evt_1"
        );
        assert_eq!(
            filter.address_without(list, "type"),
            "/d?status=failed&event=evt_1"
        );
        assert_eq!(
            filter.address_with(list, "status", "retrying"),
            "/d?type=booking_created&event=evt_1&status=retrying"
        );
        assert_eq!(read("").address(list), list);
        let (asked, _) = filter.asked().unwrap();
        assert_eq!(asked.event_type.as_ref().unwrap().as_str(), "booking.created");
    }

    #[test]
    fn times_are_taken_as_people_write_them() {
        for (typed, value) in [
            ("2030-01-15+14:30", "2030-01-15T14:30:00Z"),
            ("2030-01-15+14:30:05+UTC", "2030-01-15T14:30:05Z"),
            ("2030-01-15T14:30", "2030-01-15T14:30:00Z"),
            ("2030-01-15", "2030-01-15T00:00:00Z"),
            ("2030-01-15T14:30:00%2B01:00", "2030-01-15T14:30:00+01:00"),
        ] {
            let filter = read(&format!("since={typed}"));
            assert_eq!(filter.value("since"), value, "{typed}");
            assert!(filter.asked().is_some(), "{typed}");
        }
        assert!(read("since=2030-01-15").is_untidy() && read("endpoint=").is_untidy());
    }

    #[test]
    fn what_is_wrong_is_told_at_its_field_which_keeps_it() {
        let filter = read("endpoint=a+b&status=lost&since=yesterday&outcome=timeout");
        assert!(filter.asked().is_none() && !filter.is_untidy());
        for (field, typed, part) in [
            ("endpoint", "a b", ""),
            ("status", "lost", "must be delivered"),
            ("since", "yesterday", "2030-01-15 14:30"),
        ] {
            assert_eq!(filter.typed(field), typed);
            assert!(filter.fault(field).unwrap().contains(part), "{field}");
        }
        assert_eq!(filter.fault("outcome"), None);
        let span = read("since=2030-01-02&until=2030-01-01");
        assert!(span.fault("until").unwrap().contains("after since"));
        assert_eq!(read("cursor=c1").other_faults().count(), 1);
        assert!(
            read("nothing=x").asked().is_some(),
            "what is not known is not ours"
        );
    }
}
