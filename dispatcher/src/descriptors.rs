//! How many files this process may open: the limit of the operating system, raised as far as it lets us.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Raises the soft limit of open files to the hard one. Distributions keep the soft limit at 1,024 for programs that
/// use `select`, which fails with more; we do not.
pub fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(current, maximum, %error, "the soft limit of open files cannot be raised to the hard one");
    }
}

/// The soft limit of open files.
#[must_use]
pub fn limit() -> usize {
    getrlimit(Resource::Nofile)
        .current
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise_limit();
        let after = getrlimit(Resource::Nofile);
        assert_eq!(after.current, after.maximum);
    }
}
