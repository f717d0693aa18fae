//! Style, scripts and icon: inside the program, each under a name that changes with its content, so that browsers may keep
//! it for good.

use std::sync::LazyLock;

use axum::extract::FromRequestParts;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use super::refused::Refused;
use crate::extract::path_param;
use crate::problem::Problem;

/// A file, and the path that it has.
pub(super) struct Asset {
    pub(super) path: String,
    content_type: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(name: &str, extension: &str, content_type: &'static str, content: &'static str) -> Self {
        let digest = Sha256::digest(content);
        let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self {
            path: format!("/assets/{name}.{hash}.{extension}"),
            content_type,
            content,
        }
    }
}

/// All of them.
pub(super) struct Assets {
    pub(super) style: Asset,
    /// Runs before anything is drawn.
    pub(super) early: Asset,
    pub(super) script: Asset,
    pub(super) icon: Asset,
}

pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new(
        "console",
        "css",
        "text/css; charset=utf-8",
        include_str!("../../assets/console.css"),
    ),
    early: Asset::new(
        "early",
        "js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/early.js"),
    ),
    script: Asset::new(
        "console",
        "js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/console.js"),
    ),
    icon: Asset::new(
        "icon",
        "svg",
        "image/svg+xml",
        include_str!("../../assets/icon.svg"),
    ),
});

/// The file of the path.
pub(super) struct Asked(String);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        Ok(Self(path_param(parts, state, "file").await?))
    }
}

pub(super) async fn show(Asked(name): Asked) -> Result<Response, Refused> {
    let all = [&ASSETS.style, &ASSETS.early, &ASSETS.script, &ASSETS.icon];
    let found = all
        .into_iter()
        .find(|asset| asset.path.strip_prefix("/assets/") == Some(name.as_str()));
    let asset = found.ok_or_else(Problem::not_found)?;
    let headers = [
        (CONTENT_TYPE, asset.content_type),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, asset.content).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_from_elsewhere_and_scripts_make_no_code_or_markup_of_text() {
        for asset in [&ASSETS.style, &ASSETS.early, &ASSETS.script, &ASSETS.icon] {
            let content = asset.content.replace("http://www.w3.org/2000/svg", "");
            for bad in [
                "http://",
                "https://",
                "@import",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
            ] {
                assert!(!content.contains(bad), "{} has {bad}", asset.path);
            }
        }
    }

    #[test]
    fn style_and_scripts_are_a_small_part_of_what_a_page_may_weigh() {
        let all = [&ASSETS.style, &ASSETS.early, &ASSETS.script, &ASSETS.icon];
        let bytes: usize = all.iter().map(|asset| asset.content.len()).sum();
        assert!(bytes < 60 << 10, "{bytes}");
    }
}
