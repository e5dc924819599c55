//! The rows of the catalogue of threats about signatures of AWS (THREATS 2.6), and what holds each.

use crate::rows::Held::By;
use crate::rows::Row;

pub(crate) const SIGV4: &[Row] = &[
    (
        "S01",
        "colons and ARNs, encoded once and twice",
        By(&[
            "the_golden_vectors_are_signed_path_by_path",
            "the_golden_vectors_have_their_canonical_paths_and_signatures",
            "botocore_makes_the_same_signature_of_every_request_that_is_signed",
            "every_case_of_the_official_suite_is_signed_as_it_says_or_refused",
            "the_clients_get_answers",
        ]),
    ),
    (
        "S02",
        "paths that a signature cannot be sure of",
        By(&[
            "an_arn_that_its_slash_cuts_in_two_is_seen",
            "a_path_that_normalization_would_change_is_refused",
            "an_escaped_slash_is_taken_by_those_whose_paths_have_one",
            "what_cannot_be_signed_is_refused_before_a_body_is_asked_for",
        ]),
    ),
    // What a later filter does with a body is seen by the other side alone: it refuses, and `bouncer sigv4 explain` says why.
    (
        "S04",
        "bodies: none, whole, in part, too large",
        By(&[
            "a_request_without_a_body_is_signed_at_once_in_every_mode",
            "a_body_that_came_by_is_signed_like_one_that_is_whole",
            "a_body_that_is_not_the_whole_one_is_refused",
            "a_length_that_is_too_large_is_refused_before_the_body_is_asked_for",
            "what_leaves_is_signed_in_every_placement",
            "every_body_up_to_the_limit_is_signed_and_nobody_elses_is_asked_for",
            "a_part_of_a_body_is_not_signed",
            "a_body_that_is_changed_behind_bouncer_is_refused_and_both_sides_are_told",
        ]),
    ),
    (
        "S05",
        "what is signed, each once",
        By(&["no_more_lines_are_signed_than_leave_as_they_are", "the_clients_get_answers"]),
    ),
    (
        "S06",
        "keys without a token, and keys that change meanwhile",
        By(&[
            "no_more_lines_are_signed_than_leave_as_they_are",
            "the_signature_is_of_the_moment_at_which_the_body_is_there",
            "s06_no_request_fails_and_no_signature_is_mixed_while_keys_are_swapped_under_load",
            "every_hop_of_a_chain_is_renewed_under_load_and_no_request_is_lost",
        ]),
    ),
    // The key of a signature is made of the snapshot that signs: there is none to go stale.
    (
        "S08",
        "another secret, region or service",
        By(&[
            "keys_of_the_secret_sign_whatever_the_environment_has",
            "the_golden_vectors_are_signed_path_by_path",
            "s08_no_signature_is_made_with_what_was_derived_from_an_earlier_secret_region_or_service",
            "the_region_is_the_entrys_then_the_secrets_then_the_hosts_then_the_environments",
            "every_hop_of_a_chain_is_renewed_under_load_and_no_request_is_lost",
        ]),
    ),
    (
        "S09",
        "clocks that differ, and hosts that lie about theirs",
        By(&[
            "the_official_cases_of_clock_skew_hold",
            "a_host_that_lies_shifts_nobody_else",
            "a_difference_of_more_than_a_day_is_not_believed",
            "nobody_but_a_provider_that_tls_vouches_for_is_believed",
            "a_model_that_thinks_for_minutes_does_not_move_the_clock",
            "a_host_whose_clock_is_wrong_is_signed_for_with_its_own_time_and_no_other_host_is",
            "an_answer_of_a_cache_or_without_a_date_says_nothing_of_the_clock",
            "a_clock_that_nobody_vouches_for_is_not_believed_and_the_log_says_so",
            "t18_a_clock_that_is_wrong_is_corrected_once_and_the_end_is_what_was_asked_for",
        ]),
    ),
    (
        "S10",
        "attempts that come later",
        By(&[
            "a_signature_on_a_retry_is_ours_and_never_passes_as_nobodys",
            "a_retry_in_a_single_upstream_filter_serves_certificates_only",
            "upstream_the_host_is_that_of_the_attempt",
            "the_pair_signs_every_attempt_for_its_own_host_path_key_and_time",
            "a_single_filter_in_the_listener_replays_its_signature_within_the_window",
            "a_single_filter_in_the_cluster_refuses_the_retry_of_a_token_and_says_why",
        ]),
    ),
    (
        "S12",
        "what the caller signed",
        By(&[
            "presigned_parameters_are_seen_in_every_spelling",
            "what_cannot_be_signed_is_refused_before_a_body_is_asked_for",
            "no_credential_of_the_caller_survives_and_every_other_line_does",
            "nothing_that_the_caller_signed_arrives",
            "the_clients_show_why_not",
        ]),
    ),
    (
        "S13",
        "what AWS refuses, and for which reason",
        By(&[
            "a_403_for_the_keys_renews_them_and_stays_here",
            "a_right_that_is_missing_is_the_callers_to_hear_and_renews_nothing",
            "a_signature_that_is_refused_with_a_good_clock_is_ours_to_mend",
            "each_refusal_of_aws_has_its_own_remedy_and_what_is_the_callers_passes",
            "moto_takes_what_is_signed_with_the_last_role_of_a_chain",
        ]),
    ),
    (
        "S14",
        "lengths and encodings that Envoy changes",
        By(&["no_more_lines_are_signed_than_leave_as_they_are", "what_leaves_is_signed_in_every_placement"]),
    ),
];
