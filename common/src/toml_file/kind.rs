//! What a file holds.

/// What a file holds entries of.
#[derive(Debug)]
pub struct Kind {
    /// The name of their tables: `endpoint` for `[[endpoint]]`.
    pub table: &'static str,
    /// What people call one of them: `endpoint`.
    pub noun: &'static str,
    /// The key that tells one from another.
    pub id_key: &'static str,
    /// Whether a text can be such an id; what cannot is not repeated.
    pub is_id: fn(&str) -> bool,
    /// How many a file may hold.
    pub max: usize,
}
