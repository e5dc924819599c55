//! Several requests with the same new token.

use super::*;

/// However the threads come to it: whoever finds another one at it waits here as long as that takes.
#[test]
fn a_burst_of_the_same_new_token_is_verified_once() {
    const THREADS: usize = 4;
    let mut callers = callers();
    callers.together = Duration::from_secs(60);
    let tokens: Vec<_> = (0..20).map(|sub| token(&format!("user{sub}"))).collect();
    let together = std::sync::Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for token in &tokens {
                    together.wait();
                    assert!(bearer(&callers, token, NOW).is_ok());
                    let (signed, _) = token.rsplit_once('.').unwrap();
                    let forged = bearer(&callers, &format!("{signed}.{}", part([1; 64])), NOW);
                    assert_eq!(forged, Err(TokenError::Signature.into()));
                }
            });
        }
    });
    let tally = &callers.issuers()[0].tally;
    assert_eq!(count(&tally.accepted), 20);
    assert_eq!(count(tally.cached.mine()), 60);
    assert_eq!(count(&tally.refused), 80, "a refusal is nobody else's");
    assert_eq!(callers.remembered.len(), 20);
}

/// What another request found out is no more than what the memory says: a key that is gone verifies nothing.
#[test]
fn what_another_request_found_out_has_to_hold_still() {
    let callers = callers();
    let alice = token("alice");
    assert!(bearer(&callers, &alice, NOW).is_ok());
    let digest = callers.remembered.digest(alice.as_bytes());
    let jws = Jws::parse(alice.as_bytes()).unwrap();
    let again = |now| callers.verify_once(digest, (0, &callers.issuers()[0]), &jws, now);
    assert!(matches!(again(NOW), Ok((_, Known::FromAnother))));
    assert!(matches!(again(UnixTime(1_700_000_091)), Err(IdentityError::Token(TokenError::Expired))));
    set_keys(&callers, &[jwk(rsa(), "r")]);
    assert!(matches!(again(NOW), Err(IdentityError::UnknownKey { issuer: 0 })));
}
