//! Points at which a test has the process killed. Without the feature `failpoints`, which no member of the workspace asks for,
//! a point is nothing: `make test-faults` builds a dispatcher with it, in a folder of its own.

/// A point that the process comes to, and what it is about there. The variable `FAILPOINT` names one: `POINT`, or `POINT:TEXT`
/// where only what contains a text counts, either with `@N` behind it for the Nth time. Coming there is the process's end, by
/// SIGKILL, as a crash or the kernel would end it.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn reached(_point: &str, _about: &str) {}

#[cfg(feature = "failpoints")]
pub use armed::reached;

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    #[expect(
        clippy::disallowed_methods,
        reason = "no setting: only a program that tests have built for themselves reads it"
    )]
    static ARMED: LazyLock<Option<Armed>> =
        LazyLock::new(|| std::env::var("FAILPOINT").ok().map(|text| Armed::parse(&text)));

    struct Armed {
        point: String,
        about: String,
        times: u32,
        seen: AtomicU32,
    }

    impl Armed {
        fn parse(text: &str) -> Self {
            let (place, times) = text.rsplit_once('@').unwrap_or((text, "1"));
            let (point, about) = place.split_once(':').unwrap_or((place, ""));
            Self {
                point: point.to_owned(),
                about: about.to_owned(),
                // What is no number is never reached, and the test that named it says so.
                times: times.parse().unwrap_or(0),
                seen: AtomicU32::new(0),
            }
        }
    }

    /// See above.
    #[expect(
        clippy::print_stderr,
        reason = "the last words of a process that a test kills"
    )]
    pub fn reached(point: &str, about: &str) {
        let Some(armed) = &*ARMED else { return };
        if armed.point != point || !about.contains(&armed.about) {
            return;
        }
        if armed.seen.fetch_add(1, Ordering::Relaxed) + 1 == armed.times {
            eprintln!("killed at the failpoint {point} of {about}");
            if kill_process(getpid(), Signal::KILL).is_err() {
                std::process::abort();
            }
        }
    }
}
