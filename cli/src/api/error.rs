//! Why the console does not do what it is asked, in one line: what, why, and what to do.

use hookline_common::with_causes::with_causes;
use reqwest::StatusCode;
use serde::Deserialize;

use super::url::ApiUrl;

/// Why there is no answer, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The client cannot be set up.
    #[error(
        "the client for the console cannot be set up: {}; check the system's certificates, or SSL_CERT_FILE",
        with_causes(.0)
    )]
    SetUp(#[source] reqwest::Error),
    /// Nothing was sent.
    #[error(
        "the console at {url} cannot be reached: {}; check that hookline-console runs, and HOOKLINE_API_URL",
        with_causes(.source)
    )]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// The client's own error.
        source: reqwest::Error,
    },
    /// Something may have been sent, and no whole answer came.
    #[error(
        "the console at {url} gave no answer: {}; whether it did what was asked is not known: look before asking again",
        with_causes(.source)
    )]
    Unanswered {
        /// Where it is.
        url: String,
        /// The client's own error.
        source: reqwest::Error,
    },
    /// It says no, and why.
    #[error("the console refuses it ({status} {code}): {detail}; {hint}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The kind of problem, stable.
        code: String,
        /// What it says about it.
        detail: String,
        /// What to do.
        hint: String,
    },
    /// Something else answers.
    #[error(
        "{url} answers {status}, and not as a console does; check that HOOKLINE_API_URL is a console's address"
    )]
    Foreign {
        /// Who answers.
        url: String,
        /// What.
        status: StatusCode,
    },
    /// It answers with something that is not understood.
    #[error(
        "the console at {url} answers with something that is not understood: {why}; check that `hookline` and the console \
         are of the same version"
    )]
    Unreadable {
        /// Who answers.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

/// As RFC 9457 and the API have it.
#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(default)]
    detail: String,
    code: String,
    #[serde(default)]
    errors: Vec<String>,
}

/// What a refusal says besides its body.
pub(super) struct Refusal<'a> {
    pub(super) url: &'a ApiUrl,
    pub(super) status: StatusCode,
    pub(super) is_problem: bool,
    pub(super) body: &'a str,
    /// Seconds, where it names them.
    pub(super) retry_after: Option<u64>,
    /// Whose endpoints or tokens were asked for.
    pub(super) company: &'a str,
    /// `endpoints` or `tokens`.
    pub(super) list: &'a str,
}

impl ApiError {
    /// What the answer means to the person who asked.
    pub(super) fn refused(refusal: &Refusal<'_>) -> Self {
        let problem = refusal
            .is_problem
            .then(|| serde_json::from_str::<Problem>(refusal.body).ok());
        let Some(problem) = problem.flatten() else {
            return Self::Foreign {
                url: refusal.url.to_string(),
                status: refusal.status,
            };
        };
        let hint = hint(refusal, &problem.code);
        let mut detail = problem.detail;
        if !problem.errors.is_empty() {
            detail.push_str(": ");
            detail.push_str(&problem.errors.join("; "));
        }
        Self::Refused {
            status: refusal.status.as_u16(),
            code: problem.code,
            detail,
            hint,
        }
    }
}

fn hint(refusal: &Refusal<'_>, code: &str) -> String {
    let (company, list) = (refusal.company, refusal.list);
    let wait = refusal
        .retry_after
        .map_or_else(|| "in a moment".to_owned(), |seconds| format!("in {seconds} s"));
    match (refusal.status.as_u16(), code) {
        (401, _) => "check HOOKLINE_API_TOKEN, or the file that HOOKLINE_API_TOKEN_FILE names".to_owned(),
        (403, _) => "take the operator's token, the HOOKLINE_ADMIN_TOKEN of the console".to_owned(),
        (404, _) if list == "problems" => "check --company, and whose token it is".to_owned(),
        (404, _) => {
            format!("`hookline {list} list --company {company}` lists those that this token may see")
        }
        (409, "endpoint_limit") => format!(
            "remove one (`hookline endpoints list --company {company}`), or raise HOOKLINE_ENDPOINTS_PER_COMPANY of the console"
        ),
        (409, "endpoint_exists") => "give another --id, or none".to_owned(),
        (409, "rotation_running") => {
            format!("`hookline endpoints rotate ID --company {company} --complete` does that")
        }
        (409, "endpoint_disabled") => format!("`hookline endpoints resume ID --company {company}` does that"),
        (409, "payload_not_kept") => "publish it again with the same id".to_owned(),
        (409, "under_way") => format!("if that is meant, try again {wait}"),
        (409, "too_many_retries") => "wait until one is done".to_owned(),
        (410, _) => "leave --after out to go on with the oldest event that is kept".to_owned(),
        (429, "too_many_at_once") => {
            format!("try again {wait}, with fewer requests of this company at the same time")
        }
        (429, _) => format!("try again {wait}; HOOKLINE_API_RATE of the console says how often is allowed"),
        // It is on its way already, and would come twice.
        (503, "retry_not_noted") => format!(
            "`hookline deliveries show EVENT_ID ENDPOINT_ID --company {company}` tells what became of it"
        ),
        (503, _) => format!("try again {wait}; GET {}/readyz says what it lacks", refusal.url),
        (500.., _) => "try again, and look into the console's log".to_owned(),
        _ => "mend that, and try again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(status: u16, is_problem: bool, body: &str) -> String {
        let url = ApiUrl::parse("http://127.0.0.1:8080").unwrap();
        ApiError::refused(&Refusal {
            url: &url,
            status: StatusCode::from_u16(status).unwrap(),
            is_problem,
            body,
            retry_after: Some(3),
            company: "acme",
            list: "endpoints",
        })
        .to_string()
    }

    #[test]
    fn a_refusal_says_what_why_and_what_to_do() {
        for (status, code, part) in [
            (400, "invalid_request", "mend that"),
            (401, "unauthorized", "HOOKLINE_API_TOKEN"),
            (403, "forbidden", "HOOKLINE_ADMIN_TOKEN"),
            (404, "not_found", "hookline endpoints list --company acme"),
            (409, "endpoint_limit", "HOOKLINE_ENDPOINTS_PER_COMPANY"),
            (409, "endpoint_exists", "--id"),
            (409, "rotation_running", "--complete"),
            (429, "rate_limited", "in 3 s"),
            (429, "too_many_at_once", "fewer requests"),
            (500, "internal", "log"),
            (503, "database_unavailable", "/readyz"),
        ] {
            let body = format!(r#"{{"status":{status},"code":"{code}","detail":"the reason"}}"#);
            let line = told(status, true, &body);
            assert!(
                line.contains(part) && line.contains("the reason") && line.contains(code),
                "{line}"
            );
        }
        let body = r#"{"code":"retry_not_noted","detail":"it was sent again and is on its way"}"#;
        let line = told(503, true, body);
        assert!(
            line.contains("`hookline deliveries show EVENT_ID ENDPOINT_ID --company acme` tells"),
            "{line}"
        );
        assert!(!line.contains("try again"), "{line}");
        let faults = r#"{"code":"invalid_request","detail":"the file","errors":["line 1: a","line 2: b"]}"#;
        assert!(told(400, true, faults).contains("the file: line 1: a; line 2: b"));
    }

    #[test]
    fn who_is_no_console_is_told_from_one() {
        for (is_problem, body) in [(false, r#"{"code":"x"}"#), (true, "<html>"), (true, "{}")] {
            assert!(
                told(404, is_problem, body).contains("not as a console does"),
                "{body}"
            );
        }
    }
}
