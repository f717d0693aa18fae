//! Where the broker is and who we are there: the URLs of its nodes, one or more.

use std::fmt;

use super::node_url::NodeUrl;

/// The checked URL of a broker, or of several nodes of one cluster, separated by commas.
///
/// Each is whole: nothing of one is taken for another. Printing it shows no password.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl(Vec<NodeUrl>);

/// Why a text is not a broker's URL. The text itself is left out: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}{why}; it must look like amqp://user:password@host:5672/vhost (amqps:// for TLS, the default vhost is %2f); the \
     nodes of a cluster are separated by commas, a whole URL each, and a comma within one is written %2c",
    numbered(*.number, *.of)
)]
pub struct InvalidBrokerUrl {
    why: &'static str,
    number: usize,
    of: usize,
}

impl BrokerUrl {
    /// Checks `text` and takes it as the URL of the broker, or of its nodes.
    ///
    /// # Errors
    /// [`InvalidBrokerUrl`] says what is wrong, and in which of them, without repeating the text.
    pub fn parse(text: &str) -> Result<Self, InvalidBrokerUrl> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let of = parts.len();
        let nodes = parts.into_iter().enumerate().map(|(index, part)| {
            NodeUrl::parse(part).map_err(|why| InvalidBrokerUrl {
                why,
                number: index + 1,
                of,
            })
        });
        nodes.collect::<Result<_, _>>().map(Self)
    }

    /// The virtual host, as the broker calls it: that of the first node.
    #[must_use]
    pub fn vhost(&self) -> &str {
        self.0.first().map_or("/", NodeUrl::vhost)
    }

    /// As whom we connect to the first node.
    #[must_use]
    pub fn user(&self) -> &str {
        self.0.first().map_or("guest", NodeUrl::user)
    }

    /// The password at the first node, for the management API, which takes the same account. Never to be printed.
    #[must_use]
    pub fn password(&self) -> &str {
        self.0.first().map_or("guest", NodeUrl::password)
    }

    /// The nodes, in the order in which they were given; at least one.
    pub(super) fn nodes(&self) -> &[NodeUrl] {
        &self.0
    }
}

fn numbered(number: usize, of: usize) -> String {
    if of > 1 {
        format!("URL {number} of {of}: ")
    } else {
        String::new()
    }
}

/// The URLs without their passwords.
impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{node}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(text: &str) -> String {
        BrokerUrl::parse(text).unwrap().to_string()
    }

    fn heartbeat(text: &str) -> Option<u16> {
        BrokerUrl::parse(text).unwrap().nodes()[0]
            .to_uri()
            .query
            .heartbeat
    }

    #[test]
    fn a_url_is_printed_without_its_password() {
        let url = BrokerUrl::parse("amqp://guest:s3cret@127.0.0.1:5672/%2f").unwrap();
        assert_eq!(url.to_string(), "amqp://guest@127.0.0.1:5672/%2f");
        assert!(!format!("{url:?}").contains("s3cret"));
    }

    #[test]
    fn a_list_keeps_its_order_and_every_node_what_is_its_own() {
        assert_eq!(
            shown("amqp://a:s3cret@h1/x, amqps://b:s3cret@h2:1/y ,amqp://[::1]"),
            "amqp://a@h1:5672/x,amqps://b@h2:1/y,amqp://guest@[::1]:5672/%2f"
        );
    }

    #[test]
    fn heartbeats_are_short_unless_the_url_says_otherwise() {
        assert_eq!(heartbeat("amqp://h"), Some(5));
        assert_eq!(heartbeat("amqp://h?heartbeat=30"), Some(30));
    }

    #[test]
    fn ipv6_hosts_are_kept() {
        let url = BrokerUrl::parse("amqp://[::1]:5672").unwrap();
        assert_eq!(url.nodes()[0].host(), "::1");
    }

    #[test]
    fn what_a_password_or_a_vhost_may_hold_is_taken_escaped() {
        let url = BrokerUrl::parse("amqp://shop:a%2cb%40c%2fd%23e@h/team%20a").unwrap();
        let uri = url.nodes()[0].to_uri();
        assert_eq!(
            (uri.authority.userinfo.password.as_str(), uri.vhost.as_str()),
            ("a,b@c/d#e", "team a")
        );
        assert_eq!(url.to_string(), "amqp://shop@h:5672/team%20a");
    }

    #[test]
    fn a_user_that_could_be_something_else_is_not_printed() {
        assert_eq!(shown("amqp://me%40corp:pw@h"), "amqp://…@h:5672/%2f");
        assert_eq!(shown("amqp://a%0ab:pw@h"), "amqp://a%0ab@h:5672/%2f");
    }

    /// Each is a slip of the hand that puts a password, or a part of one, where something else is expected. Whatever is
    /// taken of them shows nothing of it, and what is refused repeats nothing.
    #[test]
    fn no_slip_of_the_hand_puts_a_password_where_it_is_printed() {
        for slip in [
            "",
            ",",
            "127.0.0.1",
            "s3cret",
            "http://h",
            "amqp:",
            "amqp://",
            "amqp:///v",
            "amqp://u:s3cret@",
            "amqp:u:s3cret@h",
            "amqp:/u:s3cret@h/",
            "amqp://h?heartbeat=soon",
            "amqp://u:pw@h,",
            "amqp://u:pw@h1,,amqp://u:pw@h2",
            "amqp://u:pw@h1,h2:5672/v",
            "amqp://u:pw@h1,u2:s3cret@h2",
            "amqp://u:pw@h1,http://u2:s3cret@h2",
            "amqp://u:s3,cret@h",
            "amqp://u:1,s3cret@h",
            "amqp://u:s3cret,@h",
            "amqp://u:pw@h1;amqp://u2:s3cret@h2",
            "amqp://u:pw@h1/;amqp://u2:s3cret@h2/",
            "amqp://u:pw@h1/%2f;amqp://u2:s3cret@h2/%2f",
            "amqp://u:pw@h1/%2f amqp://u2:s3cret@h2/%2f",
            "amqp://u:pw@h1/%2f\namqp://u2:s3cret@h2/%2f",
            "amqp://u:pw@h1/%2f|amqp://u2:s3cret@h2/%2f",
            "amqp://u:pw@h1/amqp%3a%2f%2fu2%3as3cret%40h2",
            "amqp://u:pw@h1/v@s3cret",
            "amqp://u:pw@h1/v%40s3cret",
            "amqp://u:1/s3cret@h/v",
            "amqp://u:1#s3cret@h/v",
            "amqp://u:1?s3cret@h/v",
            "amqp://u:pw@h#s3cret",
            "amqp://u:pw@h?next=amqp://u2:s3cret@h2",
            "amqp://u:s3cret@h1 ,h2",
            "amqp://u:s3/cret@h",
            "amqp://u:s3#cret@h",
            "amqp://u:s3?cret@h",
            "amqp://u:s3cret%h@x@y",
            "amqp://u:pw@h%40s3cret/v",
            "amqp://u:pw@h1,amqp://u2:s3cret@h2 amqp://h3",
            "amqp://u:pw@h:s3cret",
            "amqp://u:pw@h:99999/s3cret",
        ] {
            match BrokerUrl::parse(slip) {
                Ok(url) => {
                    let shown = url.to_string();
                    assert!(
                        !shown.contains("s3cret") && !shown.contains("cret"),
                        "{slip}: {shown}"
                    );
                    for node in url.nodes() {
                        assert!(
                            !node.vhost().contains('@') && !node.vhost().contains("://"),
                            "{slip}"
                        );
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(!error.contains("cret"), "{slip}: {error}");
                    assert!(error.contains("must look like amqp://"), "{slip}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_one_that_is_wrong_is_named() {
        let error = BrokerUrl::parse("amqp://h1,amqp://h2,h3:5672")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("URL 3 of 3: "), "{error}");
        let error = BrokerUrl::parse("h3").unwrap_err().to_string();
        assert!(error.starts_with("it is not a URL; "), "{error}");
    }
}
