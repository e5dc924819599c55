//! A request's body on its way: hashed in slices, and kept where Envoy wants it back.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::decide::Asked;
use crate::envoy::budget::Room;
use crate::envoy::ext_proc::response::{request_piece, trailers};
use crate::envoy::grpc::Frame;
use crate::request::{BodyFault, PayloadHash, PayloadHasher};

/// The largest piece that goes back (Envoy's documentation of `FULL_DUPLEX_STREAMED`).
const PIECE: usize = 64 << 10;

/// Smaller ones are put together: each that is kept as it came costs more than its bytes.
const SMALL: usize = 4 << 10;

/// What is known of a body when its request is decided.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    /// It was not asked for.
    Nothing,
    /// All of it came by.
    Whole { hash: PayloadHash, length: usize },
    /// It did not come as it has to.
    Fault(BodyFault),
}

/// A body that is awaited, for a request that goes no further without.
pub(super) struct Incoming {
    asked: Asked,
    provider: usize,
    room: Room,
    /// No more than the room that was taken for it.
    most: Most,
    length: usize,
    hasher: PayloadHasher,
    /// What came and is not hashed yet.
    behind: Bytes,
    kept: Option<Box<Kept>>,
    over: Option<Result<(), BodyFault>>,
}

/// How long a body may become.
#[derive(Clone, Copy, Debug)]
pub(super) enum Most {
    /// As long as the request says.
    Stated(usize),
    /// As long as any.
    Limit(usize),
}

/// A body that goes back to Envoy once the headers have.
pub(super) struct Kept {
    whole: VecDeque<Bytes>,
    /// Small parts in a row, the last ones that came.
    small: BytesMut,
    ended_by: Option<End>,
    room: Option<Room>,
}

/// What stood at the end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Body,
    Trailers,
}

impl Incoming {
    /// A body that Envoy sends whole.
    pub(super) fn whole(asked: Asked, provider: usize, room: Room, most: Most) -> Self {
        let (hasher, behind) = (PayloadHasher::default(), Bytes::new());
        Self { asked, provider, room, most, length: 0, hasher, behind, kept: None, over: None }
    }

    /// One that it sends in pieces, to have them back.
    pub(super) fn in_pieces(asked: Asked, provider: usize, room: Room, most: Most) -> Self {
        Self { kept: Some(Box::default()), ..Self::whole(asked, provider, room, most) }
    }

    /// The next part.
    pub(super) fn part(&mut self, part: Bytes) {
        self.length = self.length.saturating_add(part.len());
        match self.most {
            Most::Stated(length) if self.length > length => self.fail(BodyFault::Length),
            Most::Limit(limit) if self.length > limit => self.fail(BodyFault::TooLarge),
            _ => {
                if let Some(kept) = &mut self.kept {
                    kept.push(part.clone());
                }
                self.behind = part;
            }
        }
    }

    /// That was all.
    pub(super) fn end(&mut self, end: End) {
        if let Some(kept) = &mut self.kept {
            kept.ended_by = Some(end);
        }
        self.over.get_or_insert(Ok(()));
    }

    /// Nothing of it is of use.
    pub(super) fn fail(&mut self, fault: BodyFault) {
        self.over = Some(Err(fault));
        self.behind.clear();
    }

    /// Whether there is something to hash.
    pub(super) fn is_behind(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Hashes some of it.
    pub(super) fn catch_up(&mut self) {
        let slice = self.behind.split_to(self.behind.len().min(PayloadHasher::SLICE));
        self.hasher.update(&slice);
    }

    /// Whether it needs no more of Envoy's messages.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Whether it comes in pieces that have to go back.
    pub(super) fn is_in_pieces(&self) -> bool {
        self.kept.is_some()
    }

    /// The entry that signs it.
    pub(super) fn provider(&self) -> &str {
        let providers = self.asked.generation.snapshot.catalog.providers();
        providers.get(self.provider).map_or("", |provider| &*provider.name)
    }

    /// The request, to be decided with what is known now.
    pub(super) fn finish(self) -> Asked {
        let seen = match self.over {
            Some(Err(fault)) => Seen::Fault(fault),
            _ => Seen::Whole { hash: self.hasher.finish(), length: self.length },
        };
        // Of a body that Envoy has buffered itself nothing is left here, and its room is free.
        let mut kept = self.kept;
        if let Some(kept) = &mut kept {
            kept.room = Some(self.room);
        }
        Asked { seen, kept, ..self.asked }
    }
}

impl Kept {
    fn push(&mut self, part: Bytes) {
        if part.len() < SMALL {
            self.small.extend_from_slice(&part);
            if self.small.len() < PIECE {
                return;
            }
        }
        if !self.small.is_empty() {
            self.whole.push_back(self.small.split().freeze());
        }
        if part.len() >= SMALL {
            self.whole.push_back(part);
        }
    }

    /// The next message to Envoy, none after the last.
    pub(super) fn next(&mut self) -> Option<Frame> {
        if self.whole.is_empty() && !self.small.is_empty() {
            self.whole.push_back(self.small.split().freeze());
        }
        let Some(first) = self.whole.front_mut() else { return self.ended_by.take().map(last) };
        let piece = first.split_to(first.len().min(PIECE));
        if first.is_empty() {
            self.whole.pop_front();
        }
        let more = !self.whole.is_empty() || !self.small.is_empty();
        let is_last = !more && self.ended_by == Some(End::Body);
        if is_last {
            self.ended_by = None;
        }
        Some(request_piece(piece, is_last))
    }
}

/// The end by itself: of a body without bytes, or trailers.
fn last(end: End) -> Frame {
    match end {
        End::Body => request_piece(Bytes::new(), true),
        End::Trailers => trailers(),
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self { whole: VecDeque::new(), small: BytesMut::new(), ended_by: None, room: None }
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("ended_by", &self.ended_by)
            .field("room", &self.room)
            .finish_non_exhaustive()
    }
}
