//! Hops as the server keeps them.

use std::sync::Mutex;

use super::*;
use crate::base::{Clock, FingerprintKey, ManualClock};
use crate::cache::{Entry, Exchange, Held, Observer, Policy, Refresher};
use crate::credential::Credential;
use crate::token::aws::testing::ROLE_C;
use crate::token::{Dress, Minter, Outward, SourceError, TokenEntry};

/// The role of each rotation, and what failed.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer<Credential, SourceError> for Told {
    fn renewed(&self, _: &Exchange<'_, Credential>, now: &Held<Credential>) {
        let role = now.provenance.as_ref().and_then(|provenance| provenance.role.as_deref());
        self.0.lock().unwrap().push(role.unwrap_or("base").to_owned());
    }

    fn failed(&self, _: &Exchange<'_, Credential>, error: &SourceError, _: u32, _: Duration) {
        self.0.lock().unwrap().push(format!("{}: {}", error.hop.as_deref().unwrap_or("base"), error.code()));
    }
}

struct World {
    sts: FakeSts,
    clock: Arc<ManualClock>,
    told: Arc<Told>,
    entry: Arc<TokenEntry>,
}

/// The chain of `roles` on a user's keys, each hop and the last one kept.
async fn world(roles: &[&str]) -> World {
    let (sts, clock, told) = (FakeSts::start().await, clock(), Arc::new(Told::default()));
    let refresher = Refresher::start(Arc::clone(&clock) as _);
    let fingerprints = FingerprintKey::random().unwrap();
    let (observer, keeper) = (Arc::clone(&told), Arc::clone(&refresher));
    let keep = move |source: Arc<dyn TokenSource>, depth: usize| {
        let minter = Minter::new(source, Dress::default(), fingerprints.clone());
        let lane = format!("aws {depth}");
        Entry::new(Arc::new(minter), Policy::default(), &lane, Arc::clone(&observer) as _, &keeper)
    };
    let outward = Outward { chain: Arc::new(Chain::kept(keep)), ..outward(&clock) };
    let roles: Vec<_> = roles.iter().map(|arn| role(arn)).collect();
    let source = source(&sts.settings(&roles), &material(&USER), &outward).unwrap();
    let Hop::Kept(entry) = outward.chain.hop(source, roles.len()) else { panic!("kept") };
    World { sts, clock, told, entry }
}

impl World {
    /// The key ID that is in use after an attempt to have another.
    async fn renewed(&self) -> String {
        let _told = self.entry.renewed().await;
        let id = |held: &Held<Credential>| match &held.value {
            Credential::Signer(signer) => signer.keys().access_key_id.clone(),
            Credential::Lines(_) => panic!("a signer"),
        };
        self.entry.handle().with_last_good(self.clock.now(), id).unwrap_or_default()
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.sts.is_at(self.clock.now().unix.0);
    }
}

#[tokio::test]
async fn each_hop_is_obtained_once_and_is_a_rotation_with_its_role() {
    let world = world(&[ROLE_A, ROLE_B, ROLE_C]).await;
    assert_eq!(world.renewed().await, "ASIA3");
    assert_eq!(world.told.take(), ["base", ROLE_A, ROLE_B, ROLE_C]);
    world.pass(600);
    assert_eq!(world.renewed().await, "ASIA4");
    assert_eq!(world.told.take(), [ROLE_C], "the hops before it are still good");
    assert_eq!(world.sts.asked(), [ROLE_A, ROLE_B, ROLE_C, ROLE_C]);
}

#[tokio::test]
async fn a_hop_that_has_ended_is_renewed_and_the_others_stay() {
    let world = world(&[ROLE_A, ROLE_B]).await;
    world.sts.lasts(ROLE_A, 60);
    assert_eq!(world.renewed().await, "ASIA2");
    world.pass(61);
    assert_eq!(world.renewed().await, "ASIA4");
    assert_eq!(world.sts.asked(), [ROLE_A, ROLE_B, ROLE_A, ROLE_B]);
}

#[tokio::test]
async fn keys_of_a_hop_that_sts_does_not_know_any_more_are_replaced_at_once() {
    let world = world(&[ROLE_A, ROLE_B]).await;
    world.renewed().await;
    world.told.take();
    world.sts.forgets_sessions();
    assert_eq!(world.renewed().await, "ASIA4");
    assert_eq!(world.told.take(), [ROLE_A, ROLE_B]);
    assert_eq!(world.sts.asked()[2..], [ROLE_B, ROLE_A, ROLE_B]);
}

#[tokio::test]
async fn a_hop_that_fails_fails_those_after_it_and_is_named_by_them() {
    let world = world(&[ROLE_A, ROLE_B]).await;
    world.sts.refuses(ROLE_A, 403, "AccessDenied");
    assert_eq!(world.renewed().await, "");
    let failed = format!("hop 1, {ROLE_A}: AccessDenied");
    assert_eq!(world.told.take(), ["base".to_owned(), failed.clone(), failed]);
    assert_eq!(world.sts.asked(), [ROLE_A]);
}

#[tokio::test]
async fn while_a_hop_cannot_be_renewed_its_last_keys_go_on() {
    let world = world(&[ROLE_A, ROLE_B]).await;
    world.renewed().await;
    world.sts.refuses(ROLE_A, 500, "InternalFailure");
    world.pass(3_400);
    assert_eq!(world.renewed().await, "ASIA3", "the hop before has 200 s left");
}
