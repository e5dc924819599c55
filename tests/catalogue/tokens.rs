//! The rows of the catalogue of threats about token endpoints (THREATS 2.4), and what holds each.

use crate::rows::Held::{By, Waits};
use crate::rows::Row;

pub(crate) const TOKENS: &[Row] = &[
    (
        "T01",
        "500, 429, Retry-After",
        By(&[
            "t01_t02_statuses_and_codes_say_whether_another_attempt_helps",
            "t01_retry_after_is_heard_in_both_forms_and_nonsense_is_not",
            "the_other_side_is_heard_within_reason",
        ]),
    ),
    (
        "T02",
        "invalid_client, invalid_scope",
        By(&[
            "t01_t02_statuses_and_codes_say_whether_another_attempt_helps",
            "t02_what_was_refused_is_presented_once_more_only_where_the_file_has_another_token",
            "what_cannot_help_is_tried_once_a_minute_at_most",
        ]),
    ),
    (
        "T03",
        "stalls, drips, resets, half an answer",
        By(&[
            "t03_whoever_stalls_drips_or_hangs_up_is_waited_for_no_longer_than_the_deadline",
            "a_reset_in_the_middle_is_an_error",
        ]),
    ),
    ("T05", "endless or squeezed bodies", By(&["t05_no_more_than_the_limit_is_read"])),
    (
        "T06",
        "expires_in",
        By(&[
            "t06_every_shape_of_expires_in_is_a_sane_life_or_refused",
            "t06_without_expires_in_the_token_itself_says_its_end",
        ]),
    ),
    ("T07", "a margin beyond the life", By(&["no_margin_renews_more_often_than_twice_a_life"])),
    (
        "T09",
        "token_type",
        By(&["t09_only_bearer_tokens_can_stand_in_a_header", "a_bound_token_is_refused_with_a_sentence"]),
    ),
    ("T10", "tokens that no header can carry", By(&["t10_a_token_that_no_header_can_carry_is_refused"])),
    ("T11", "redirects", By(&["t11_a_redirect_is_never_followed"])),
    // Revocation is not looked up: rustls has no list of its own, and a token endpoint's answer waits for no OCSP.
    (
        "T13",
        "TLS",
        By(&[
            "t13_an_own_authority_is_trusted_for_its_entry_only",
            "t13_a_certificate_that_is_self_signed_over_or_somebody_else_s_is_refused",
            "t13_tls_1_1_is_not_spoken",
            "t13_a_file_of_tls_that_cannot_be_used_is_named_by_its_key",
        ]),
    ),
    (
        "T14",
        "another issuer",
        By(&[
            "t14_a_document_of_another_issuer_or_with_a_plain_endpoint_is_refused",
            "t14_a_token_of_another_issuer_is_refused",
        ]),
    ),
    ("T15", "narrower scopes", By(&["t15_the_scopes_are_those_of_the_answer_else_those_asked_for"])),
    ("T17", "two replicas and one refresh token", Waits("a store that replicas share")),
    (
        "T18",
        "STS",
        By(&[
            "t18_only_a_user_s_keys_may_ask_for_more_than_an_hour_and_only_once",
            "t18_an_error_names_the_hop_and_nothing_after_it_is_asked",
            "t18_a_wrong_external_id_is_access_denied",
            "t18_a_clock_that_is_wrong_is_corrected_once_and_the_end_is_what_was_asked_for",
            "t18_a_document_type_is_refused_whatever_it_declares",
            "every_refusal_of_sts_is_classified_and_says_what_to_change",
            "a_wrong_external_id_a_revoked_hop_and_a_wrong_key_are_told_apart",
            "a_hop_that_is_revoked_is_named_and_the_last_good_keys_serve_until_their_end",
        ]),
    ),
    (
        "T19",
        "a workload's token file",
        By(&[
            "t19_a_token_is_read_without_its_trailing_newline",
            "t19_what_is_no_token_is_an_error_that_names_the_path_only",
            "t19_an_empty_file_is_looked_at_once_more",
            "t19_the_swap_of_kubernetes_is_followed",
            "t19_the_workload_s_token_is_read_again_for_every_exchange",
        ]),
    ),
    (
        "T21",
        "programs as a source",
        By(&[
            "t21_an_executable_source_is_refused_with_a_sentence",
            "programs_and_sso_are_no_identity_and_nothing_is_run",
        ]),
    ),
    (
        "T22",
        "echoes of what was sent",
        By(&[
            "t22_a_server_that_repeats_what_was_sent_is_not_quoted",
            "t22_no_failure_shows_a_secret_anywhere",
            "t22_no_failure_of_sts_shows_a_key_anywhere",
        ]),
    ),
    (
        "T23",
        "ids and secrets of every character",
        By(&[
            "t23_ids_and_secrets_of_every_character_are_encoded_as_another_library_does",
            "t23_the_bytes_of_basic_are_those_of_rfc_6749",
        ]),
    ),
];
