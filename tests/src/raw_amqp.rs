//! A publisher that writes its frames by hand: what no client library would send, and the broker passes on.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use hookline_producer::EventId;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;

/// The texts among a message's properties, by the place that each has in the content header.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "AMQP's own names")]
pub enum Property {
    ContentType = 0,
    ContentEncoding = 1,
    CorrelationId = 5,
    ReplyTo = 6,
    MessageId = 8,
    Type = 10,
    AppId = 12,
}

/// The place of the headers, of the delivery mode and of the timestamp.
const HEADERS: usize = 2;
const DELIVERY_MODE: usize = 3;
const TIMESTAMP: usize = 9;
const PLACES: usize = 14;

/// A message in bytes.
#[derive(Debug, Clone)]
pub struct RawMessage {
    /// Each property as it is written, by its place; without headers, which stand apart.
    properties: [Option<Vec<u8>>; PLACES],
    headers: Vec<u8>,
    routing_key: Vec<u8>,
    body: Vec<u8>,
}

/// A header's value: its type and its bytes.
pub type Value = (u8, Vec<u8>);

/// A long string of any bytes.
#[must_use]
pub fn text(text: &[u8]) -> Value {
    (b'S', counted(text))
}

/// So many arrays, or tables, in one another; the innermost is empty.
///
/// # Panics
/// When it is none of both.
#[must_use]
pub fn nested(kind: u8, depth: usize) -> Value {
    let mut value = counted(b"");
    for _ in 1..depth {
        let entry = match kind {
            b'A' => vec![kind],
            b'F' => vec![1, b'n', kind],
            _ => panic!("{kind} nests nothing"),
        };
        value = counted(&[entry, value].concat());
    }
    (kind, value)
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a short value");
    [&length.to_be_bytes(), bytes].concat()
}

fn short(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("a short string");
    [&[length], bytes].concat()
}

impl RawMessage {
    /// An event of the company `acme` that is right in every part.
    #[must_use]
    pub fn event() -> Self {
        let mut message = Self {
            properties: [const { None }; PLACES],
            headers: Vec::new(),
            routing_key: b"booking.created".to_vec(),
            body: b"{}".to_vec(),
        };
        message.properties[DELIVERY_MODE] = Some(vec![2]);
        message.properties[TIMESTAMP] = Some(1_705_329_000_u64.to_be_bytes().to_vec());
        message
            .property(Property::ContentType, b"application/json")
            .property(Property::MessageId, EventId::new().as_str().as_bytes())
            .property(Property::Type, b"booking.created")
            .header(b"company", text(b"acme"))
    }

    /// With this property, in the place of what it was.
    #[must_use]
    pub fn property(mut self, property: Property, bytes: &[u8]) -> Self {
        self.properties[property as usize] = Some(short(bytes));
        self
    }

    /// Without any header. Of two with one name, RabbitMQ 3 hands on the last and RabbitMQ 4 the first.
    #[must_use]
    pub fn without_headers(mut self) -> Self {
        self.headers.clear();
        self
    }

    /// With this header more.
    #[must_use]
    pub fn header(mut self, name: &[u8], (kind, value): Value) -> Self {
        self.headers.extend(short(name));
        self.headers.push(kind);
        self.headers.extend(value);
        self
    }

    /// With this routing key.
    #[must_use]
    pub fn routing_key(mut self, key: &[u8]) -> Self {
        self.routing_key = key.to_vec();
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self
    }

    /// How long the frame of its content header is, in bytes.
    #[must_use]
    pub fn header_frame_len(&self) -> usize {
        self.content_header().len() + 8
    }

    fn content_header(&self) -> Vec<u8> {
        let mut flags = 0_u16;
        let mut properties = Vec::new();
        for (place, property) in self.properties.iter().enumerate() {
            let headers = (place == HEADERS).then(|| counted(&self.headers));
            if let Some(bytes) = headers.as_ref().or(property.as_ref()) {
                flags |= 0x8000 >> place;
                properties.extend(bytes);
            }
        }
        let length = self.body.len() as u64;
        [
            &[0, 60, 0, 0][..],
            &length.to_be_bytes(),
            &flags.to_be_bytes(),
            &properties,
        ]
        .concat()
    }
}

/// A connection with one channel, on which the broker confirms.
pub struct RawPublisher {
    stream: TcpStream,
}

impl RawPublisher {
    /// Connects.
    ///
    /// # Panics
    /// When the broker does not answer as AMQP wants it.
    pub async fn connect(url: &str) -> Self {
        let url: Url = url.parse().expect("a URL");
        let address = (url.host_str().expect("a host"), url.port().unwrap_or(5672));
        let stream = TcpStream::connect(address).await.expect("the broker is up");
        let mut this = Self { stream };
        this.stream.write_all(b"AMQP\0\0\x09\x01").await.expect("written");
        this.answer((10, 10)).await;
        let login = [
            b"\0",
            url.username().as_bytes(),
            b"\0",
            url.password().unwrap_or("guest").as_bytes(),
        ];
        let start_ok = [
            counted(b""),
            short(b"PLAIN"),
            counted(&login.concat()),
            short(b"en_US"),
        ];
        this.call(0, (10, 11), &start_ok.concat(), (10, 30)).await;
        // No more channels and no larger frames than the broker's defaults; no heartbeats.
        let tune_ok = [&2047_u16.to_be_bytes()[..], &131_072_u32.to_be_bytes(), &[0, 0]];
        this.method(0, (10, 31), &tune_ok.concat()).await;
        this.call(0, (10, 40), &[short(b"/"), vec![0, 0]].concat(), (10, 41))
            .await;
        this.call(1, (20, 10), &[0], (20, 11)).await;
        this.call(1, (85, 10), &[0], (85, 11)).await;
        this
    }

    /// Publishes and waits for the confirm.
    ///
    /// # Panics
    /// When the broker refuses it, or no queue takes it.
    pub async fn publish(&mut self, exchange: &str, message: &RawMessage) {
        let mandatory = 1;
        let publish = [
            vec![0, 0],
            short(exchange.as_bytes()),
            short(&message.routing_key),
            vec![mandatory],
        ];
        self.method(1, (60, 40), &publish.concat()).await;
        self.frame(HEADER, 1, &message.content_header()).await;
        self.frame(BODY, 1, &message.body).await;
        self.answer((60, 80)).await;
    }

    async fn call(&mut self, channel: u16, method: (u16, u16), arguments: &[u8], answer: (u16, u16)) {
        self.method(channel, method, arguments).await;
        self.answer(answer).await;
    }

    async fn method(&mut self, channel: u16, (class, method): (u16, u16), arguments: &[u8]) {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
        self.frame(METHOD, channel, &payload).await;
    }

    async fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let head = [&[kind][..], &channel.to_be_bytes(), &counted(payload), &[0xce]].concat();
        self.stream.write_all(&head).await.expect("written");
    }

    /// Waits for this method, and for no other.
    async fn answer(&mut self, expected: (u16, u16)) {
        let mut head = [0; 7];
        self.stream.read_exact(&mut head).await.expect("a frame");
        let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        let mut payload = vec![0; length as usize + 1];
        self.stream.read_exact(&mut payload).await.expect("a payload");
        let number = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
        assert!(
            head[0] == METHOD && (number(0), number(2)) == expected,
            "not {expected:?}: {:?}",
            String::from_utf8_lossy(&payload)
        );
    }
}
