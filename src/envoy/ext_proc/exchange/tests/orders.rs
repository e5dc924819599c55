//! Any messages in any order.

use super::*;

fn any_part() -> impl Strategy<Value = Part> {
    let body = (0..6_usize, any::<bool>());
    prop_oneof![
        1 => any::<bool>().prop_map(|end| {
            let mut request = headers("aws", &[]);
            if end {
                request = without_body(request);
            }
            request.request.unwrap()
        }),
        6 => body.prop_map(|(length, end_of_stream)| {
            Part::RequestBody(HttpBody { body: bytes(length), end_of_stream })
        }),
        1 => Just(Part::RequestTrailers(HttpTrailers::default())),
        1 => Just(Part::ResponseHeaders(HttpHeaders::default())),
        1 => Just(Part::ResponseBody(HttpBody::default())),
        1 => Just(Part::ResponseTrailers(HttpTrailers::default())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever comes in whatever order: no end with OK before the request is signed or refused, nothing of the caller's left on
    /// it, and what goes back of a body is what came of it.
    #[test]
    fn no_order_of_messages_lets_a_request_through_unsigned(
        mode in 0..6_i32,
        stated in proptest::option::of(0..8_usize),
        ends in any::<bool>(),
        parts in proptest::collection::vec(any_part(), 0..8),
        closed in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = Bench::small();
            let request = stated.map_or_else(|| headers("aws", &[]), with_length);
            let request = in_mode(mode, if ends { without_body(request) } else { request });
            let mut call = bench.asked(&request).await;
            let (mut came, mut back) = (Vec::new(), Vec::new());
            for part in parts {
                if let Part::RequestBody(body) = &part {
                    came.extend_from_slice(&body.body);
                }
                call.part(part);
            }
            if closed {
                call.close();
            } else {
                call.reset();
            }
            let (mut answered, mut signed) = (false, false);
            let code = loop {
                let answer = match call.next().await {
                    Ok(answer) => answer,
                    Err(code) => break code,
                };
                match Said::of(&answer) {
                    Said::Headers { authorization, stripped } => {
                        prop_assert_eq!(stripped, Stripped::Yes);
                        prop_assert!(!answered);
                        signed |= authorization.is_some();
                        answered |= signed;
                        // Without a signature it is only a request for the body.
                        prop_assert!(signed || answer.mode_override.is_some());
                    }
                    Said::Body { authorization } if !answered => {
                        prop_assert!(authorization.is_some());
                        (answered, signed) = (true, true);
                    }
                    Said::Refused(..) => answered = true,
                    Said::Piece(piece, _) => {
                        prop_assert!(signed);
                        back.extend_from_slice(&piece);
                    }
                    Said::Body { .. } | Said::Other => {}
                }
            };
            if code == Code::Ok {
                prop_assert!(answered);
            }
            prop_assert!(came.starts_with(&back));
            prop_assert_eq!(bench.free(), 4 * MIB);
            Ok(())
        })?;
    }
}
