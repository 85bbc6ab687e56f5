//! A wire between a service and the broker that the test can hold: what the service says then stays in the wire.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Bytes of one piece.
const PIECE: usize = 16 * 1024;

pub(crate) struct Tap {
    address: String,
    held: Arc<watch::Sender<bool>>,
    _end: DropGuard,
}

impl Tap {
    /// Listens on a free port and passes every connection on to `target`.
    pub(crate) async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let held = Arc::new(watch::Sender::new(false));
        let (end, tracker) = (CancellationToken::new(), TaskTracker::new());
        let (wires, valve) = (tracker.clone(), Arc::clone(&held));
        let stop = end.clone();
        tracker.spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (valve, target) = (valve.subscribe(), target.clone());
                wires.spawn(stop.clone().run_until_cancelled_owned(async move {
                    // A broker that is away refuses; the service sees its connection end.
                    if let Ok(far) = TcpStream::connect(target).await {
                        wire(near, far, valve).await;
                    }
                }));
            }
        }));
        Self {
            address,
            held,
            _end: end.drop_guard(),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// From now on nothing that the service says arrives; what it hears still does.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets new connections speak again.
    pub(crate) fn let_go(&self) {
        self.held.send_replace(false);
    }
}

/// Ends with the first of its two directions, and what was held is lost with it.
async fn wire(near: TcpStream, far: TcpStream, valve: watch::Receiver<bool>) {
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let open = watch::Sender::new(false);
    tokio::select! {
        () = pass(near_read, far_write, valve) => {}
        () = pass(far_read, near_write, open.subscribe()) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut valve: watch::Receiver<bool>) {
    let mut piece = vec![0; PIECE];
    loop {
        let Ok(length @ 1..) = from.read(&mut piece).await else {
            return;
        };
        // While it is held only the end of the service is looked for.
        while *valve.borrow_and_update() {
            let mut rest = [0; 1024];
            tokio::select! {
                changed = valve.changed() => if changed.is_err() { return },
                read = from.read(&mut rest) => if !matches!(read, Ok(1..)) { return },
            }
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
