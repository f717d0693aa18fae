//! A request as a command that makes it again: without signatures, which nobody keeps.

use crate::pages::shell::quoted;

/// What is sent with it.
pub(super) enum Body<'a> {
    /// This text.
    Text(&'a str),
    /// What was saved under this name.
    File(&'a str),
}

/// The command. Headers whose names are none are left out, and so are those whose values were not kept.
pub(super) fn command<'a>(
    url: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    body: &Body<'_>,
) -> String {
    // Brackets in a URL mean ranges to it otherwise.
    let mut parts = vec![format!(
        "curl --globoff --include --request POST --url {}",
        quoted(url)
    )];
    for (name, value) in headers {
        if is_name(name) && value != MASKED {
            parts.push(format!("--header {}", quoted(&format!("{name}: {value}"))));
        }
    }
    parts.push(match body {
        Body::Text(text) => format!("--data-raw {}", quoted(text)),
        Body::File(name) => format!("--data-binary {}", quoted(&format!("@{name}"))),
    });
    parts.join(" \\\n  ")
}

/// What a record has in place of an endpoint's own values.
const MASKED: &str = "***";

/// A header that begins with an `@` would be read from a file.
fn is_name(name: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.bytes().all(is_of_token)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The words that a shell makes of the command.
    fn words(shell: &str, command: &str) -> Vec<String> {
        let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{command}");
        let output = Command::new(shell).args(["-c", &script]).output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}\n{command}"
        );
        let text = String::from_utf8(output.stdout).unwrap();
        let mut words: Vec<String> = text.split('\0').map(str::to_owned).collect();
        assert_eq!(words.pop().as_deref(), Some(""));
        words
    }

    const HOSTILE: [&str; 12] = [
        "'; touch /tmp/owned; '",
        "'\\''",
        "$(id) `id` ${HOME} $HOME",
        "\\",
        "ends with \\'",
        "a\nb\tc",
        "a\rb\u{1b}[31m1",
        "!! !$ \"double\" & | ; < > * ? ~ # %",
        "\u{202e}txt.exe'\\$(id)\u{200b}7",
        "é 世界 🎉",
        "--output /etc/passwd",
        "",
    ];

    #[test]
    fn a_shell_reads_each_word_as_it_was_whatever_is_in_it() {
        for text in HOSTILE {
            let headers = [("x-odd", text), ("x-secret", "***"), ("@/etc/passwd", "x")];
            let command = command(text, headers.into_iter(), &Body::Text(text));
            let header = format!("x-odd: {text}");
            let expected = [
                "--globoff",
                "--include",
                "--request",
                "POST",
                "--url",
                text,
                "--header",
                &header,
                "--data-raw",
                text,
            ];
            assert_eq!(words("bash", &command), expected, "{command}");
            if !command.contains("$'") {
                assert_eq!(words("sh", &command), expected, "{command}");
            }
            let shown = crate::pages::words::visible(&command);
            assert_eq!(shown, command, "what is seen is what is copied");
        }
    }

    #[test]
    fn a_large_body_comes_from_a_file() {
        let none = std::iter::empty();
        let command = command("https://example.com/[1-9]", none, &Body::File("evt_1.json"));
        assert!(command.ends_with("--data-binary '@evt_1.json'"), "{command}");
    }
}
