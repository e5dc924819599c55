//! The rows of the catalogue of threats that concern what is built, and what holds each.

use Held::{By, Waits};

/// What holds a row.
pub(crate) enum Held {
    /// Test functions; `table: x` is a line of the decision table, which runs in every placement; `config/x` is a folder
    /// of `tests/fixtures`.
    By(&'static [&'static str]),
    /// Nothing yet: what has to be built first.
    Waits(&'static str),
}

/// Its name in the catalogue, what it is about, what holds it.
pub(crate) type Row = (&'static str, &'static str, Held);

pub(crate) const JWT: &[Row] = &[
    (
        "J01",
        "alg none or missing",
        By(&[
            "j01_an_unsigned_token_is_refused_without_a_look_for_keys",
            "j01_j02_an_algorithm_that_is_none_symmetric_or_missing_is_refused",
            "table: alg none",
        ]),
    ),
    ("J03", "a key for something else", By(&["j03_a_key_for_something_else_verifies_nothing"])),
    (
        "J04",
        "jku, x5u, x5c, jwk",
        By(&[
            "j04_a_key_that_the_token_brings_along_is_not_used",
            "j04_j08_no_address_in_a_token_is_ever_connected_to",
        ]),
    ),
    ("J05", "strange kids", By(&["j05_a_kid_is_a_short_string", "j05_a_kid_is_only_ever_looked_up"])),
    ("J07", "aud", By(&["j07_the_audience_is_one_of_ours", "table: another audience"])),
    ("J08", "iss", By(&["j08_an_unknown_issuer_is_a_bad_token_and_not_a_missing_one"])),
    ("J09", "exp", By(&["j09_a_token_holds_until_its_expiry_and_the_leeway", "table: expired"])),
    ("J11", "nbf, iat", By(&["j11_a_token_of_the_future_is_refused"])),
    ("J12", "crit", By(&["j12_j16_extensions_are_refused"])),
    (
        "J13",
        "members twice",
        By(&["j13_j14_header_and_claims_are_strict_json", "a_member_named_twice_is_refused_at_any_depth"]),
    ),
    (
        "J15",
        "not three parts of base64url",
        By(&["j15_only_three_parts_of_unpadded_base64url_are_a_jws", "table: no JWT at all"]),
    ),
    ("J16", "zip", By(&["j12_j16_extensions_are_refused"])),
    // A high s is accepted: RFC 7518 section 3.4 has no rule against it, and half of all signers' signatures have one.
    ("J17", "weird signatures", By(&["j17_weird_signatures_verify_nothing", "table: a changed signature"])),
    (
        "J19",
        "no subject, or an app's",
        By(&[
            "j19_a_token_without_a_subject_is_nobody",
            "j19_j31_a_workload_is_known_by_its_mark_or_its_subject",
        ]),
    ),
    (
        "J20",
        "where a token stands",
        By(&[
            "j20_more_than_one_token_is_refused",
            "j20_an_authorization_that_is_not_bearer_is_refused_and_not_missing",
            "tokens_that_are_not_one_token_are_401_and_other_bytes_are_no_matter",
            "table: two authorization headers",
            "table: scheme in lower case",
            "table: another scheme",
        ]),
    ),
    (
        "J21",
        "query, cookie",
        By(&[
            "j21_other_headers_are_not_looked_at",
            "table: a token in the query",
            "table: a token in a cookie",
        ]),
    ),
    (
        "J23",
        "rotation",
        By(&[
            "j23_a_key_is_used_while_the_issuer_has_it",
            "a_token_of_a_new_key_is_taken_at_once_and_one_of_the_old_stays_good",
        ]),
    ),
    (
        "J24",
        "a flood of kids",
        By(&[
            "ten_thousand_unknown_kids_cause_one_fetch_in_30_seconds",
            "a_flood_of_unknown_keys_causes_one_fetch_and_delays_nobody",
        ]),
    ),
    (
        "J25",
        "bad key sets",
        By(&[
            "j25_what_is_no_key_set_is_refused_whole",
            "every_bad_answer_has_its_error",
            "a_document_without_usable_keys_is_no_key_set",
            "bad_documents_leave_the_old_keys_in_place",
        ]),
    ),
    (
        "J27",
        "discovery that lies",
        By(&[
            "a_discovery_document_that_lies_leads_nowhere",
            "a_server_without_an_issuers_keys_is_alive_but_not_ready_and_nothing_passes",
        ]),
    ),
    ("J28", "old claims", By(&["j28_a_remembered_token_is_never_used_past_its_end"])),
    ("J29", "email", Waits("a rule that reads an email claim")),
    (
        "J31",
        "MFA of who never has it",
        By(&["j31_a_workload_is_refused_and_not_challenged", "config/google-mfa"]),
    ),
    (
        "J32",
        "auth_time",
        By(&["j32_auth_time_missing_or_in_the_future_asks_for_step_up", "table: nobody knows when"]),
    ),
];

pub(crate) const HEADERS: &[Row] = &[
    (
        "H01",
        "credentials of the caller's own",
        By(&[
            "the_provider_sees_its_own_key_once_and_nothing_of_the_callers",
            "table: credentials of every vendor",
        ]),
    ),
    (
        "H02",
        "lenient spellings",
        By(&[
            "every_lenient_spelling_of_every_stripped_name_is_removed",
            "table: lenient spellings",
            "table: a blank after the name",
        ]),
    ),
    ("H03", "a name twice", By(&["table: the same name twice", "table: two authorization headers"])),
    (
        "H05",
        "bytes that are no text",
        By(&[
            "tokens_that_are_not_one_token_are_401_and_other_bytes_are_no_matter",
            "a_request_without_one_method_authority_and_path_is_400",
            "table: a token that is not text",
        ]),
    ),
    (
        "H06",
        "value and raw_value",
        By(&["a_line_with_two_values_is_400_and_one_value_counts_in_either_place"]),
    ),
    (
        "H07",
        "what we emit",
        By(&[
            "header_lines_are_set_by_raw_value_and_overwrite",
            "header_lines_are_set_by_value_and_a_set_name_is_never_removed",
        ]),
    ),
    (
        "H09",
        "forged XFCC",
        By(&[
            "anything_outside_the_grammar_is_refused",
            "garbage_of_the_right_alphabet_is_read_or_refused",
            "a_certificate_in_xfcc_is_the_same_workload",
            "table: a certificate that the caller made up",
        ]),
    ),
    ("H10", "an earlier path, forged", By(&["table: a path that the caller says it had before"])),
    (
        "H11",
        "paths with two readings",
        By(&["paths_with_two_readings_are_refused", "table: an encoded slash", "table: a fragment"]),
    ),
    (
        "H13",
        "a host name of another provider",
        By(&[
            "a_forged_authority_or_path_takes_no_credential_to_a_foreign_cluster",
            "a_host_name_takes_no_key_to_a_cluster_that_the_entry_does_not_list",
        ]),
    ),
    (
        "H14",
        "hints at another provider",
        By(&[
            "table: hints at another provider and another caller",
            "table: a provider that the caller names",
        ]),
    ),
    ("H15", "a body that names a service", By(&["table: a body that names another service"])),
    (
        "H17",
        "Bedrock's paths",
        By(&[
            "an_escaped_slash_is_taken_by_those_whose_paths_have_one",
            "an_arn_that_its_slash_cuts_in_two_is_seen",
            "what_cannot_be_signed_is_refused_before_a_body_is_asked_for",
            "envoy_leaves_every_spelling_of_a_model_as_it_is",
            "the_clients_get_answers",
        ]),
    ),
    (
        "H18",
        "request smuggling",
        By(&["a_request_with_two_readings_goes_nowhere", "a_folded_line_is_one_value_for_everybody"]),
    ),
    ("H19", "keys in a query", Waits("Vertex")),
    (
        "H21",
        "the provider's response",
        By(&["a_401_of_the_providers_stays_here_and_the_caller_gets_an_answer_of_ours"]),
    ),
];

pub(crate) const PROTOCOL: &[Row] = &[
    ("P01", "another first message", By(&["every_other_first_message_ends_with_an_error"])),
    (
        "P02",
        "out of order",
        By(&["a_message_after_its_turn_ends_with_an_error", "accepted_orders_are_those_of_http"]),
    ),
    ("P03", "not a whole request", By(&["a_request_without_one_method_authority_and_path_is_400"])),
    (
        "P05",
        "a cancel in the midst",
        By(&["a_dropped_wait_stops_no_fetch", "rapid_resets_cost_nothing_that_stays"]),
    ),
    (
        "P06",
        "floods",
        By(&[
            "rapid_resets_cost_nothing_that_stays",
            "a_peer_that_resets_as_fast_as_it_can_is_cut_off_and_the_others_are_served",
            "a_header_block_that_never_ends_is_cut_off",
            "a_header_block_that_unfolds_to_far_more_is_refused",
            "questions_whose_answers_nobody_reads_pile_up_nowhere",
        ]),
    ),
    (
        "P07",
        "message size",
        By(&["a_message_over_the_limit_ends_with_an_error_and_one_at_the_limit_is_read"]),
    ),
    ("P09", "a mode that cannot work", By(&["a_mode_in_which_answers_would_not_count_is_refused_and_told"])),
    (
        "P10",
        "slow and idle",
        By(&[
            "an_idle_stream_ends_and_the_others_stay",
            "a_stream_that_is_never_idle_still_ends",
            "a_message_that_drips_has_no_more_time_than_one_that_never_comes",
            "silent_streams_are_a_bounded_number_of_small_things_that_end",
        ]),
    ),
    (
        "P11",
        "many streams and connections",
        By(&[
            "a_thousand_streams_of_one_connection_are_all_answered",
            "silent_streams_are_a_bounded_number_of_small_things_that_end",
            "one_peer_never_has_every_place",
            "a_server_without_descriptors_accepts_again_when_there_are_some",
            "peers_that_hang_up_at_once_do_not_end_the_listening",
        ]),
    ),
    (
        "P13",
        "unusual forms",
        By(&[
            "an_old_protocol_and_an_upgrade_that_is_not_configured_go_nowhere",
            "a_caller_who_waits_for_100_continue_is_decided_as_any_other",
            "a_request_without_one_method_authority_and_path_is_400",
            "every_phase_after_a_permit_is_answered_in_kind_and_the_stream_ends_with_ok",
            "table: a tunnel",
        ]),
    ),
    ("P14", "observability_mode", By(&["a_mode_in_which_answers_would_not_count_is_refused_and_told"])),
    (
        "P15",
        "local replies",
        By(&[
            "every_phase_after_a_permit_is_answered_in_kind_and_the_stream_ends_with_ok",
            "p15_a_401_that_a_filter_of_envoys_made_is_not_the_providers",
            "p15_only_what_came_from_the_provider_counts",
        ]),
    ),
    (
        "P17",
        "SIGTERM",
        By(&[
            "a_drain_says_so_first_answers_what_is_open_and_ends_with_0",
            "a_hundred_open_streams_end_a_drain_with_an_answer_or_an_error",
            "a_drain_answers_what_it_began_and_lets_nothing_through_after",
        ]),
    ),
    ("P18", "a panic", By(&["a_panic_is_internal_and_the_next_request_is_served"])),
    (
        "P19",
        "strange peers",
        By(&[
            "without_a_certificate_of_the_authority_there_is_no_connection",
            "a_peer_of_another_name_is_unauthenticated_on_every_method",
        ]),
    ),
    // `source` says who showed a certificate; without it there is none, which a token does not need.
    ("P21", "half a check", By(&["a_check_that_is_not_one_whole_request_is_denied"])),
    (
        "P22",
        "neither yes nor no",
        By(&[
            "a_check_is_a_yes_or_a_no_and_nothing_between",
            "a_refusal_never_has_a_status_that_lets_a_request_through",
        ]),
    ),
    (
        "P23",
        "forged metadata",
        By(&["facts_in_metadata_count_for_the_upstream_half_alone", "another_namespace_has_no_facts"]),
    ),
    (
        "P25",
        "a method's spelling",
        By(&["a_method_in_another_spelling_is_no_method", "a_method_without_its_slash_is_reset"]),
    ),
];

pub(crate) const ADMIN: &[Row] = &[
    (
        "A02",
        "auth types",
        By(&["config/matrix", "config/google-mfa", "the_matrix_is_that_of_the_program", "config/azure"]),
    ),
    ("A03", "URLs", By(&["only_https_and_http_to_loopback_are_urls", "config/callers", "config/oauth"])),
    ("A04", "secrets in the wrong place", By(&["config/inline-secrets", "config/oauth"])),
    ("A06", "quantities", By(&["config/quantities", "durations_carry_their_units", "config/refresh"])),
    // An entry that cannot be read is a fault of the whole configuration: the old one serves. A secret is its entry's own.
    (
        "A07",
        "one bad entry",
        By(&[
            "a_secret_that_was_never_there_stops_its_provider_alone",
            "a_bad_change_is_told_with_its_place_and_the_old_one_serves",
        ]),
    ),
    (
        "A08",
        "role chains",
        By(&[
            "what_one_role_settles_the_later_ones_cannot_change",
            "ten_roles_are_a_chain_and_eleven_are_none",
            "a_session_is_no_longer_than_who_assumes_the_role_may_make_it",
        ]),
    ),
    ("A10", "tokens on admin pages", By(&["a_key_and_every_telling_part_of_a_token_are_found"])),
    ("A11", "forced rotation", Waits("an admin API")),
    ("A12", "injection by names", By(&["no_name_leads_out_of_the_root"])),
    ("A14", "many hooks", Waits("hooks")),
    (
        "A15",
        "probes that lie",
        By(&[
            "a_server_without_an_issuers_keys_is_alive_but_not_ready_and_nothing_passes",
            "without_an_issuer_at_the_start_nobody_is_served_until_it_comes",
        ]),
    ),
    ("A16", "supply chain", Waits("a gate that runs cargo-deny")),
];
