//! What each signal asks a process for, and whether it is meant. Pure; [`super::signals`] hears them.

use std::time::Duration;

use tokio::time::Instant;

/// How long further signals count as an echo of the first. `timeout`, supervisors and shells signal a process and then
/// its group, a few microseconds apart; a person needs longer than this to ask again.
const ECHO: Duration = Duration::from_millis(100);

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// End in order.
    Stop,
    /// Read again what was read from files.
    Reload,
    /// Nothing that this program knows; by default it would end the process all the same.
    Nothing,
}

/// What the commands of a person at a terminal listen to; all else keeps what the system does by default.
pub(super) fn of_commands() -> Vec<(i32, Request)> {
    vec![(libc::SIGTERM, Request::Stop), (libc::SIGINT, Request::Stop)]
}

/// What a service listens to: everything that can be caught and would end the process without a drain.
///
/// Left as they are: SEGV, BUS, ILL, FPE and ABRT, after which nothing of the process can be trusted, and KILL and STOP,
/// which cannot be caught.
pub(super) fn of_services() -> Vec<(i32, Request)> {
    let stop = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT];
    // A limit on time is reached, power fails, a system call is forbidden: the end is near, and better in order.
    let near_end = [libc::SIGXCPU, libc::SIGSYS];
    let nothing = [
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGIO,
        libc::SIGTRAP,
        libc::SIGXFSZ,
    ];
    let mut all = vec![(libc::SIGHUP, Request::Reload)];
    all.extend(
        stop.into_iter()
            .chain(near_end)
            .map(|signal| (signal, Request::Stop)),
    );
    all.extend(nothing.map(|signal| (signal, Request::Nothing)));
    #[cfg(target_os = "linux")]
    {
        all.extend([(libc::SIGPWR, Request::Stop), (libc::SIGSTKFLT, Request::Nothing)]);
        all.extend((libc::SIGRTMIN()..=libc::SIGRTMAX()).map(|signal| (signal, Request::Nothing)));
    }
    all
}

/// What a request to stop means, after those that came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Drain and end.
    InOrder,
    /// One and the same request, seen twice.
    Echo,
    /// End now.
    AtOnce,
}

/// Judges a request to stop that comes `now`, where the first came at `first`.
pub(super) fn judge(first: Option<Instant>, now: Instant) -> Stop {
    match first {
        None => Stop::InOrder,
        Some(first) if now.duration_since(first) < ECHO => Stop::Echo,
        Some(_) => Stop::AtOnce,
    }
}

/// The usual name of a signal.
pub(super) fn name(signal: i32) -> String {
    let known = [
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGSYS, "SIGSYS"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGVTALRM, "SIGVTALRM"),
        (libc::SIGPROF, "SIGPROF"),
        (libc::SIGIO, "SIGIO"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGXFSZ, "SIGXFSZ"),
    ];
    let name = known.iter().find(|(number, _)| *number == signal);
    name.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_drains_and_one_that_is_no_echo_ends_at_once() {
        let first = Instant::now();
        let after = |milliseconds| judge(Some(first), first + Duration::from_millis(milliseconds));
        assert_eq!(judge(None, first), Stop::InOrder);
        assert_eq!((after(0), after(99)), (Stop::Echo, Stop::Echo));
        assert_eq!((after(100), after(5_000)), (Stop::AtOnce, Stop::AtOnce));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn services_hear_all_that_would_end_them_and_can_be_heard() {
        // signal(7): those whose default action is to end the process, without what no program can outlive, and
        // without PIPE, which every Rust program ignores.
        let ending = [
            libc::SIGHUP,
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGTRAP,
            libc::SIGUSR1,
            libc::SIGUSR2,
            libc::SIGALRM,
            libc::SIGTERM,
            libc::SIGSTKFLT,
            libc::SIGXCPU,
            libc::SIGXFSZ,
            libc::SIGVTALRM,
            libc::SIGPROF,
            libc::SIGIO,
            libc::SIGPWR,
            libc::SIGSYS,
        ];
        let mut heard: Vec<i32> = of_services().into_iter().map(|(signal, _)| signal).collect();
        heard.sort_unstable();
        let mut wanted: Vec<i32> = ending
            .into_iter()
            .chain(libc::SIGRTMIN()..=libc::SIGRTMAX())
            .collect();
        wanted.sort_unstable();
        assert_eq!(heard, wanted);
    }
}
