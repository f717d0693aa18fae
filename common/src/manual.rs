//! Manual pages, made of the same description of a program that its `--help` prints.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

/// Renders the page of `command` for a section of the manual: `1` for commands, `8` for services. The date of the page stays
/// empty, so that the same program always has the same page.
///
/// # Errors
/// None in practice: what is written to is memory.
pub fn page(command: &Command, section: &str) -> io::Result<Vec<u8>> {
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    let after = after.map(ToString::to_string).unwrap_or_default();
    let has_commands = command.get_subcommands().any(|below| !below.is_hide_set());
    let source = format!("Hookline {}", command.get_version().unwrap_or_default());
    let man = Man::new(command.clone())
        .section(section)
        .source(source)
        .manual("Hookline's manual");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    page.extend(closing(&after).to_roff().bytes());
    Ok(page)
}

/// What stands below the options: examples in a section of their own, whose lines stay whole, and notes.
fn closing(text: &str) -> Roff {
    let mut roff = Roff::new();
    let mut section = "";
    // Help keeps examples on their lines by blanks that do not break.
    for paragraph in text.replace('\u{a0}', " ").split("\n\n") {
        let body = paragraph
            .strip_prefix("Examples:\n")
            .or_else(|| paragraph.strip_prefix("Example:\n"));
        let wanted = if body.is_some() { "EXAMPLES" } else { "NOTES" };
        let body = body.unwrap_or(paragraph);
        if body.trim().is_empty() {
            continue;
        }
        if section == wanted {
            roff.control("PP", []);
        } else {
            roff.control("SH", [wanted]);
            section = wanted;
        }
        lines(&mut roff, body);
    }
    roff
}

/// Indented lines as they are, others filled.
fn lines(roff: &mut Roff, text: &str) {
    let mut is_kept = false;
    for line in text.lines() {
        let keeps = line.starts_with(' ');
        if keeps != is_kept {
            roff.control(if keeps { "nf" } else { "fi" }, []);
            is_kept = keeps;
        }
        roff.text([roman(line)]);
    }
    if is_kept {
        roff.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(after: &str) -> String {
        let command = Command::new("teapot")
            .about("Makes tea")
            .after_help(after.to_owned());
        String::from_utf8(page(&command, "8").unwrap()).unwrap()
    }

    #[test]
    fn a_page_has_its_section_and_what_the_help_says() {
        let page = rendered("");
        assert!(page.contains(".TH teapot 8"), "{page}");
        assert!(page.contains("teapot \\- Makes tea"), "{page}");
        assert!(!page.contains("NOTES") && !page.contains("EXAMPLES"), "{page}");
    }

    #[test]
    fn examples_keep_their_lines_and_the_rest_is_filled() {
        let page = rendered("Examples:\n\u{a0}\u{a0}teapot\u{a0}pour\n  teapot wash\n\nOne.\nTwo:\n  .three");
        assert!(
            page.contains(
                ".SH EXAMPLES\n.nf\n  teapot pour\n  teapot wash\n.fi\n.SH NOTES\nOne.\nTwo:\n.nf\n"
            ),
            "{page}"
        );
        assert!(page.ends_with(".fi\n"), "{page}");
    }
}
