//! One connection of a link, from its beginning to its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{sleep, timeout};

use super::orders::{Connection, Link, Strike, holds};

/// How much of what a client says first is kept: AMQP's handshake has its name among the first hundreds of bytes.
const HEAD: usize = 4096;
/// How long both sides of a connection that was ended may go on to close it.
const CLOSES_WITHIN: Duration = Duration::from_secs(10);

/// Carries what two sides say to each other, until one of them or the test ends it.
pub(super) async fn carry(near: TcpStream, link: Arc<Link>) {
    let is_down = link.orders.borrow().is_down;
    let far = if is_down {
        None
    } else {
        TcpStream::connect(&link.target).await.ok()
    };
    let Some(far) = far else {
        return reset(&near);
    };
    drop((near.set_nodelay(true), far.set_nodelay(true)));
    let connection = Arc::new(Connection::new());
    link.standing.lock().unwrap().push(Arc::clone(&connection));
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    {
        let mut orders = link.orders.subscribe();
        let mut strike = connection.strike.subscribe();
        tokio::select! {
            () = there(&mut from_near, &mut to_far, &connection, &link) => {}
            () = back(&mut from_far, &mut to_near, &connection, &link) => {}
            _ = orders.wait_for(|orders| orders.is_down) => {}
            _ = strike.wait_for(|strike| matches!(strike, Some(Strike::End | Strike::Reset))) => {}
        }
    }
    link.standing
        .lock()
        .unwrap()
        .retain(|other| !Arc::ptr_eq(other, &connection));
    let is_ended = *connection.strike.borrow() == Some(Strike::End);
    if is_ended {
        tokio::join!(end(from_near, to_near), end(from_far, to_far));
        return;
    }
    for (from, to) in [(from_near, to_near), (from_far, to_far)] {
        if let Ok(stream) = from.reunite(to) {
            reset(&stream);
        }
    }
}

/// A connection that is dropped with this set is reset, not ended politely.
fn reset(stream: &TcpStream) {
    drop(stream.set_zero_linger());
}

/// Ends one side politely. What it still says is taken and forgotten: with it unread, the system would send a reset.
async fn end(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    drop(to.shutdown().await);
    let mut rest = vec![0; 64 * 1024];
    let closed = async { while let Ok(1..) = from.read(&mut rest).await {} };
    drop(timeout(CLOSES_WITHIN, closed).await);
}

/// To the service.
async fn there(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, connection: &Connection, link: &Link) {
    let mut buffer = vec![0; 64 * 1024];
    let mut carried = 0;
    loop {
        let read = from.read(&mut buffer).await;
        if *connection.strike.borrow() == Some(Strike::Silence) {
            if matches!(read, Ok(1..)) {
                continue;
            }
            connection.given_up_by.fetch_add(1, Ordering::Relaxed);
            return std::future::pending().await;
        }
        let Ok(read @ 1..) = read else { return };
        let bytes = &buffer[..read];
        {
            let mut head = connection.head.lock().unwrap();
            let room = HEAD.saturating_sub(head.len());
            head.extend_from_slice(&bytes[..read.min(room)]);
        }
        let orders = link.orders.borrow().clone();
        if let Some(cut) = orders.cut_at.filter(|cut| holds(bytes, cut.text)) {
            if !cut.passes {
                link.cuts.fetch_add(1, Ordering::Relaxed);
                return;
            }
            connection.is_cut_at_answer.store(true, Ordering::Relaxed);
        }
        link.rate.carry(read).await;
        let left = orders
            .cut_after
            .map(|most| usize::try_from(most.saturating_sub(carried)).unwrap_or(usize::MAX))
            .filter(|left| *left < read);
        if to.write_all(&bytes[..left.unwrap_or(read)]).await.is_err() {
            return;
        }
        if left.is_some() {
            link.cuts.fetch_add(1, Ordering::Relaxed);
            return;
        }
        carried += read as u64;
    }
}

/// From the service. What it says on a silent connection is read and forgotten, and its end is only told to the test.
async fn back(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, connection: &Connection, link: &Link) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        if matches!(
            *connection.strike.borrow(),
            Some(Strike::Silence | Strike::Deafness)
        ) {
            if matches!(read, Ok(1..)) {
                continue;
            }
            connection.given_up_by.fetch_add(1, Ordering::Relaxed);
            link.given_up.fetch_add(1, Ordering::Relaxed);
            return std::future::pending().await;
        }
        let Ok(read @ 1..) = read else { return };
        if connection.is_cut_at_answer.load(Ordering::Relaxed) {
            link.cuts.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let delay = link.orders.borrow().delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
        link.answers.carry(read).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
