//! A file of entries in TOML, read whole, its faults told at once. What an entry says, its reader decides.

mod entry; // one of them while it is read
mod fault; // what is wrong, and where
mod kind; // what a file holds
mod lines; // which line a position is on

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::fault::Faults;

pub use self::entry::Entry;
pub use self::fault::{FileFault, FileFaults};
pub use self::kind::Kind;

/// Of a longer text that is not TOML, only the first fault is told: whatever else stands at the path of a file of entries may have one in
/// each of its bytes, and the parser keeps them all.
const ALL_FAULTS_UP_TO: usize = 1 << 20;

/// The entries of `text`, as `read` makes them, in their order. What it makes nothing of has a fault.
///
/// # Errors
/// The faults of the file, in the order of its lines; where it is not TOML, the faults of that alone.
pub fn read<T>(
    text: &str,
    kind: &Kind,
    mut read: impl FnMut(&mut Entry<'_>) -> Option<T>,
) -> Result<Vec<T>, FileFaults> {
    let mut faults = Faults::new(text, kind.noun);
    let parsed = if text.len() <= ALL_FAULTS_UP_TO {
        let (document, errors) = DeTable::parse_recoverable(text);
        errors.iter().for_each(|error| faults.add_syntax(error));
        Some(document)
    } else {
        DeTable::parse(text)
            .map_err(|error| {
                faults.add_syntax(&error);
                faults.cut_short();
            })
            .ok()
    };
    let Some(document) = parsed.filter(|_| faults.is_empty()) else {
        return Err(faults.into_found());
    };
    let tables = tables(document.get_ref(), kind, &mut faults);
    if let Some(surplus) = tables.get(kind.max) {
        let (max, noun, count) = (kind.max, kind.noun, tables.len());
        let problem = format!("a file may hold {max} {noun}s at most, and this has {count}");
        faults.add(Some(surplus.span()), None, None, problem);
    }
    let mut entries = Vec::new();
    for (index, value) in tables.into_iter().take(kind.max).enumerate() {
        if let Some(mut entry) = Entry::new(value, index + 1, kind, &mut faults) {
            entries.extend(read(&mut entry));
        }
    }
    let faults = faults.into_found();
    if faults.is_empty() {
        Ok(entries)
    } else {
        Err(faults)
    }
}

/// The values of the one kind of table that a file may hold.
fn tables<'a>(document: &'a DeTable<'a>, kind: &Kind, faults: &mut Faults) -> Vec<&'a Spanned<DeValue<'a>>> {
    let table = kind.table;
    let mut found = Vec::new();
    for (key, value) in document {
        let name: &str = key.get_ref();
        let problem = match value.get_ref() {
            DeValue::Array(values) if name == table => {
                found.extend(values.iter());
                continue;
            }
            _ if name == table => format!("write it as [[{table}]]"),
            _ => format!("this key is not known; the file may only hold [[{table}]] tables"),
        };
        faults.add(Some(key.span()), None, Some(name), problem);
    }
    found
}

#[cfg(test)]
mod tests;
