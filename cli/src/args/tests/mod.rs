//! What each command takes and says of itself. In the file beside it: any arguments at all.

#![allow(clippy::unwrap_used)]

mod bad_input;

use super::*;
use crate::help::plain;

#[test]
fn the_command_line_is_sound() {
    command().debug_assert();
}

#[test]
fn what_is_not_understood_is_told_on_one_line() {
    let error = parse(["hookline", "publish", "--company", "a b"]).unwrap_err();
    let line = on_one_line(&error.render().to_string());
    assert!(
        !line.contains('\n') && line.contains("--company") && line.contains("--help"),
        "{line}"
    );
}

#[test]
fn who_calls_no_command_is_told_on_one_line_where_they_are_listed() {
    for called in ["hookline", "hookline dlq", "hookline endpoints"] {
        let error = parse(called.split(' ')).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            "{called}"
        );
        let line = without_command(&error.render().to_string());
        assert_eq!(line, format!("no command is given; `{called} --help` lists them"));
    }
}

#[test]
fn commands_take_the_namespace_before_and_after_their_name() {
    for line in [
        "hookline --namespace n dlq list",
        "hookline dlq --namespace n list",
        "hookline dlq list --namespace n",
    ] {
        let command = parse(line.split(' ')).unwrap().into_command().unwrap();
        let Command::Dlq(GroupAtBroker { flags, .. }) = command else {
            panic!("{line}")
        };
        assert_eq!(flags.broker().unwrap().namespace.to_string(), "n", "{line}");
    }
    for line in [
        "hookline --namespace n publish --ndjson -",
        "hookline publish --namespace n --ndjson -",
    ] {
        let command = parse(line.split(' ')).unwrap().into_command().unwrap();
        let Command::Publish(AtBroker { flags, .. }) = command else {
            panic!("{line}")
        };
        assert_eq!(flags.broker().unwrap().namespace.to_string(), "n", "{line}");
    }
}

#[test]
fn commands_without_a_broker_refuse_what_says_which() {
    for words in [
        "listen --port 0",
        "verify --secret s --meeva-signature v --data {}",
        "event-types list",
        "endpoints list --company acme",
        "tokens list --company acme",
        "deliveries list --company acme",
        "problems --company acme",
        "events list --company acme",
        "completions zsh",
        "man dlq list",
    ] {
        let before = parse(format!("hookline --namespace n {words}").split(' ')).unwrap();
        let error = before.into_command().unwrap_err().to_string();
        assert!(error.contains("--namespace does nothing"), "{error}");
        assert!(
            parse(format!("hookline {words} --namespace n").split(' ')).is_err(),
            "{words}"
        );
    }
}

#[test]
fn each_command_knows_what_it_needs() {
    let parses = |line: &str| parse(line.split(' ')).is_ok();
    for good in [
        "hookline publish --company acme --type booking.created --data {}",
        "hookline publish --ndjson -",
        "hookline publish --sample booking.created",
        "hookline publish --sample form.submitted --company acme --id mine-1",
        "hookline publish --sample own.type --event-types-file types.toml",
        "hookline event-types list --json",
        "hookline event-types show booking_created --format meetergo --json",
        "hookline status --json",
        "hookline listen --port 0 --headers --forward-to http://127.0.0.1:3000/hooks",
        "hookline listen --port 0 --secret whsec_a --secret whsec_b --status 500 --delay 2s",
        "hookline dlq list --company acme --endpoint ep_1 --type booking.* --since 2h --json",
        "hookline dlq show evt_1 --queue rejected",
        "hookline dlq retry evt_1 evt_2 --endpoint ep_1",
        "hookline dlq retry --all --since 2030-01-01T00:00:00Z",
        "hookline dlq purge --yes",
        "hookline topology check --retry-schedule 1s,2s",
        "hookline tail --company acme --endpoint ep_1 --from 5m --json",
        "hookline endpoints check endpoints.toml --allow-http true",
        "hookline endpoints list --company acme --json --api-url http://127.0.0.1:8080",
        "hookline endpoints add --company acme --url https://a.example.com/ --events booking.*,form.* --header a=b --header c=d",
        "hookline endpoints show ep_1 --company acme --secret --json",
        "hookline endpoints pause ep_1 --company acme",
        "hookline endpoints resume ep_1 --company acme --json",
        "hookline endpoints remove ep_1 --company acme --yes",
        "hookline endpoints rotate ep_1 --company acme --overlap 0s",
        "hookline endpoints rotate ep_1 --company acme --complete",
        "hookline endpoints test ep_1 --company acme --type booking_created --wait 10s",
        "hookline endpoints import - --dry-run",
        "hookline deliveries list --company acme --endpoint ep_1 --type booking_created --status failed --since 2h --limit 7",
        "hookline deliveries list --company acme --event evt_1 --until 2030-01-01T00:00:00Z --json",
        "hookline deliveries show evt_1 ep_1 --company acme --json",
        "hookline problems --company acme --json",
        "hookline events list --company acme --after e2a --json",
        "hookline events replay evt_1 --company acme --endpoint ep_1",
        "hookline tokens list --company acme",
        "hookline tokens add --company acme --name crm --expires-in 90d",
        "hookline tokens revoke tok_1 --company acme",
        "hookline sign --secret s --previous-secret-file f --id evt_1 --data -",
        "hookline verify --secret s --secret-file f --meeva-signature v --data {}",
        "hookline verify --secret s --id i --timestamp 1 --signature v --now 2 --data {}",
        "hookline certify https://a.example.com/ --secret s --format standard --header a=b --pause 0s --json --html f",
        "hookline certify https://a.example.com/ --format meetergo --request-timeout 5s --ca-file f",
        "hookline completions zsh",
    ] {
        assert!(parses(good), "{good}");
    }
    for bad in [
        "hookline",
        "hookline publish --company acme --type booking.created",
        "hookline publish --company acme --type Booking --data {}",
        "hookline publish --company acme --ndjson -",
        "hookline publish --sample booking.created --data {}",
        "hookline publish --sample booking.created --type booking.created",
        "hookline listen --port 0 --status 500 --forward-to http://127.0.0.1:3000/hooks",
        "hookline listen --port 0 --forward-to 127.0.0.1:3000",
        "hookline dlq list --summary --limit 3",
        "hookline dlq list --limit 0",
        "hookline listen",
        "hookline listen --port 0 --status 100",
        "hookline listen --port 0 --delay soon",
        "hookline dlq list --since yesterday",
        "hookline dlq list --queue events",
        "hookline dlq show",
        "hookline dlq retry --all evt_1",
        "hookline dlq retry a.b",
        "hookline tail --from yesterday",
        "hookline endpoints check",
        "hookline endpoints list",
        "hookline endpoints list --company ..",
        "hookline endpoints add --company acme",
        "hookline endpoints add --company acme --url https://a.example.com/ --format xml",
        "hookline endpoints add --company acme --url https://a.example.com/ --secret s --secret-file f",
        "hookline endpoints show a/b --company acme",
        "hookline endpoints rotate ep_1 --company acme --overlap 2h --complete",
        "hookline endpoints rotate ep_1 --company acme --overlap 8d",
        "hookline endpoints test ep_1 --company acme",
        "hookline endpoints test ep_1 --company acme --type a.b --wait soon",
        "hookline endpoints import f --dry-run --yes",
        "hookline deliveries list",
        "hookline deliveries list --company acme --status lost",
        "hookline deliveries list --company acme --limit 0",
        "hookline deliveries show evt_1 --company acme",
        "hookline events replay a.b --company acme",
        "hookline tokens revoke ../x --company acme",
        "hookline event-types show",
        "hookline event-types show booking.created --format xml",
        "hookline event-types list --json --markdown",
        "hookline sign --id evt_1 --data {}",
        "hookline sign --secret s --secret-file f --id evt_1 --data {}",
        "hookline verify --secret s --data {}",
        "hookline verify --meeva-signature v --data {}",
        "hookline verify --secret s --id i --data {}",
        "hookline verify --secret s --meeva-signature v --id i --timestamp 1 --signature v --data {}",
        "hookline certify --secret s",
        "hookline certify https://a.example.com/ --secret s --secret-file f",
        "hookline certify https://a.example.com/ --secret s --format xml",
        "hookline certify https://a.example.com/ --secret s --pause soon",
        "hookline completions cmd",
    ] {
        assert!(!parses(bad), "{bad}");
    }
}

/// Every command without commands below it, and the groups, by the words that name it.
fn all(command: &clap::Command, words: &[String], found: &mut Vec<(Vec<String>, clap::Command)>) {
    let words = [words, &[command.get_name().to_owned()]].concat();
    for below in command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
    {
        all(below, &words, found);
    }
    found.push((words, command.clone()));
}

/// What a terminal of `width` columns shows.
fn shown(words: &[String], width: usize) -> String {
    let mut arguments = words.to_vec();
    arguments.push("--help".to_owned());
    let help = command()
        .term_width(width)
        .try_get_matches_from(arguments)
        .unwrap_err();
    plain(&help)
}

/// The lines under `Examples:`, without what shells do around the command.
fn examples(help: &str) -> Vec<Vec<String>> {
    let lines = help.lines().skip_while(|line| !line.starts_with("Example"));
    let lines = lines.skip(1).take_while(|line| !line.is_empty());
    let lines = lines.filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(commands_in).collect()
}

/// The `hookline` commands of a line of shell, in words as the shell would split them.
fn commands_in(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let (mut word, mut quote): (Option<String>, Option<char>) = (None, None);
    for c in line.trim().chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ' | '|' | '>' | '<' | '(' | ')' | '&' | ';', None) => {
                if let (Some(word), Some(command)) = (word.take(), commands.last_mut()) {
                    command.push(word);
                }
                if c != ' ' {
                    commands.push(Vec::new());
                }
            }
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    if let (Some(word), Some(command)) = (word, commands.last_mut()) {
        command.push(word);
    }
    assert_eq!(quote, None, "an open quote in {line}");
    for command in &mut commands {
        // What is set for one command stands before it.
        let is_set = |word: &String| word.contains('=') && !word.starts_with('-');
        while command.first().is_some_and(is_set) {
            command.remove(0);
        }
    }
    commands.retain(|command| command.first().is_some_and(|word| word == "hookline"));
    commands
}

#[test]
fn each_command_has_examples_that_can_be_pasted_from_a_narrow_terminal() {
    let mut commands = Vec::new();
    let whole = command();
    all(&whole, &[], &mut commands);
    assert!(commands.len() > 12, "{}", commands.len());
    for (words, command) in &commands {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(
            !about.is_empty() && !about.starts_with("Flags"),
            "{words:?}: {about}"
        );
        let wide = examples(&shown(words, 200));
        assert!(!wide.is_empty(), "{words:?} has no example");
        for example in &wide {
            if let Err(error) = parse(example) {
                panic!("{example:?}: {error}");
            }
        }
        let is_own = |example: &&Vec<String>| example.starts_with(words);
        assert!(wide.iter().any(|example| is_own(&example)), "{words:?}: {wide:?}");
        for width in [40, 60, 80] {
            assert_eq!(examples(&shown(words, width)), wide, "{words:?} at {width}");
        }
    }
}

#[test]
fn prose_fits_the_terminal() {
    let mut commands = Vec::new();
    all(&command(), &[], &mut commands);
    for (words, _) in &commands {
        let help = shown(words, 60);
        let mut is_example = false;
        for line in help.lines() {
            is_example = line.starts_with("Example") || is_example && !line.is_empty();
            let is_usage = line.starts_with("Usage:") || line.starts_with("       hookline");
            // One word may be longer.
            let is_broken = line.trim().contains(' ') && line.chars().count() > 60;
            assert!(is_example || is_usage || !is_broken, "{words:?}: {line}");
        }
    }
}

#[test]
fn the_help_of_a_command_says_which_broker_it_uses_if_it_uses_one() {
    for (words, names_it) in [
        ("publish", true),
        ("status", true),
        ("dlq", true),
        ("dlq retry", true),
        ("tail", true),
        ("topology apply", true),
        ("listen", false),
        ("endpoints check", false),
    ] {
        let help = parse(format!("hookline {words} --help").split(' ')).unwrap_err();
        assert_eq!(plain(&help).contains("HOOKLINE_AMQP_URL"), names_it, "{words}");
    }
}

#[test]
fn the_help_of_a_command_says_which_console_it_asks_if_it_asks_one() {
    for (words, names_it) in [
        ("endpoints", true),
        ("endpoints add", true),
        ("endpoints import", true),
        ("deliveries list", true),
        ("problems", true),
        ("events replay", true),
        ("tokens", true),
        ("tokens revoke", true),
        ("endpoints check", false),
        ("event-types list", false),
        ("status", false),
    ] {
        let help = parse(format!("hookline {words} --help").split(' ')).unwrap_err();
        assert_eq!(
            plain(&help).contains("HOOKLINE_API_TOKEN_FILE"),
            names_it,
            "{words}"
        );
    }
}
