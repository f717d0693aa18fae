//! Certificates: a booking's life is played against an endpoint, in the background, with the endpoint's own keys and format and
//! behind the dispatchers' guard. What comes of it is written down check by check, so that any console can show it.

use std::time::Duration;

use hookline_certify::{CertifyError, Check, PAUSE, Partner, Report, play};
use hookline_common::ids::{CompanyId, EndpointId};
use hookline_store::{Actor, CertificateRun, CertificateStart};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::app::App;
use crate::problem::Problem;
use crate::settings::Certifying;

/// How long all of one may take: some thirty requests, one after the other, have five seconds each.
pub(crate) const PLAYED_WITHIN: Duration = Duration::from_secs(180);
/// From when on nobody waits for one of which nothing more is heard: its console is gone.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(240);
/// How often its end is written down where the database does not take it, and how long between two tries.
const TRIES: u32 = 10;
const TRY_EVERY: Duration = Duration::from_secs(3);

/// What is written down of a certificate.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The checks that have ended.
    pub(crate) checks: Vec<Check>,
    /// What the ids of all its bookings begin with, and whether it was passed: once it has ended.
    pub(crate) ended: Option<Ended>,
    /// Why it was not played, or not to its end.
    pub(crate) fault: Option<String>,
}

/// The end of one.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) passed: bool,
    pub(crate) bookings: String,
}

impl From<Report> for Account {
    fn from(report: Report) -> Self {
        Self {
            ended: Some(Ended {
                passed: report.passed,
                bookings: report.bookings,
            }),
            checks: report.checks,
            fault: None,
        }
    }
}

impl Account {
    fn not_played(fault: impl Into<String>) -> Self {
        Self {
            fault: Some(fault.into()),
            ..Self::default()
        }
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Begins a certificate, which goes on by itself. `verifies` says whether the endpoint's server checks signatures.
pub(crate) async fn begin(
    app: &App,
    company: &CompanyId,
    id: &EndpointId,
    actor: &Actor,
    verifies: bool,
) -> Result<(), Problem> {
    let Some(certifying) = app.settings().certifying.clone() else {
        return Err(Problem::forbidden(
            "endpoints are not certified here: the platform has switched that off",
        ));
    };
    app.rates()
        .certificate(company)
        .map_err(Problem::too_many_certificates)?;
    let place = app.certificate_places().take();
    let place = place.ok_or_else(|| Problem::too_many_certificates(Duration::from_secs(30)))?;
    match app
        .store()
        .begin_certificate(company, id, GIVEN_UP_AFTER, actor)
        .await?
    {
        CertificateStart::Busy(other) => Err(Problem::certificate_under_way(&other)),
        CertificateStart::Begun(run) => {
            tokio::spawn(go_on(app.clone(), *run, certifying, verifies, place));
            Ok(())
        }
    }
}

/// Plays it within what its company may have of the database at once, and writes down how it ended.
async fn go_on(
    app: App,
    run: CertificateRun,
    certifying: Certifying,
    verifies: bool,
    _place: OwnedSemaphorePermit,
) {
    let share = app
        .database_shares()
        .of_request(Some(&run.endpoint.endpoint.company));
    let (app, run) = (&app, &run);
    share
        .hold(async {
            if let Some(account) = played(app, run, certifying, verifies).await {
                finish(app, run, &account).await;
            }
        })
        .await;
}

/// What came of it; nothing where nobody wants to know any more.
async fn played(app: &App, run: &CertificateRun, certifying: Certifying, verifies: bool) -> Option<Account> {
    let endpoint = &run.endpoint.endpoint;
    let partner = Partner {
        url: endpoint.url.clone(),
        format: endpoint.format,
        keys: Some(endpoint.keys.clone()),
        verifies,
        headers: endpoint.headers.clone(),
        policy: app.settings().policy.clone(),
        ca_pem: certifying.ca_pem,
        proxy: certifying.egress_proxy,
        timeout: certifying.request_timeout,
        pause: PAUSE,
        within: Some(PLAYED_WITHIN),
    };
    let (ended, told) = unbounded_channel();
    let playing = play(&partner, move |check| {
        // Nobody listens where the endpoint was removed meanwhile, and then this ends, too.
        let _heard = ended.send(check.clone()).is_ok();
    });
    let played = tokio::select! {
        played = playing => played,
        () = written_down(app, run, told) => return None,
        () = app.shutdown().requested() => {
            return Some(Account::not_played("it was broken off, because the console that played it was stopped; certify it again"));
        }
    };
    Some(account(played, run))
}

/// Its end in words for the endpoint's owner.
fn account(played: Result<Report, CertifyError>, run: &CertificateRun) -> Account {
    let (company, id) = (&run.endpoint.endpoint.company, &run.endpoint.endpoint.id);
    match played {
        Ok(report) => {
            info!(%company, endpoint = %id, passed = report.passed, "a certificate was played");
            report.into()
        }
        Err(CertifyError::Refused(refusal)) => {
            Account::not_played(format!("nothing was sent: {}", refusal.for_owner()))
        }
        Err(error) => {
            warn!(%company, endpoint = %id, %error, "a certificate was not played");
            Account::not_played(
                "it was not played to its end: the console has run short of something; try again later, and tell the \
                 platform if that does not help",
            )
        }
    }
}

/// Writes each check down as it ends. Returns where nobody wants to know any more.
async fn written_down(app: &App, run: &CertificateRun, mut told: UnboundedReceiver<Check>) {
    let mut account = Account::default();
    while let Some(check) = told.recv().await {
        account.checks.push(check);
        match note(app, run, &account, false).await {
            Ok(true) => {}
            Ok(false) => return,
            // The next one is written with it.
            Err(error) => warn!(%error, "how far a certificate has come is not written down"),
        }
    }
    // All is told, and its end is written by whoever played it.
    std::future::pending().await
}

/// Writes its end down, for as long as somebody waits for it.
async fn finish(app: &App, run: &CertificateRun, account: &Account) {
    for _ in 0..TRIES {
        match note(app, run, account, true).await {
            Ok(_) => return,
            Err(error) => warn!(%error, "the end of a certificate is not written down yet"),
        }
        sleep(TRY_EVERY).await;
    }
}

async fn note(
    app: &App,
    run: &CertificateRun,
    account: &Account,
    is_finished: bool,
) -> Result<bool, hookline_store::StoreError> {
    let endpoint = &run.endpoint.endpoint;
    app.store()
        .note_certificate(
            &endpoint.company,
            &endpoint.id,
            &run.run,
            &account.text(),
            is_finished,
        )
        .await
}
