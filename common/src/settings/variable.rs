//! What is known of one setting before anybody has set it.

/// One setting: what it is called, what it means, and what it is when nobody sets it.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// The environment variable (`HOOKLINE_NAMESPACE`).
    pub name: &'static str,
    /// What it is for, with units.
    pub help: &'static str,
    /// What it is when it is not set.
    pub default: Option<&'static str>,
    /// Whether it holds a secret: then `NAME_FILE` takes the place of a flag, and its value is never printed.
    pub is_secret: bool,
}

impl Variable {
    /// The command-line flag: `HOOKLINE_NAMESPACE` → `namespace`.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name
            .trim_start_matches("HOOKLINE_")
            .to_ascii_lowercase()
            .replace('_', "-")
    }
}

/// Declares variables, a constant each, and `ALL` of them.
macro_rules! variables {
    ($($(#[$doc:meta])* $ident:ident = $name:literal, $default:expr, $secret:literal, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $ident: Variable =
                Variable { name: $name, help: $help, default: $default, is_secret: $secret };
        )*
        /// All of them, so that a misspelt variable can be told from somebody else's.
        pub const ALL: &[Variable] = &[$($ident),*];
    };
}

pub(super) use variables;
