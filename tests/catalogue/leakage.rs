//! The rows on audit and leakage.

use super::rows::Held::{By, Waits};
use super::rows::Row;

pub(crate) const LEAKAGE: &[Row] = &[
    (
        "L01",
        "log injection",
        By(&[
            "what_a_caller_sends_makes_no_line_and_no_label_of_its_own",
            "nothing_has_power_over_the_line",
            "hostile_text_is_one_line_of_bounded_ascii_controls",
        ]),
    ),
    // Besides, every case of tests/it searches all output for its secrets when it ends, with RUST_LOG at trace.
    (
        "L02",
        "secrets at trace",
        By(&[
            "a_key_and_every_telling_part_of_a_token_are_found",
            "other_crates_are_not_heard_below_warn_whatever_is_asked_for",
            "what_the_sdk_logs_of_answers_is_not_heard",
            "only_the_date_can_be_seen_in_a_log",
        ]),
    ),
    (
        "L03",
        "Debug",
        By(&["debug_shows_nothing_of_a_secret", "debug_shows_no_secret", "a_mutation_prints_no_key"]),
    ),
    ("L05", "panics that tell", By(&["a_panic_is_counted_and_logged_by_its_place_only"])),
    ("L06", "traces", Waits("OpenTelemetry")),
    ("L07", "core dumps", By(&["nothing_is_dumped", "a_running_server_leaves_no_core_dump"])),
    (
        "L09",
        "redaction in both directions",
        By(&[
            "a_refusal_is_one_line_that_says_what_operators_need",
            "secrets_in_an_event_print_as_nothing",
            "each_rotation_of_a_token_is_one_event_and_the_same_token_again_is_none",
            "a_rotation_of_a_key_is_in_the_file_once_and_without_the_key",
        ]),
    ),
    (
        "L10",
        "a sink that is down",
        By(&[
            "a_full_disk_keeps_events_waiting_and_is_tried_less_and_less_often",
            "a_queue_that_is_full_loses_the_newest_event_and_counts_it",
            "a_sink_that_hangs_holds_up_no_other",
            "the_end_is_bounded_and_what_is_left_is_lost_and_counted",
            "events_wait_for_a_folder_that_is_not_there_yet",
        ]),
    ),
    (
        "L11",
        "fingerprints",
        By(&[
            "a_fingerprint_depends_on_value_and_key",
            "a_key_that_could_be_guessed_is_none",
            "with_a_key_of_the_installation_a_credential_has_the_same_id_after_a_start",
        ]),
    ),
    ("L13", "debug pages", By(&["a_server_that_has_everything_is_alive_and_ready"])),
];
