//! Which message may follow which. Anything else is abuse or a fault of the proxy, and ends the stream with an error.

use thiserror::Error;

use super::request::{BodyMode, BodyModes, Phase};

/// What has been seen of one exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    request: Side,
    response: Side,
}

/// How far one direction has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    #[default]
    Nothing,
    Headers,
    /// And the one message of a body that comes whole, without the end: it was cut, or trailers follow.
    Body,
    End,
}

/// A message out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum OrderError {
    #[error("the first message is not request_headers")]
    NotRequestHeaders,
    #[error("headers were sent already")]
    Again,
    #[error("a body or trailers without headers")]
    NoHeaders,
    #[error("a second part of a body that comes whole")]
    Part,
    #[error("a message after the end of its direction")]
    AfterEnd,
}

impl Order {
    /// Takes the next message. `modes` are those that the first one tells.
    pub(super) fn accept(&mut self, phase: Phase<'_>, modes: BodyModes) -> Result<(), OrderError> {
        if self.request == Side::Nothing && !matches!(phase, Phase::RequestHeaders { .. }) {
            return Err(OrderError::NotRequestHeaders);
        }
        match phase {
            Phase::RequestHeaders { end, .. } => self.request.headers(end),
            Phase::RequestBody { end, .. } => self.request.body(end, modes.request),
            Phase::RequestTrailers => self.request.trailers(),
            Phase::ResponseHeaders { end, .. } => self.response.headers(end),
            Phase::ResponseBody { end, .. } => self.response.body(end, modes.response),
            Phase::ResponseTrailers => self.response.trailers(),
        }
    }

    /// Whether nothing of the request is to come.
    pub(super) fn request_ended(&self) -> bool {
        self.request == Side::End
    }

    /// Whether a response has begun and not ended.
    pub(super) fn response_goes_on(&self) -> bool {
        matches!(self.response, Side::Headers | Side::Body)
    }
}

impl Side {
    fn headers(&mut self, end: bool) -> Result<(), OrderError> {
        if *self != Self::Nothing {
            return Err(OrderError::Again);
        }
        *self = if end { Self::End } else { Self::Headers };
        Ok(())
    }

    fn body(&mut self, end: bool, mode: BodyMode) -> Result<(), OrderError> {
        self.begun()?;
        match (end, mode) {
            _ if *self == Self::Body => return Err(OrderError::Part),
            (true, _) => *self = Self::End,
            (false, BodyMode::Plain) => *self = Self::Body,
            (false, _) => {}
        }
        Ok(())
    }

    fn trailers(&mut self) -> Result<(), OrderError> {
        self.begun()?;
        *self = Self::End;
        Ok(())
    }

    fn begun(self) -> Result<(), OrderError> {
        match self {
            Self::Nothing => Err(OrderError::NoHeaders),
            Self::Headers | Self::Body => Ok(()),
            Self::End => Err(OrderError::AfterEnd),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn phase() -> impl Strategy<Value = Phase<'static>> {
        prop_oneof![
            any::<bool>().prop_map(|end| Phase::RequestHeaders { map: &[], end }),
            any::<bool>().prop_map(|end| Phase::RequestBody { body: &[], end }),
            Just(Phase::RequestTrailers),
            any::<bool>().prop_map(|end| Phase::ResponseHeaders { map: &[], end }),
            any::<bool>().prop_map(|end| Phase::ResponseBody { body: &[], end }),
            Just(Phase::ResponseTrailers),
        ]
    }

    fn both(mode: BodyMode) -> BodyModes {
        BodyModes { request: mode, response: mode }
    }

    proptest! {
        #[test]
        fn accepted_orders_are_those_of_http(
            phases in proptest::collection::vec(phase(), 0..12),
            mode in prop_oneof![Just(BodyMode::Plain), Just(BodyMode::Streamed), Just(BodyMode::FullDuplex)],
        ) {
            let (mut order, modes) = (Order::default(), both(mode));
            let accepted: Vec<_> = phases.into_iter().take_while(|phase| order.accept(*phase, modes).is_ok()).collect();
            let first_is_headers = accepted.first().is_none_or(|first| matches!(first, Phase::RequestHeaders { .. }));
            prop_assert!(first_is_headers);
            let starts = accepted.iter().filter(|phase| matches!(phase, Phase::RequestHeaders { .. })).count();
            prop_assert!(starts <= 1);
            let ended = accepted.iter().position(|phase| {
                matches!(phase, Phase::RequestHeaders { end: true, .. } | Phase::RequestBody { end: true, .. } | Phase::RequestTrailers)
            });
            if let Some(at) = ended {
                let after = accepted[at + 1..].iter().any(|phase| {
                    matches!(phase, Phase::RequestHeaders { .. } | Phase::RequestBody { .. } | Phase::RequestTrailers)
                });
                prop_assert!(!after);
            }
            let bodies = accepted.iter().filter(|phase| matches!(phase, Phase::RequestBody { .. })).count();
            prop_assert!(bodies <= 1 || mode != BodyMode::Plain);
        }
    }

    #[test]
    fn the_usual_orders_are_accepted() {
        let (mut order, modes) = (Order::default(), both(BodyMode::Streamed));
        for phase in [
            Phase::RequestHeaders { map: &[], end: false },
            Phase::RequestBody { body: &[], end: false },
            Phase::ResponseHeaders { map: &[], end: false },
            Phase::RequestBody { body: &[], end: true },
            Phase::ResponseBody { body: &[], end: true },
        ] {
            assert_eq!(order.accept(phase, modes), Ok(()), "{phase:?}");
        }
        let again = Phase::RequestBody { body: &[], end: true };
        assert_eq!(order.accept(again, modes), Err(OrderError::AfterEnd));
        let again = Phase::RequestHeaders { map: &[], end: true };
        assert_eq!(order.accept(again, modes), Err(OrderError::Again));
    }

    #[test]
    fn a_body_that_comes_whole_is_one_message() {
        for end in [false, true] {
            let (request, response) =
                (Phase::RequestBody { body: &[], end }, Phase::ResponseBody { body: &[], end });
            let mut order = Order::default();
            for phase in [
                Phase::RequestHeaders { map: &[], end: false },
                Phase::ResponseHeaders { map: &[], end: false },
                // Cut (BUFFERED_PARTIAL), or before trailers.
                Phase::RequestBody { body: &[], end: false },
                Phase::ResponseBody { body: &[], end: false },
            ] {
                assert_eq!(order.accept(phase, both(BodyMode::Plain)), Ok(()), "{phase:?}");
            }
            assert!(order.response_goes_on());
            for phase in [request, response] {
                assert_eq!(order.accept(phase, both(BodyMode::Plain)), Err(OrderError::Part), "{phase:?}");
            }
            for phase in [Phase::RequestTrailers, Phase::ResponseTrailers] {
                assert_eq!(order.accept(phase, both(BodyMode::Plain)), Ok(()), "{phase:?}");
            }
        }
    }
}
