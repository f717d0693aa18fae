//! What a message says of its sender, beside what an event is made of. It is kept where the message is rejected, so that a
//! person can find who sent it.

/// Where a message was published to, and what its sender set that means nothing to us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sender {
    /// The exchange that it was published to; empty for the default one, or where that is not known.
    pub exchange: String,
    /// The routing key that it was published with.
    pub routing_key: String,
    /// Other properties. Most messages have none, and room for these would be taken by each.
    pub properties: Option<Box<SenderProperties>>,
}

/// Properties that neither events nor deliveries have. Texts are at most 255 bytes long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SenderProperties {
    /// The program that published, as it calls itself.
    pub app_id: Option<String>,
    /// The account that published, which the broker has checked.
    pub user_id: Option<String>,
    /// The sender's own mark.
    pub correlation_id: Option<String>,
    /// Where the sender wants to be answered.
    pub reply_to: Option<String>,
    /// Of old.
    pub cluster_id: Option<String>,
    /// After so many milliseconds, as text, the message was to expire.
    pub expiration: Option<String>,
    /// From 0 on; higher is sooner.
    pub priority: Option<u8>,
    /// 1: not to be kept on disk. 2, which all of ours have, is left out.
    pub delivery_mode: Option<u8>,
}
