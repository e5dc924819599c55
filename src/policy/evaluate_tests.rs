//! The table of decisions.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::identity::{Callers, CallersSettings};
use crate::request::VerifiedFacts;

const NOW: u64 = 1_700_000_000;

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Permit,
    Stronger,
    Fresher,
    NotPossible,
}

/// The only way to a caller from outside `identity/`: as the upstream half gets one.
fn caller(facts: &VerifiedFacts) -> Caller {
    let facts =
        VerifiedFacts { issuer: "i".into(), subject: "s".into(), not_after: u64::MAX, ..facts.clone() };
    Callers::new(CallersSettings::default()).believe(&facts, UnixTime(NOW)).unwrap()
}

fn person(amr: &[&str], acr: &[&str], auth_time: Option<u64>) -> VerifiedFacts {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    VerifiedFacts { amr: owned(amr), acr: owned(acr), auth_time, ..VerifiedFacts::default() }
}

fn rule(amr: &[&str], acr_values: &[&str], max_age: Option<u64>) -> MfaRule {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    MfaRule { amr: owned(amr), acr_values: owned(acr_values), max_age: max_age.map(Duration::from_secs) }
}

#[track_caller]
fn check(rule: &MfaRule, facts: &VerifiedFacts, expected: Said) {
    let caller = caller(facts);
    let said = match evaluate(Some(rule), &caller, UnixTime(NOW)) {
        Decision::Permit(permit) => {
            assert!(std::ptr::eq(permit.caller(), &raw const caller));
            Said::Permit
        }
        Decision::Challenge(step_up) => {
            assert_eq!((&step_up.acr_values, step_up.max_age), (&rule.acr_values, rule.max_age));
            match step_up.lacking {
                Lacking::Strength => Said::Stronger,
                Lacking::Freshness => Said::Fresher,
            }
        }
        Decision::Refuse(Refused::MfaNotPossible) => Said::NotPossible,
    };
    assert_eq!(said, expected, "{rule:?} of {facts:?}");
}

#[test]
fn without_a_rule_everybody_known_is_permitted() {
    for facts in [person(&[], &[], None), VerifiedFacts { workload: true, ..person(&[], &[], None) }] {
        assert!(matches!(evaluate(None, &caller(&facts), UnixTime(NOW)), Decision::Permit(_)));
    }
}

#[test]
fn any_listed_amr_or_acr_satisfies() {
    let rule = rule(&["mfa", "hwk"], &["loa2", "c1"], None);
    check(&rule, &person(&["pwd", "mfa"], &[], None), Said::Permit);
    check(&rule, &person(&["hwk"], &[], None), Said::Permit);
    check(&rule, &person(&[], &["c1"], None), Said::Permit);
    check(&rule, &person(&["pwd"], &["loa1", "loa2"], None), Said::Permit);
    for facts in [
        person(&[], &[], None),
        person(&["pwd"], &["loa1"], None),
        person(&["MFA"], &["LOA2"], None),
        person(&["loa2"], &["mfa"], None),
        person(&["mfa2", "", "mf"], &["loa", ""], None),
    ] {
        check(&rule, &facts, Said::Stronger);
    }
}

#[test]
fn two_factor_classes_are_multi_factor_where_mfa_is_asked_for() {
    let mfa = rule(&["mfa"], &[], None);
    for amr in [["pwd", "otp"], ["otp", "pin"], ["face", "hwk"], ["kba", "vbm"], ["sms", "pwd"]] {
        check(&mfa, &person(&amr, &[], None), Said::Permit);
        check(&rule(&["hwk2"], &[], None), &person(&amr, &[], None), Said::Stronger);
        check(&rule(&[], &["loa2"], None), &person(&amr, &[], None), Said::Stronger);
    }
    for amr in [
        ["pwd", "pin"],
        ["otp", "hwk"],
        ["face", "fpt"],
        ["otp", "otp"],
        ["pwd", "mca"],
        ["pwd", "rba"],
        ["pwd", "geo"],
        ["pwd", "wia"],
        ["pwd", "user"],
        ["pwd", "unknown"],
        ["mca", "user"],
    ] {
        check(&mfa, &person(&amr, &[], None), Said::Stronger);
    }
}

#[test]
fn a_rule_without_values_is_never_satisfied() {
    check(&rule(&[], &[], None), &person(&["mfa", "pwd", "otp"], &["loa2"], Some(NOW)), Said::Stronger);
    check(&rule(&[], &[], Some(60)), &person(&[""], &[""], Some(NOW)), Said::Stronger);
}

#[test]
fn expired_auth_time_asks_for_step_up() {
    let rule = rule(&["mfa"], &["loa2"], Some(3600));
    let at = |auth_time| person(&["mfa"], &[], auth_time);
    check(&rule, &at(Some(NOW)), Said::Permit);
    check(&rule, &at(Some(NOW - 3600)), Said::Permit);
    check(&rule, &at(Some(NOW - 3660)), Said::Permit);
    check(&rule, &at(Some(NOW - 3661)), Said::Fresher);
    check(&rule, &at(Some(0)), Said::Fresher);
    check(&rule, &person(&["pwd"], &[], Some(0)), Said::Stronger);
    check(&rule, &person(&["pwd"], &[], Some(NOW)), Said::Stronger);
}

#[test]
fn j32_auth_time_missing_or_in_the_future_asks_for_step_up() {
    for max_age in [0, 3600, u64::MAX] {
        let rule = rule(&["mfa"], &[], Some(max_age));
        check(&rule, &person(&["mfa"], &[], None), Said::Fresher);
        check(&rule, &person(&["mfa"], &[], Some(NOW + 61)), Said::Fresher);
        check(&rule, &person(&["mfa"], &[], Some(u64::MAX)), Said::Fresher);
        check(&rule, &person(&["mfa"], &[], Some(NOW + 60)), Said::Permit);
    }
    check(&rule(&["mfa"], &[], None), &person(&["mfa"], &[], None), Said::Permit);
}

#[test]
fn j31_a_workload_is_refused_and_not_challenged() {
    for facts in [person(&[], &[], None), person(&["mfa"], &["loa2"], Some(NOW))] {
        let facts = VerifiedFacts { workload: true, ..facts };
        check(&rule(&["mfa"], &["loa2"], Some(60)), &facts, Said::NotPossible);
        check(&rule(&[], &[], None), &facts, Said::NotPossible);
    }
}

proptest! {
    #[test]
    fn no_rule_permits_a_workload(
        amr in proptest::collection::vec("mfa|pwd|otp|[a-z]{0,4}", 0..5),
        acr in proptest::collection::vec("loa2|[a-z]{0,4}", 0..5),
        rule_amr in proptest::collection::vec("mfa|pwd|[a-z]{0,4}", 0..5),
        rule_acr in proptest::collection::vec("loa2|[a-z]{0,4}", 0..5),
        max_age in any::<Option<u64>>(),
        auth_time in any::<Option<u64>>(),
        now in any::<u64>(),
    ) {
        let caller = caller(&VerifiedFacts { amr, acr, auth_time, workload: true, ..VerifiedFacts::default() });
        let rule = MfaRule { amr: rule_amr, acr_values: rule_acr, max_age: max_age.map(Duration::from_secs) };
        let refused = matches!(evaluate(Some(&rule), &caller, UnixTime(now)), Decision::Refuse(Refused::MfaNotPossible));
        prop_assert!(refused);
    }

    #[test]
    fn any_time_is_judged_without_a_panic(
        max_age in any::<u64>(), auth_time in any::<u64>(), now in any::<u64>(),
    ) {
        let caller = caller(&person(&["mfa"], &[], Some(auth_time)));
        let permitted = matches!(evaluate(Some(&rule(&["mfa"], &[], Some(max_age))), &caller, UnixTime(now)), Decision::Permit(_));
        let age = i128::from(now) - i128::from(auth_time);
        // At the far end of time our additions stay where they are, instead of coming round.
        if now < u64::MAX - 60 {
            prop_assert_eq!(permitted, age >= -60 && age <= i128::from(max_age) + 60);
        }
    }
}
