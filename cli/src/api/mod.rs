//! The console's API: the only way in which commands look after companies' endpoints and tokens.

mod client; // asks
mod error; // why it does not answer as asked
mod pages; // a list, to its end
mod settings; // where it is, and who asks
mod url; // its address
mod views; // what it answers
mod log_views; // and about the log

pub(crate) use reqwest::Method;

pub(crate) use self::client::Api;
pub(crate) use self::error::ApiError;
pub(crate) use self::log_views::{
    AttemptView, DeliveryInFull, DeliveryView, FailingGroupView, FeedPage, ending, is_success,
};
pub(crate) use self::pages::Pages;
pub(crate) use self::settings::ApiFlags;
pub(crate) use self::views::{CreatedToken, EndpointView, RotatedSecret, SecretView, TokenView};
