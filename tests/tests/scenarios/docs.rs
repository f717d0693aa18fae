//! What the documents name is there: every path, link, `make` target and setting. No service is needed for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use hookline_common::settings::{otel, variables};

/// Endings of files that are ours even where no folder stands before the name.
const OURS: [&str; 4] = [".rs", ".sh", ".awk", ".md"];
/// Folders that are not in the repository, but made when something is built or started.
const MADE: [&str; 2] = ["target/", ".local/"];

#[test]
fn documents_name_nothing_that_is_not_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let faults: Vec<String> = documents(root)
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(root.join(path)).unwrap();
            let document = Document::new(root, path, &text);
            let name = path.display().to_string();
            document
                .faults()
                .into_iter()
                .map(move |fault| format!("{name}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_setting_stands_in_the_table_of_settings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let table = fs::read_to_string(root.join("docs/SETTINGS.md")).unwrap();
    let missing: Vec<&str> = variables::ALL
        .iter()
        .chain(otel::ALL)
        .map(|variable| variable.name)
        .filter(|name| !table.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The documentation shows the heart of a program, which is compiled with everything else.
#[test]
fn the_program_in_the_documentation_is_the_one_that_is_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = fs::read_to_string(root.join("docs/PUBLISHING.md")).unwrap();
    let (_, from) = document.split_once("**From Rust**").unwrap();
    let (section, _) = from.split_once("**From any AMQP").unwrap();
    let (_, shown) = split_fences(section);
    let folder = root.join("examples/first-event");
    let whole = ["Cargo.toml", "src/main.rs"].map(|file| fs::read_to_string(folder.join(file)).unwrap());
    let lines: BTreeSet<&str> = whole
        .iter()
        .flat_map(|text| text.lines().map(str::trim))
        .collect();
    let others: Vec<&str> = shown
        .lines()
        .map(str::trim)
        .filter(|line| !lines.contains(line))
        .collect();
    assert!(shown.lines().count() > 5 && others.is_empty(), "{others:?}");
}

#[test]
fn the_table_of_settings_has_the_defaults_of_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let table = fs::read_to_string(root.join("docs/SETTINGS.md")).unwrap();
    // Those with a default have a row of their own, or one whose names all stand in its first column.
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    for variable in variables::ALL {
        let Some(default) = variable.default else {
            continue;
        };
        let name = format!("`{}`", variable.name);
        let row = rows.iter().find(|row| row[0].contains(&name));
        let told = row.map(|row| row[1]).unwrap_or_default();
        assert!(
            told.contains(&format!("`{default}`")),
            "{name}: {told:?}, not {default:?}"
        );
    }
}

#[test]
fn what_is_not_there_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let faults = |text: &str| Document::new(root, Path::new("docs/x.md"), text).faults();
    for good in [
        "`common/src/delivery.rs` and then `ids.rs`, `application/json`, `/readyz` and `target/bench/x.json`",
        "`tests/tests/scenarios/`:\n`docs.rs`",
        "`cli/src/commands/dlq/`: `error.rs` is above it",
        "`make test`, and make sure of it",
        "```sh\nQUICK=1 make bench && ls no/such/file.rs\n```",
        "`HOOKLINE_PREFETCH`, `HOOKLINE_AMQP_URL_FILE` and HOOKLINE_*",
        "[a](../README.md#see-it) [b](https://example.com/x.md) [c](#here)\n\n## Here",
    ] {
        assert_eq!(faults(good), Vec::<String>::new(), "{good}");
    }
    for (bad, count) in [
        ("`common/src/no_such.rs`", 1),
        ("`common/no/such/folder`", 1),
        ("`ids.rs` before `common/src/delivery.rs`", 1),
        ("`common/src/delivery.rs`\n\n`ids.rs` in another paragraph", 1),
        ("`make tea`\n```\nmake coffee\n```", 2),
        ("`HOOKLINE_TEA` and HOOKLINE_PREFETCH_FILE", 2),
        (
            "[a](README.md) [b](../README.md#no-such-heading) [c](#nowhere)",
            3,
        ),
    ] {
        assert_eq!(faults(bad).len(), count, "{bad}: {:?}", faults(bad));
    }
}

/// The documents, by their paths from the root.
fn documents(root: &Path) -> Vec<PathBuf> {
    let mut found = vec!["README.md".into(), "CONTRIBUTING.md".into(), "SECURITY.md".into()];
    let mut folders: Vec<PathBuf> = vec!["docs".into(), "examples".into()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).unwrap() {
            let name = entry.unwrap().file_name();
            let path = folder.join(&name);
            if root.join(&path).is_dir() {
                if name != "node_modules" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

struct Document<'a> {
    root: &'a Path,
    /// Where it stands, from the root.
    folder: PathBuf,
    text: &'a str,
}

impl<'a> Document<'a> {
    fn new(root: &'a Path, path: &Path, text: &'a str) -> Self {
        let folder = path.parent().unwrap().to_owned();
        Self { root, folder, text }
    }

    fn faults(&self) -> Vec<String> {
        let (prose, fenced) = split_fences(self.text);
        let mut faults = self.missing_paths(&prose);
        faults.extend(self.missing_targets(&prose, &fenced));
        faults.extend(missing_settings(self.text));
        faults.extend(self.broken_links(&prose));
        faults
    }

    /// Paths from the root, or from a folder that was named before in the same paragraph.
    fn missing_paths(&self, prose: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for paragraph in prose.split("\n\n") {
            let mut folders: Vec<PathBuf> = vec![PathBuf::new(), self.folder.clone()];
            for word in code_spans(paragraph).filter(|word| self.is_path(word)) {
                let found = folders.iter().map(|folder| folder.join(word));
                let Some(found) = found.into_iter().find(|path| self.root.join(path).exists()) else {
                    faults.push(format!("no file or folder {word:?}"));
                    continue;
                };
                // Names after this one may be relative to its folder, or to one above.
                let mut folder = if self.root.join(&found).is_dir() {
                    Some(found.as_path())
                } else {
                    found.parent()
                };
                while let Some(above) = folder.filter(|folder| *folder != Path::new("")) {
                    folders.push(above.to_owned());
                    folder = above.parent();
                }
            }
        }
        faults
    }

    /// Whether a word in code is meant as a path, and not as a media type, a route or a rate.
    fn is_path(&self, word: &str) -> bool {
        let is_plain = word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
        let first = word.split('/').next().unwrap_or_default();
        let is_ours = OURS
            .iter()
            .any(|ending| word.ends_with(ending) && word != *ending);
        let has_folder = word.contains('/')
            && !first.is_empty()
            && (self.root.join(first).is_dir() || word.ends_with('/') || is_ours);
        is_plain && (has_folder || is_ours) && !MADE.iter().any(|made| word.starts_with(made))
    }

    fn missing_targets(&self, prose: &str, fenced: &str) -> Vec<String> {
        let makefile = fs::read_to_string(self.root.join("Makefile")).unwrap();
        let is_target = |name: &str| makefile.lines().any(|line| line.starts_with(&format!("{name}:")));
        let code: Vec<&str> = code_spans(prose).chain(fenced.lines()).collect();
        let words: Vec<Vec<&str>> = code
            .iter()
            .map(|line| line.split([' ', '"', '(', ')', ';']).collect())
            .collect();
        let targets = words
            .iter()
            .flat_map(|words| words.windows(2))
            .filter(|pair| pair[0] == "make" && pair[1].starts_with(|c: char| c.is_ascii_lowercase()));
        targets
            .filter(|pair| !is_target(pair[1]))
            .map(|pair| format!("no target \"make {}\"", pair[1]))
            .collect()
    }

    fn broken_links(&self, prose: &str) -> Vec<String> {
        let links = prose
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let relative = links.filter(|link| !link.contains("://") && !link.starts_with("mailto:"));
        relative
            .filter(|link| !self.leads_somewhere(link))
            .map(|link| format!("the link {link:?} leads nowhere"))
            .collect()
    }

    fn leads_somewhere(&self, link: &str) -> bool {
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        if path.is_empty() {
            return headings(self.text).contains(anchor);
        }
        let path = self.root.join(tidy(&self.folder.join(path)));
        let has_anchor = || fs::read_to_string(&path).is_ok_and(|text| headings(&text).contains(anchor));
        path.exists() && (anchor.is_empty() || has_anchor())
    }
}

/// Without `..`, so that a link out of a folder that is not there does not pass.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            tidy.pop();
        } else {
            tidy.push(part);
        }
    }
    tidy
}

/// The text without its fenced blocks, and those.
fn split_fences(text: &str) -> (String, String) {
    let (mut prose, mut fenced, mut is_fenced) = (String::new(), String::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
            continue;
        }
        let part = if is_fenced { &mut fenced } else { &mut prose };
        part.push_str(line);
        part.push('\n');
    }
    (prose, fenced)
}

/// What stands between backticks.
fn code_spans(prose: &str) -> impl Iterator<Item = &str> {
    prose.split('`').skip(1).step_by(2)
}

/// Settings that no program of ours reads. A secret may also stand in the file that `NAME_FILE` names.
fn missing_settings(text: &str) -> Vec<String> {
    let names = text.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
    let names: BTreeSet<&str> = names
        .filter(|word| word.starts_with("HOOKLINE_") && !word.ends_with('_'))
        .collect();
    let is_known = |name: &str| {
        variables::ALL.iter().any(|variable| {
            let file = name.strip_suffix("_FILE").filter(|_| variable.is_secret);
            variable.name == name || Some(variable.name) == file
        }) || name.starts_with("HOOKLINE_TEST_")
    };
    let unknown = names.into_iter().filter(|name| !is_known(name));
    unknown.map(|name| format!("no setting {name}")).collect()
}

/// The anchors of a document's headings, as they are made for Markdown on code hosts.
fn headings(text: &str) -> BTreeSet<String> {
    let (prose, _) = split_fences(text);
    let titles = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |title: &str| {
        let title = title.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    titles.map(anchor).collect()
}
