//! What somebody wants done with which: with those that they picked, or with all that the filter means.

use hookline_catalogue::Catalogue;
use hookline_common::ids::{EndpointId, EventId};
use hookline_store::DeadLetterFilter;
use jiff::Timestamp;
use maud::{Markup, html};

use super::filter::Filter;
use crate::pages::fields::Fields;
use crate::problem::Problem;

/// Rows that can be picked at once: a page has no more.
const MAX_PICKED: usize = 200;

/// What a form of the list says.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// The list's own filter.
    pub(super) filter: Filter,
    /// Event and endpoint of each that was picked, as `event/endpoint`; none where all are meant.
    picks: Vec<String>,
    /// Whether the button of a single row was used.
    pub(super) is_one: bool,
    /// Whether those are meant as well that were retried and have not come back.
    pub(super) is_again: bool,
    /// Whether the question was answered.
    pub(super) is_sure: bool,
    /// When it was asked: what failed later is not meant.
    asked_at: Option<Timestamp>,
}

impl Chosen {
    /// As the form came; `None` where nothing was picked.
    pub(super) fn read(fields: &Fields) -> Option<Self> {
        let one = fields.given("one");
        let is_all = fields.text("which") == "all";
        let picks: Vec<String> = match &one {
            Some(one) => vec![one.clone()],
            None if is_all => Vec::new(),
            None => fields.all("pick").map(str::to_owned).collect(),
        };
        if picks.is_empty() && !is_all {
            return None;
        }
        Some(Self {
            filter: Filter::of(fields),
            picks,
            is_one: one.is_some(),
            is_again: fields.has("again", "1"),
            is_sure: fields.has("sure", "1"),
            asked_at: fields.text("asked_at").parse().ok(),
        })
    }

    /// Which those are; with `only_open` without those that are under way.
    pub(super) fn meant(&self, catalogue: &Catalogue, only_open: bool) -> Result<DeadLetterFilter, Problem> {
        if self.picks.is_empty() {
            let filter = self.filter.checked(catalogue)?;
            return Ok(DeadLetterFilter {
                until: [filter.until, self.asked_at].into_iter().flatten().min(),
                only_open: only_open || filter.only_open,
                ..filter
            });
        }
        if self.picks.len() > MAX_PICKED {
            let detail =
                format!("at most {MAX_PICKED} can be picked at once; narrow the list, and take all of it");
            return Err(Problem::invalid(detail));
        }
        // Nobody types these: what cannot be read is nothing that is there.
        let picked = self.picks.iter().map(|pick| {
            let (event, endpoint) = pick.split_once('/').ok_or_else(Problem::not_found)?;
            let event = EventId::parse(event).map_err(|_| Problem::not_found())?;
            let endpoint = EndpointId::parse(endpoint).map_err(|_| Problem::not_found())?;
            Ok((event, endpoint))
        });
        Ok(DeadLetterFilter {
            picked: picked.collect::<Result<_, Problem>>()?,
            only_open,
            ..DeadLetterFilter::default()
        })
    }

    /// The same once more, in the form that answers the question.
    pub(super) fn hidden(&self) -> Markup {
        let asked_at = self.asked_at.unwrap_or_else(Timestamp::now);
        html! {
            (self.filter.hidden())
            @if self.picks.is_empty() {
                input type="hidden" name="which" value="all";
                input type="hidden" name="asked_at" value=(asked_at);
            }
            @for pick in &self.picks { input type="hidden" name="pick" value=(pick); }
            input type="hidden" name="sure" value="1";
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Option<Chosen> {
        Chosen::read(&Fields::parse(form.as_bytes()))
    }

    #[test]
    fn picked_ones_are_meant_alone_and_all_by_the_filter() {
        let catalogue = Catalogue::built_in();
        let picked = read("endpoint=ep_1&which=picked&pick=evt_1/ep_1&pick=evt_2/ep_2").unwrap();
        let meant = picked.meant(&catalogue, true).unwrap();
        assert_eq!(
            (meant.picked.len(), meant.endpoint.is_none(), meant.only_open),
            (2, true, true)
        );
        let one = read("pick=evt_1/ep_1&one=evt_3/ep_3").unwrap();
        assert!(one.is_one);
        assert_eq!(one.meant(&catalogue, true).unwrap().picked[0].0.as_str(), "evt_3");
        let all = read("endpoint=ep_1&which=all&pick=evt_1/ep_1").unwrap();
        let meant = all.meant(&catalogue, false).unwrap();
        assert!(meant.picked.is_empty() && meant.endpoint.is_some() && !meant.only_open);
        // Nothing picked must never mean everything.
        for nothing in ["", "which=picked", "which=picked&endpoint=ep_1", "sure=1"] {
            assert!(read(nothing).is_none(), "{nothing}");
        }
        for bad in ["pick=evt_1", "pick=evt_1/", "pick=%00/ep_1"] {
            assert!(read(bad).unwrap().meant(&catalogue, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_failed_after_the_question_is_not_meant() {
        let catalogue = Catalogue::built_in();
        let asked: Timestamp = "2030-01-15T14:30:00Z".parse().unwrap();
        for (form, until) in [
            ("which=all&asked_at=2030-01-15T14:30:00Z", Some(asked)),
            (
                "which=all&asked_at=2030-01-15T14:30:00Z&until=2031-01-01T00:00",
                Some(asked),
            ),
            (
                "which=all&until=2029-01-01T00:00",
                "2029-01-01T00:00:00Z".parse().ok(),
            ),
            ("which=all", None),
        ] {
            assert_eq!(
                read(form).unwrap().meant(&catalogue, false).unwrap().until,
                until,
                "{form}"
            );
        }
        let again = read("which=all").unwrap().hidden().into_string();
        assert!(
            again.contains("name=\"asked_at\"") && again.contains("name=\"sure\""),
            "{again}"
        );
    }
}
