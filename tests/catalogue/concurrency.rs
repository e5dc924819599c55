//! The rows of the catalogue of threats about concurrency, caches, rotation and time (THREATS 2.5), and what holds each.

use crate::rows::Held::{By, Waits};
use crate::rows::Row;

pub(crate) const CONCURRENCY: &[Row] = &[
    (
        "C01",
        "ten thousand cold requests",
        By(&[
            "ten_thousand_cold_requests_make_one_exchange",
            "a_thousand_cold_requests_make_one_exchange",
            "many_that_start_together_go_to_one_place_a_few_at_a_time",
            "where_too_many_wait_the_next_is_refused_at_once_and_the_others_are_served",
            "an_identity_provider_that_hangs_costs_the_warm_requests_of_others_nothing",
        ]),
    ),
    (
        "C02",
        "a leader that is dropped or panics",
        By(&[
            "a_leader_that_is_dropped_hands_over",
            "one_who_goes_away_when_it_is_its_turn_passes_it_on",
            "who_goes_away_does_not_take_the_exchange_with_it",
            "a_source_that_panics_is_a_failure_that_all_share",
        ]),
    ),
    ("C04", "replicas that expire together", Waits("the shared token cache; margins are jittered")),
    ("C05", "Redis down or slow", Waits("the shared token cache")),
    ("C06", "Redis entries poisoned", Waits("the shared token cache")),
    ("C08", "keys that read alike", By(&["parts_that_read_alike_side_by_side_are_different_keys"])),
    (
        "C09",
        "a secret that is revoked between reading and use",
        By(&[
            "an_older_source_s_refusal_holds_nobody_up",
            "what_an_older_source_brings_is_not_the_last_word",
        ]),
    ),
    (
        "C10",
        "a secret that is deleted or broken",
        By(&[
            "every_fault_keeps_the_last_good_credential",
            "a_secret_that_is_not_fit_is_told_of_at_every_reading",
        ]),
    ),
    (
        "C12",
        "a reload while streams are active",
        By(&["a_token_outlives_a_reload_that_does_not_concern_it", "a_token_whose_entry_is_gone_is_let_go"]),
    ),
    (
        "C13",
        "a late 401 for an old token",
        By(&[
            "a_late_refusal_of_the_old_value_leaves_the_new_one",
            "a_late_401_of_an_earlier_token_leaves_the_one_in_use",
        ]),
    ),
    (
        "C14",
        "provoked 401s",
        By(&[
            "a_flood_of_refusals_causes_one_renewal_in_half_a_minute",
            "a_flood_of_401_causes_one_renewal_in_half_a_minute",
            "a_refusal_does_not_shorten_the_pause_that_the_source_asked_for",
        ]),
    ),
    ("C16", "a clock that is off", By(&["the_earlier_clock_ends_it", "the_earlier_clock_wins"])),
    (
        "C17",
        "a million callers",
        By(&[
            "number_and_bytes_are_both_bounded",
            "a_flood_of_one_time_tokens_does_not_push_out_those_that_are_used",
            "callers_without_number_take_a_bounded_memory_and_the_known_ones_stay_known",
            "bad_tokens_without_number_leave_nothing_behind_but_a_few_lines",
        ]),
    ),
    ("C18", "label cardinality", By(&["names_and_labels_are_the_promised_ones"])),
    ("C20", "a kill during a Redis lock", Waits("the shared token cache")),
];
