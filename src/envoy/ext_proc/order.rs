//! Which message may follow which. Anything else is abuse or a fault of the proxy, and ends the stream with an error.

use thiserror::Error;

use super::request::Phase;

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
    #[error("a message after the end of its direction")]
    AfterEnd,
}

impl Order {
    /// Takes the next message.
    pub(super) fn accept(&mut self, phase: Phase<'_>) -> Result<(), OrderError> {
        if self.request == Side::Nothing && !matches!(phase, Phase::RequestHeaders { .. }) {
            return Err(OrderError::NotRequestHeaders);
        }
        match phase {
            Phase::RequestHeaders { end, .. } => self.request.headers(end),
            Phase::RequestBody { end, .. } => self.request.more(end),
            Phase::RequestTrailers => self.request.more(true),
            Phase::ResponseHeaders { end, .. } => self.response.headers(end),
            Phase::ResponseBody { end, .. } => self.response.more(end),
            Phase::ResponseTrailers => self.response.more(true),
        }
    }

    /// Whether nothing of the request is to come.
    pub(super) fn request_ended(&self) -> bool {
        self.request == Side::End
    }

    /// Whether a response has begun and not ended.
    pub(super) fn response_goes_on(&self) -> bool {
        self.response == Side::Headers
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

    fn more(&mut self, end: bool) -> Result<(), OrderError> {
        match self {
            Self::Nothing => Err(OrderError::NoHeaders),
            Self::End => Err(OrderError::AfterEnd),
            Self::Headers => {
                if end {
                    *self = Self::End;
                }
                Ok(())
            }
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

    proptest! {
        #[test]
        fn accepted_orders_are_those_of_http(phases in proptest::collection::vec(phase(), 0..12)) {
            let mut order = Order::default();
            let accepted: Vec<_> = phases.into_iter().take_while(|phase| order.accept(*phase).is_ok()).collect();
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
        }
    }

    #[test]
    fn the_usual_orders_are_accepted() {
        let mut order = Order::default();
        for phase in [
            Phase::RequestHeaders { map: &[], end: false },
            Phase::RequestBody { body: &[], end: false },
            Phase::ResponseHeaders { map: &[], end: false },
            Phase::RequestBody { body: &[], end: true },
            Phase::ResponseBody { body: &[], end: true },
        ] {
            assert_eq!(order.accept(phase), Ok(()), "{phase:?}");
        }
        assert_eq!(order.accept(Phase::RequestBody { body: &[], end: true }), Err(OrderError::AfterEnd));
        assert_eq!(order.accept(Phase::RequestHeaders { map: &[], end: true }), Err(OrderError::Again));
    }
}
