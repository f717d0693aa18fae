//! The time that charts show, as it stands in the address. Pure.

use hookline_store::Step;
use maud::{Markup, html};

/// How far charts reach back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    Hour,
    Day,
    Week,
}

impl Window {
    const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// As the address has it; an hour where it has none.
    pub(super) fn parse(text: &str) -> Self {
        let named = Self::ALL.into_iter().find(|window| window.name() == text);
        named.unwrap_or(Self::Hour)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// As a sentence has it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Hour => "the last hour",
            Self::Day => "the last 24 hours",
            Self::Week => "the last 7 days",
        }
    }

    /// How long a step is, in seconds, and how many there are: about as many as can be told apart on a phone.
    pub(super) fn steps(self) -> (u32, u32) {
        match self {
            Self::Hour => (60, 60),
            Self::Day => (1_800, 48),
            Self::Week => (10_800, 56),
        }
    }

    /// What the axis of amounts measures.
    pub(super) fn per_step(self) -> &'static str {
        match self {
            Self::Hour => "per minute",
            Self::Day => "per half hour",
            Self::Week => "per 3 hours",
        }
    }

    /// Which counts it is drawn from.
    pub(super) fn rows(self) -> Step {
        match self {
            Self::Hour | Self::Day => Step::Minute,
            Self::Week => Step::Hour,
        }
    }

    /// The choice between all, on the page at this path.
    pub(super) fn choice(self, path: &str) -> Markup {
        html! {
            nav.tabs aria-label="Time shown" {
                @for window in Self::ALL {
                    a href={ (path) "?window=" (window.name()) } aria-current=[(window == self).then_some("page")] {
                        "Last " (window.words().trim_start_matches("the last "))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_known_by_its_name_and_anything_else_is_an_hour() {
        for window in Window::ALL {
            assert_eq!(Window::parse(window.name()), window);
        }
        assert_eq!(Window::parse("<script>"), Window::Hour);
    }

    #[test]
    fn steps_are_as_long_as_the_window_and_whole_rows() {
        for (window, seconds) in [
            (Window::Hour, 3_600),
            (Window::Day, 86_400),
            (Window::Week, 604_800),
        ] {
            let (step_s, number) = window.steps();
            assert_eq!(step_s * number, seconds);
            assert_eq!(i64::from(step_s) % i64::from(window.rows().seconds()), 0);
        }
    }

    #[test]
    fn the_choice_says_which_is_shown() {
        let html = Window::Day.choice("/overview").into_string();
        assert!(
            html.contains(r#"<a href="/overview?window=24h" aria-current="page">Last 24 hours</a>"#),
            "{html}"
        );
        assert_eq!(html.matches("aria-current").count(), 1);
    }
}
