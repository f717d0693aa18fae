//! The form of an endpoint, for a new one and for one that is there.

use hookline_catalogue::Catalogue;
use hookline_common::endpoint::Format;
use maud::{Markup, html};

use super::draft::{Draft, Fault};
use crate::pages::parts::{fault as whole_fault, field_fault};
use crate::pages::visitor::Visitor;

/// What each format is, for whoever has to choose one.
const FORMATS: [(Format, &str); 4] = [
    (
        Format::Meeva,
        "Body with id, type, createdAt and data; signed with Meeva-Signature too",
    ),
    (
        Format::Meetergo,
        "Body with event and data; names like booking_created",
    ),
    (
        Format::MeetergoFlat,
        "Body with webhookType and the members of data beside it",
    ),
    (
        Format::Standard,
        "Body with type, timestamp and data, as Standard Webhooks proposes",
    ),
];
/// Empty rows for headers where no script adds them.
const SPARE_ROWS: usize = 2;

/// What the form is about.
pub(super) struct Form<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) catalogue: &'a Catalogue,
    pub(super) draft: &'a Draft,
    pub(super) fault: &'a Fault,
    /// Where it is sent.
    pub(super) action: String,
    /// Where a URL is checked while it is typed.
    pub(super) check: String,
    pub(super) submit: &'static str,
    pub(super) cancel: String,
}

impl Form<'_> {
    pub(super) fn render(&self) -> Markup {
        let Self { draft, fault, .. } = self;
        html! {
            @if let Some(text) = fault.at("") { (whole_fault(text)) }
            form.stack method="post" action=(self.action) data-endpoint-form {
                (self.visitor.proof())
                input type="hidden" name="id" value=(draft.id);
                div.field {
                    label for="url" { "URL" }
                    input #url type="url" name="url" value=(draft.url) required maxlength="2048" autocomplete="off" spellcheck="false"
                        inputmode="url" placeholder="https://crm.example.com/hooks" aria-describedby="url-hint url-fault"
                        aria-invalid=[fault.at("url").map(|_| "true")] data-check-url=(self.check);
                    p.hint #url-hint { "Where events are sent: an https address that is reachable from the internet." }
                    (field_fault("url-fault", fault.at("url")))
                }
                (self.formats())
                (self.events())
                (self.headers())
                div.field {
                    label for="description" { "Description " span.optional { "optional" } }
                    input #description name="description" value=(draft.description) maxlength="500" autocomplete="off"
                        aria-describedby="description-hint description-fault";
                    p.hint #description-hint { "What the endpoint is called on these pages. Without one: its host." }
                    (field_fault("description-fault", fault.at("description")))
                }
                div.field.short {
                    label for="rate" { "Rate limit " span.optional { "optional" } }
                    input #rate name="rate" value=(draft.rate) placeholder="50/s" autocomplete="off" spellcheck="false" aria-describedby="rate-hint rate-fault";
                    p.hint #rate-hint { "Requests at most, a second (" code { "50/s" } ") or a minute (" code { "90/m" } "). Without a limit, as many as your server answers." }
                    (field_fault("rate-fault", fault.at("rate")))
                }
                div.actions {
                    button.primary type="submit" { (self.submit) }
                    a.button href=(self.cancel) { "Cancel" }
                }
            }
        }
    }

    fn formats(&self) -> Markup {
        html! {
            fieldset.field.choices {
                legend { "Format" }
                p.hint { "How the body is written. Keep the one that is chosen unless your server expects another." }
                @for (format, about) in FORMATS {
                    label.choice {
                        input type="radio" name="format" value=(format) checked[format == self.draft.format];
                        span { strong { (format) } span.hint { (about) } }
                    }
                }
                (field_fault("format-fault", self.fault.at("format")))
            }
        }
    }

    fn events(&self) -> Markup {
        let draft = self.draft;
        html! {
            fieldset.field.choices aria-describedby="events-fault" {
                legend { "Events" }
                label.choice {
                    input type="radio" name="which" value="all" checked[draft.is_for_all];
                    span { strong { "All events" } span.hint { "Also types that are added later; what Hookline itself tells is picked below" } }
                }
                label.choice {
                    input type="radio" name="which" value="some" checked[!draft.is_for_all];
                    span { strong { "Only these" } }
                }
                div.picker {
                    @for info in self.catalogue.iter() {
                        label.choice {
                            input type="checkbox" name="event" value=(info.name) checked[draft.picked.iter().any(|name| *name == info.name.as_str())];
                            span {
                                code.of-dotted { (info.name_in(Format::Standard)) }
                                code.of-meetergo { (info.name_in(Format::Meetergo)) }
                                span.hint { (info.summary()) }
                            }
                        }
                    }
                    div.field {
                        label for="others" { "Further patterns " span.optional { "optional" } }
                        input #others name="others" value=(draft.others) placeholder="booking.*" autocomplete="off" spellcheck="false" aria-describedby="others-hint";
                        p.hint #others-hint { "With commas between them; " code { "*" } " stands for one or more whole words." }
                    }
                }
                (field_fault("events-fault", self.fault.at("events")))
            }
        }
    }

    fn headers(&self) -> Markup {
        let draft = self.draft;
        html! {
            fieldset.field aria-describedby="headers-hint headers-fault" {
                legend { "Headers " span.optional { "optional" } }
                p.hint #headers-hint { "Sent with every request, for example a token that your server asks for. Values are kept sealed and are not shown again." }
                @for kept in &draft.kept {
                    div.pair {
                        input type="hidden" name="kept_name" value=(kept.name);
                        code.pair-name { (kept.name) }
                        input name="kept_value" value=(kept.value) placeholder="unchanged" autocomplete="off" spellcheck="false" aria-label={ "New value of " (kept.name) };
                        label.inline { input type="checkbox" name="drop" value=(kept.name) checked[kept.is_dropped]; "Remove" }
                    }
                }
                div data-header-rows {
                    @for (name, value) in &draft.added { (pair(name, value)) }
                    @for _ in 0..SPARE_ROWS { (pair("", "")) }
                }
                button.needs-script type="button" data-add-header { "One more header" }
                (field_fault("headers-fault", self.fault.at("headers")))
            }
        }
    }
}

fn pair(name: &str, value: &str) -> Markup {
    html! {
        div.pair {
            input name="header_name" value=(name) placeholder="name" autocomplete="off" spellcheck="false" aria-label="Name of a header";
            input name="header_value" value=(value) placeholder="value" autocomplete="off" spellcheck="false" aria-label="Its value";
        }
    }
}
