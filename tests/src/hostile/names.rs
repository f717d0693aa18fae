//! What a name server is asked and says, true or not, as words and as bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

const A: u16 = 1;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const AAAA: u16 = 28;
const IN: u16 = 1;

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The name, in lower case, without the dot of the root.
    pub name: String,
    /// `A`, `AAAA` or a number.
    pub kind: String,
}

/// A record of an answer.
#[derive(Debug, Clone)]
pub struct Record {
    name: String,
    ttl_s: u32,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    Address(IpAddr),
    Alias(String),
}

/// What the server does with a question.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers with these records; those of the wrong kind are left out, aliases are not.
    Records(Vec<Record>),
    /// Answers with this response code alone: 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
    Code(u8),
    /// Answers that there is no such name, to be remembered for so many seconds.
    Absent {
        /// The zone's wish.
        ttl_s: u32,
    },
    /// Answers so much later.
    Late(Duration, Box<Reply>),
    /// Answers with bytes that are no message.
    Noise,
    /// Does not answer.
    Nothing,
}

/// An IPv4 address of `name` that nobody may remember.
///
/// # Panics
/// When `address` is none.
#[must_use]
pub fn a(name: &str, address: &str) -> Record {
    let address: Ipv4Addr = address.parse().expect("an IPv4 address");
    record(name, Data::Address(address.into()))
}

/// An IPv6 address of `name` that nobody may remember.
///
/// # Panics
/// When `address` is none.
#[must_use]
pub fn aaaa(name: &str, address: &str) -> Record {
    let address: Ipv6Addr = address.parse().expect("an IPv6 address");
    record(name, Data::Address(address.into()))
}

/// `name` is another name for `target`.
#[must_use]
pub fn cname(name: &str, target: &str) -> Record {
    record(name, Data::Alias(target.to_owned()))
}

fn record(name: &str, data: Data) -> Record {
    Record {
        name: name.to_owned(),
        ttl_s: 0,
        data,
    }
}

impl Record {
    /// The same, to be remembered for so many seconds.
    #[must_use]
    pub fn for_seconds(mut self, ttl_s: u32) -> Self {
        self.ttl_s = ttl_s;
        self
    }

    /// Whose record it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> u16 {
        match &self.data {
            Data::Address(IpAddr::V4(_)) => A,
            Data::Address(IpAddr::V6(_)) => AAAA,
            Data::Alias(_) => CNAME,
        }
    }

    fn write(&self, asked: &str, message: &mut Vec<u8>) {
        if self.name == asked {
            // Where the question stands, so that many records fit into one datagram.
            message.extend([0xc0, 12]);
        } else {
            write_name(&self.name, message);
        }
        message.extend(self.kind().to_be_bytes());
        message.extend(IN.to_be_bytes());
        message.extend(self.ttl_s.to_be_bytes());
        let mut data = Vec::new();
        match &self.data {
            Data::Address(IpAddr::V4(address)) => data.extend(address.octets()),
            Data::Address(IpAddr::V6(address)) => data.extend(address.octets()),
            Data::Alias(target) => write_name(target, &mut data),
        }
        message.extend(u16::try_from(data.len()).expect("short data").to_be_bytes());
        message.extend(data);
    }
}

/// What a server that knows only `records` says: all that leads from the name on, or that there is no such name.
#[must_use]
pub fn of(question: &Question, records: &[Record]) -> Reply {
    let mut name = question.name.as_str();
    let mut found = Vec::new();
    loop {
        let here: Vec<_> = records.iter().filter(|record| record.name == name).collect();
        found.extend(here.iter().map(|record| (*record).clone()));
        match here.iter().find_map(|record| record.alias()) {
            Some(next) if found.len() < 64 => name = next,
            _ => break,
        }
    }
    if found.is_empty() {
        Reply::Code(3)
    } else {
        Reply::Records(found)
    }
}

impl Record {
    fn alias(&self) -> Option<&str> {
        match &self.data {
            Data::Alias(target) => Some(target),
            Data::Address(_) => None,
        }
    }
}

/// The one question of a query, and where it ends.
pub(super) fn read_question(query: &[u8]) -> Option<(Question, usize)> {
    let mut position = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(position)?);
        position += 1;
        if length == 0 {
            break;
        }
        let label = query.get(position..position + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        position += length;
    }
    let kind = u16::from_be_bytes(query.get(position..position + 2)?.try_into().ok()?);
    let kind = match kind {
        A => "A".to_owned(),
        AAAA => "AAAA".to_owned(),
        other => other.to_string(),
    };
    let name = labels.join(".");
    Some((Question { name, kind }, position + 4))
}

/// The whole answer, if there is one.
pub(super) fn answer(query: &[u8], end: usize, question: &Question, reply: Reply) -> Option<Vec<u8>> {
    let (code, mut records, authority) = match reply {
        Reply::Records(records) => (0, records, None),
        Reply::Code(code) => (code, Vec::new(), None),
        Reply::Absent { ttl_s } => (3, Vec::new(), Some(ttl_s)),
        Reply::Noise => return Some([&query[..2], &[0xff; 40]].concat()),
        Reply::Nothing | Reply::Late(..) => return None,
    };
    let wanted = match question.kind.as_str() {
        "A" => A,
        "AAAA" => AAAA,
        _ => CNAME,
    };
    records.retain(|record| record.kind() == wanted || record.kind() == CNAME);
    let mut message = query[..2].to_vec();
    // A response, recursion wanted and there; one question, then the answers.
    message.extend([0x81, 0x80 | code, 0, 1]);
    message.extend(u16::try_from(records.len()).ok()?.to_be_bytes());
    message.extend([0, u8::from(authority.is_some()), 0, 0]);
    message.extend(&query[12..end]);
    records
        .iter()
        .for_each(|record| record.write(&question.name, &mut message));
    if let Some(ttl_s) = authority {
        write_start_of_authority(ttl_s, &mut message);
    }
    Some(message)
}

/// What is said over UDP where `answer` is too long for that: that it is, and nothing of it.
pub(super) fn truncated(mut answer: Vec<u8>, question_end: usize) -> Vec<u8> {
    answer.truncate(question_end);
    answer[2] |= 0b10;
    // No answers, no authority, nothing else.
    answer[6..12].fill(0);
    answer
}

/// The zone of all names, which wishes that what is not there be remembered for so long.
fn write_start_of_authority(ttl_s: u32, message: &mut Vec<u8>) {
    write_name("example.com", message);
    message.extend(SOA.to_be_bytes());
    message.extend(IN.to_be_bytes());
    message.extend(ttl_s.to_be_bytes());
    let mut data = Vec::new();
    write_name("ns.example.com", &mut data);
    write_name("hostmaster.example.com", &mut data);
    // Serial number, refresh, retry, expiry; the last is how long "no" counts.
    for number in [1, 3600, 600, 86_400, ttl_s] {
        data.extend(number.to_be_bytes());
    }
    message.extend(u16::try_from(data.len()).expect("short data").to_be_bytes());
    message.extend(data);
}

fn write_name(name: &str, message: &mut Vec<u8>) {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        message.push(u8::try_from(label.len()).expect("a label"));
        message.extend(label.as_bytes());
    }
    message.push(0);
}
