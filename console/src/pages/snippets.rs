//! How a signature is verified, in five languages, as programs that run as they are. Each listens on port 9000, or PHP
//! on the one that it is started with; the secret comes from the environment, where it belongs.

use hookline_common::endpoint::Format;
use hookline_common::secret::Secret;
use maud::{Markup, html};

use super::parts::copyable;
use super::shell::quoted;

/// A language, the file that its program stands in, how it is run, and the program for each scheme.
struct Language {
    id: &'static str,
    name: &'static str,
    file: &'static str,
    run: &'static str,
    standard: &'static str,
    meeva: &'static str,
}

const LANGUAGES: [Language; 5] = [
    Language {
        id: "node",
        name: "Node",
        file: "receiver.mjs",
        run: "node receiver.mjs",
        standard: include_str!("../../assets/snippets/standard.mjs"),
        meeva: include_str!("../../assets/snippets/meeva.mjs"),
    },
    Language {
        id: "python",
        name: "Python",
        file: "receiver.py",
        run: "python3 receiver.py",
        standard: include_str!("../../assets/snippets/standard.py"),
        meeva: include_str!("../../assets/snippets/meeva.py"),
    },
    Language {
        id: "php",
        name: "PHP",
        file: "receiver.php",
        run: "php -S 0.0.0.0:9000 receiver.php",
        standard: include_str!("../../assets/snippets/standard.php"),
        meeva: include_str!("../../assets/snippets/meeva.php"),
    },
    Language {
        id: "go",
        name: "Go",
        file: "receiver.go",
        run: "go run receiver.go",
        standard: include_str!("../../assets/snippets/standard.go"),
        meeva: include_str!("../../assets/snippets/meeva.go"),
    },
    Language {
        id: "rust",
        name: "Rust",
        file: "src/main.rs",
        run: "cargo add axum hmac sha2 base64 hex && cargo add tokio -F full && cargo run",
        standard: include_str!("../../assets/snippets/standard.rs.txt"),
        meeva: include_str!("../../assets/snippets/meeva.rs.txt"),
    },
];

/// The programs for a format; with the line that sets the secret, where it may be shown.
pub(super) fn snippets(format: Format, secret: Option<&Secret>) -> Markup {
    let set = format!(
        "export WEBHOOK_SECRET={}",
        quoted(secret.map_or("whsec_…", |secret| secret.expose()))
    );
    html! {
        div.snippets {
            fieldset.tab-row {
                legend.sr { "Language" }
                @for (number, language) in LANGUAGES.iter().enumerate() {
                    input.sr type="radio" name="language" id={ "language-" (language.id) } checked[number == 0];
                    label for={ "language-" (language.id) } { (language.name) }
                }
            }
            p.hint { "The secret comes from the environment:" }
            (copyable(&set, "the line that sets the secret"))
            @for language in &LANGUAGES {
                div class={ "snippet snippet-" (language.id) } {
                    @let program = if format == Format::Meeva { language.meeva } else { language.standard };
                    p.hint { "Save it as " code { (language.file) } " and run " code { (language.run) } ":" }
                    (copyable(program, &format!("the program in {}", language.name)))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_takes_the_secret_from_the_environment_and_compares_in_constant_time() {
        for language in &LANGUAGES {
            for program in [language.standard, language.meeva] {
                assert!(program.contains("WEBHOOK_SECRET"), "{}", language.file);
                let compares = [
                    "timingSafeEqual",
                    "compare_digest",
                    "hash_equals",
                    "hmac.Equal",
                    "verify_slice",
                ];
                assert!(
                    compares.iter().any(|name| program.contains(name)),
                    "{}",
                    language.file
                );
                assert!(
                    !program.contains('\t') || language.id == "go",
                    "{}",
                    language.file
                );
            }
            assert!(
                language.standard.contains("webhook-signature"),
                "{}",
                language.file
            );
            assert!(
                language.meeva.to_lowercase().contains("meeva"),
                "{}",
                language.file
            );
        }
    }
}
