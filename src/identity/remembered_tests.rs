//! Who is remembered, for how much, and who verifies.

use std::thread;

use super::*;
use crate::base::UnixTime;
use crate::identity::{AuthContext, Principal, PrincipalKind};

/// No test waits longer.
const LONG: Duration = Duration::from_secs(60);

fn digest(number: u64) -> TokenDigest {
    TokenDigest::of(&number.to_be_bytes())
}

/// As a company's identity provider has them: a pairwise subject, a handful of groups.
fn verified(number: u64) -> Verified {
    let principal = Principal {
        issuer: "https://login.example.com/3f5c2a0e-9d7b-4a3c-8a51-0c9a6a9d1b2e/v2.0".into(),
        subject: format!("AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bb{number:08}").into(),
        kind: PrincipalKind::Person,
        groups: (0..5).map(|group| format!("3f5c2a0e-9d7b-4a3c-8a51-0c9a6a9d1b{group:02}").into()).collect(),
    };
    let context = AuthContext { amr: ["pwd".into(), "mfa".into()].into(), ..AuthContext::default() };
    let principal = VerifiedPrincipal::new(principal, context, UnixTime(2_000_000_000));
    Verified::new(Arc::new(principal), 0, Fingerprint::of(&digest::digest(&digest::SHA256, b"key")))
}

fn keep(remembered: &Remembered, number: u64) {
    let token = digest(number);
    remembered.keep(remembered.turn(&token, LONG), token, verified(number));
}

#[test]
fn a_token_is_remembered_by_all_of_it_and_by_nobody_else_in_the_same_way() {
    let (one, other) = (Remembered::new(1), Remembered::new(1));
    let without_key = Remembered { key: None, ..Remembered::new(1) };
    let token: Vec<u8> = (0..900_u32).map(|at| at as u8).collect();
    for remembered in [&one, &without_key] {
        let digest = remembered.digest(&token);
        assert!(digest == remembered.digest(&token));
        assert!(
            digest != remembered.digest(&token[..899])
                && digest != remembered.digest(&[&*token, b"\0"].concat())
        );
        for at in 0..token.len() {
            let mut changed = token.clone();
            changed[at] ^= 1;
            assert!(digest != remembered.digest(&changed), "{at}");
        }
    }
    assert!(one.digest(&token) != other.digest(&token), "each process has its own key");
    assert!(without_key.digest(&token) == TokenDigest::of(digest::digest(&digest::SHA256, &token).as_ref()));
}

#[test]
fn a_burst_of_one_token_is_verified_once_and_the_rest_share_it() {
    let remembered = Remembered::new(100);
    let token = digest(1);
    let turn = remembered.turn(&token, LONG);
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..8).map(|_| scope.spawn(|| remembered.turn(&token, LONG))).collect();
        remembered.keep(turn, token, verified(1));
        for one in waiting {
            assert!(matches!(one.join().unwrap(), Turn::Over(_)));
        }
    });
}

#[test]
fn what_fails_lets_all_who_waited_go_and_leaves_nothing() {
    let remembered = Remembered::new(100);
    let token = digest(1);
    let turn = remembered.turn(&token, LONG);
    let through = std::sync::Barrier::new(2);
    let wait = || {
        let got = remembered.turn(&token, LONG);
        // Each keeps what it got until the other has something too: who took the turn would stand in the way of it.
        through.wait();
        !matches!(got, Turn::Over(_))
    };
    thread::scope(|scope| {
        let next: Vec<_> = (0..2).map(|_| scope.spawn(wait)).collect();
        drop(turn);
        assert!(next.into_iter().all(|next| next.join().unwrap()));
    });
    assert_eq!(remembered.len(), 0);
    for number in 0..10_000 {
        drop(remembered.turn(&digest(number), LONG));
    }
    assert_eq!(remembered.len(), 0);
}

#[test]
fn who_has_another_token_waits_for_nobody_and_nobody_for_ever() {
    let remembered = Remembered::new(100);
    let turn = remembered.turn(&digest(1), LONG);
    for number in 2..100 {
        assert!(matches!(remembered.turn(&digest(number), Duration::ZERO), Turn::Ours(_)));
    }
    let beside = remembered.turn(&digest(1), Duration::ZERO);
    assert!(matches!(beside, Turn::Beside));
    remembered.keep(beside, digest(1), verified(1));
    remembered.keep(turn, digest(1), verified(1));
    assert!(remembered.find(&digest(1)).is_some());
    assert_eq!(remembered.len(), 1);
}

#[test]
fn a_principal_with_many_groups_takes_the_places_of_several() {
    let few = verified(1);
    let mut principal = few.principal.principal().clone();
    principal.groups = (0..100).map(|group| format!("group-{group:>94}").into()).collect();
    let context = few.principal.auth_context().clone();
    let many = Verified::new(
        Arc::new(VerifiedPrincipal::new(principal, context, UnixTime(2_000_000_000))),
        0,
        few.key,
    );
    assert!(few.places == 1 && (13..=15).contains(&many.places), "{} and {}", few.places, many.places);
    let remembered = Remembered::new(100);
    for number in 0..100 {
        let token = digest(number);
        remembered.keep(remembered.turn(&token, LONG), token, many.clone());
    }
    assert!(remembered.len() <= 7, "{}", remembered.len());
}

/// THREATS C17. Those who come again and again are a ten-thousandth of those who come.
#[test]
fn a_flood_of_one_time_tokens_does_not_push_out_those_that_are_used() {
    const PLACES: usize = 2_000;
    let remembered = Remembered::new(PLACES);
    let hot: Vec<u64> = (1_000_000..1_000_010).collect();
    hot.iter().for_each(|number| keep(&remembered, *number));
    let mut missed = 0;
    for number in 0..200_000 {
        keep(&remembered, number);
        // Each of them once in a thousand strangers.
        if number % 100 == 0 {
            let one = hot[usize::try_from(number / 100).unwrap() % hot.len()];
            if remembered.find(&digest(one)).is_none() {
                missed += 1;
                keep(&remembered, one);
            }
        }
        assert!(number % 10_000 != 0 || remembered.len() <= PLACES);
    }
    assert_eq!(missed, 0, "of 2000 requests of those who are known");
    assert!(remembered.len() <= PLACES);
}
