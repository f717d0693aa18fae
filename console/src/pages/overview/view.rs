//! How both pages are made: the sentence, problems, the choice of time, figures, charts, and what else there is. All of it
//! renews itself while nobody reads in it.

use hookline_common::ids::CompanyId;
use hookline_store::{Counts, StoreError};
use jiff::Timestamp;
use maud::{Markup, html};

use super::super::charts::Steps;
use super::super::parts::{head, renewed};
use super::figures::figures;
use super::over_time::charts;
use super::sentence::{Situation, sentence};
use super::window::Window;
use crate::app::App;

/// How often the page asks for itself, in seconds.
const RENEWED_EVERY_S: u32 = 5;

/// What was counted.
pub(super) struct Counted {
    /// Of the last hour.
    pub(super) hour: Counts,
    /// Of the time that is shown.
    pub(super) steps: Steps,
}

/// What was counted of a company, or of all.
pub(super) async fn counted(
    app: &App,
    company: Option<&CompanyId>,
    window: Window,
) -> Result<Counted, StoreError> {
    let now = Timestamp::now();
    let steps = async |window: Window| {
        let (step_s, number) = window.steps();
        let begin = Steps::begin(now, step_s, number);
        let found = app
            .store()
            .counts(company, window.rows(), (begin, now), step_s)
            .await?;
        Ok::<Steps, StoreError>(Steps::fill(begin, step_s, number, &found))
    };
    let shown = steps(window).await?;
    let hour = if window == Window::Hour {
        shown.total()
    } else {
        steps(Window::Hour).await?.total()
    };
    Ok(Counted { hour, steps: shown })
}

/// A page, with all that differs.
pub(super) struct View<'a> {
    pub(super) title: &'static str,
    pub(super) path: &'a str,
    pub(super) window: Window,
    pub(super) situation: &'a Situation,
    pub(super) steps: &'a Steps,
    /// Where what failed for good is listed.
    pub(super) failed_path: Option<&'a str>,
    /// What to do about it.
    pub(super) actions: Markup,
    pub(super) problems: Markup,
    pub(super) more: Markup,
}

impl View<'_> {
    pub(super) fn body(&self) -> Markup {
        let (tone, text) = sentence(self.situation);
        let total = self.steps.total();
        html! {
            (head(&[], self.title, &renewed()))
            div #overview.flow data-renew=(RENEWED_EVERY_S) {
                div class={ "verdict-line " (tone.class()) } {
                    p { (text) }
                    (self.actions)
                }
                (self.problems)
                // Before anything is registered there is nothing to count.
                @if self.situation.standings.endpoints() > 0 || total.attempts > 0 {
                    (self.window.choice(self.path))
                    (figures(&total, self.situation.backlog.as_ref(), self.failed_path))
                    (charts(self.steps, self.window))
                }
                (self.more)
            }
        }
    }
}
