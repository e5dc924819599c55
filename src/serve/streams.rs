//! Where hyper leaves the streams of a connection. Most are answered the first time that they are looked at, so they are looked
//! at right after the connection has read what there is, and only those that have to wait become tasks of their own: a task a
//! stream costs more than the decision that it makes.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::rt::Executor;

type Stream = Pin<Box<dyn Future<Output = ()>>>;

/// The streams of one connection that nobody has looked at yet.
#[derive(Clone, Default)]
pub(super) struct Streams(Rc<RefCell<Vec<Stream>>>);

impl<F: Future<Output = ()> + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.0.borrow_mut().push(Box::pin(stream));
    }
}

impl Streams {
    /// Drives `connection` and, between its turns, the streams that it began.
    ///
    /// All that were begun are looked at before the connection has its next turn, so that their answers leave together.
    pub(super) fn poll<C>(
        &self,
        mut connection: Pin<&mut C>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        C: Future<Output = hyper::Result<()>>,
    {
        loop {
            let ended = connection.as_mut().poll(context);
            let begun = self.0.take();
            let idle = begun.is_empty();
            for mut stream in begun {
                if stream.as_mut().poll(context).is_pending() {
                    // It is polled once more there, and wakes its own task from then on.
                    tokio::task::spawn_local(stream);
                }
            }
            if let Poll::Ready(ended) = ended {
                return Poll::Ready(ended.map_err(io::Error::other));
            }
            if idle {
                return Poll::Pending;
            }
        }
    }
}
