//! How many answers of the feed one company has on their way at once: each holds a page of payloads until it is read, and whoever
//! reads slowly shall not fill the memory with them.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hookline_common::ids::CompanyId;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// Answers of one company at once: some 16 MiB, and four times as many as it has connections to the database.
const AT_ONCE: usize = 16;
/// An answer is handed to whoever writes it in pieces, so that the last of it leaves here when nearly all of it was taken.
const PIECE_BYTES: usize = 64 << 10;

/// How many answers of each company's feed are on their way, to the operator or to the company itself: neither takes the other's places.
type OnTheirWay = Arc<Mutex<HashMap<(CompanyId, bool), usize>>>;

/// Room for answers of the feed.
#[derive(Default)]
pub(crate) struct FeedPlaces(OnTheirWay);

/// A place, for as long as it is held.
pub(crate) struct FeedPlace {
    on_their_way: OnTheirWay,
    whose: (CompanyId, bool),
}

impl FeedPlaces {
    /// One of the company's places, or of the operator's for its feed, if there is any left.
    pub(crate) fn take(&self, company: &CompanyId, is_admin: bool) -> Option<FeedPlace> {
        let whose = (company.clone(), is_admin);
        let mut on_their_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = on_their_way.entry(whose.clone()).or_default();
        if *count >= AT_ONCE {
            return None;
        }
        *count += 1;
        Some(FeedPlace {
            on_their_way: Arc::clone(&self.0),
            whose,
        })
    }
}

impl FeedPlace {
    /// A body that holds the place until it is handed over.
    pub(crate) fn body(self, bytes: Vec<u8>) -> Body {
        Body::new(Pieces {
            left: bytes.into(),
            _place: self,
        })
    }
}

impl Drop for FeedPlace {
    fn drop(&mut self) {
        let mut on_their_way = self.on_their_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = on_their_way.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                on_their_way.remove(&self.whose);
            }
        }
    }
}

struct Pieces {
    left: Bytes,
    _place: FeedPlace,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.left.len().min(PIECE_BYTES);
        let piece = self.left.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn company(text: &str) -> CompanyId {
        CompanyId::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_company_has_so_many_until_they_are_sent_and_leaves_others_theirs() {
        let places = FeedPlaces::default();
        let acme = company("acme");
        let mut held: Vec<_> = (0..AT_ONCE).map(|_| places.take(&acme, false).unwrap()).collect();
        assert!(places.take(&acme, false).is_none());
        assert!(places.take(&company("globex"), false).is_some());
        assert!(places.take(&acme, true).is_some());
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 1).map(|at| (at % 251) as u8).collect();
        let mut body = held.pop().unwrap().body(bytes.clone());
        let mut read = Vec::new();
        let mut pieces = 0;
        while let Some(piece) = body.frame().await {
            assert!(places.take(&acme, false).is_none(), "it is not sent yet");
            read.extend_from_slice(&piece.unwrap().into_data().unwrap());
            pieces += 1;
        }
        assert_eq!((read, pieces), (bytes, 4));
        drop(body);
        assert!(places.take(&acme, false).is_some());
        drop(held);
        assert!(
            places.0.lock().unwrap().is_empty(),
            "nothing is kept of who has none"
        );
    }
}
