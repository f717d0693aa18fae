//! A file of entries in TOML, read whole, its faults told at once. What an entry says, its reader decides.

mod entry; // one of them while it is read
mod fault; // what is wrong, and where
mod kind; // what a file holds
mod lines; // which line a position is on
mod pieces; // a long file in short ones

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use self::fault::Faults;
use self::pieces::{LONGEST, Piece, Pieces};

pub use self::entry::Entry;
pub use self::fault::{FileFault, FileFaults};
pub use self::kind::Kind;

/// The entries of `text`, as `read` makes them, in their order. What it makes nothing of has a fault. What it takes of the memory besides
/// is bounded, whatever the text is.
///
/// # Errors
/// The faults of the file, in the order of its lines; where it is not TOML, the faults of that alone.
pub fn read<T>(
    text: &str,
    kind: &Kind,
    mut read: impl FnMut(&mut Entry<'_>) -> Option<T>,
) -> Result<Vec<T>, FileFaults> {
    let mut faults = Faults::new(kind.noun);
    let mut entries = Vec::new();
    let (mut count, mut surplus, mut is_list) = (0, None, false);
    for piece in Pieces::of(text, kind.table) {
        faults.begin(piece.text);
        if is_list {
            // The header that this piece begins with would add to a list that is closed.
            faults.add_syntax(Some(0..0), "duplicate key");
        }
        let Some(document) = parse(&piece, kind, &mut faults) else {
            continue;
        };
        if faults.is_broken() {
            continue;
        }
        is_list = has_list(document.get_ref(), kind);
        for value in tables(document.get_ref(), kind, &mut faults) {
            count += 1;
            if count > kind.max {
                surplus = surplus.or_else(|| Some(faults.line(&value.span())));
            } else if let Some(mut entry) = Entry::new(value, count, kind, &mut faults) {
                entries.extend(read(&mut entry));
            }
        }
    }
    if surplus.is_some() {
        let (max, noun) = (kind.max, kind.noun);
        let problem = format!("a file may hold {max} {noun}s at most, and this has {count}");
        faults.add_at(surplus, None, None, problem);
    }
    let faults = faults.into_found();
    if faults.is_empty() {
        Ok(entries)
    } else {
        Err(faults)
    }
}

/// What a piece says, unless it is no TOML, which is a fault.
fn parse<'t>(piece: &Piece<'t>, kind: &Kind, faults: &mut Faults) -> Option<Spanned<DeTable<'t>>> {
    let Some(beginning) = piece.beginning() else {
        let (document, errors) = DeTable::parse_recoverable(piece.text);
        errors.iter().for_each(|error| add(error, faults));
        return errors.is_empty().then_some(document);
    };
    // Of what is long, only the beginning is parsed with all its faults, of which there may be one for each byte. Towards its end it may
    // seem broken for being cut off.
    let (_, errors) = DeTable::parse_recoverable(beginning);
    let is_certain = |error: &&Error| error.span().is_none_or(|span| span.start < beginning.len() / 2);
    let certain: Vec<&Error> = errors.iter().filter(is_certain).collect();
    if !certain.is_empty() {
        certain.into_iter().for_each(|error| add(error, faults));
        faults.cut_short();
        return None;
    }
    if piece.is_endless {
        let (table, noun, mebibytes) = (kind.table, kind.noun, LONGEST >> 20);
        let problem = format!(
            "here begin {mebibytes} MiB without another [[{table}]]; write one for each {noun}, at the beginning of a line"
        );
        faults.add(Some(0..0), None, None, problem);
        faults.cut_short();
        return None;
    }
    match DeTable::parse(piece.text) {
        Ok(document) => Some(document),
        Err(error) => {
            add(&error, faults);
            faults.cut_short();
            None
        }
    }
}

fn add(error: &Error, faults: &mut Faults) {
    faults.add_syntax(error.span(), error.message());
}

/// Whether the entries stand in one list, and not each behind a header of its own.
fn has_list(document: &DeTable<'_>, kind: &Kind) -> bool {
    let found = document.get_key_value(kind.table);
    // The span of what headers make is that of the first of them.
    found.is_some_and(|(key, value)| value.get_ref().is_array() && key.span().start < value.span().start)
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
