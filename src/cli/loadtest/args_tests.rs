//! Options that belong together.

use clap::Parser;

use super::LoadtestArgs;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: LoadtestArgs,
}

/// Connections and threads of the plan.
fn shared(options: &str) -> Result<(usize, usize), String> {
    let words = ["loadtest", "127.0.0.1:1"].into_iter().chain(options.split_whitespace());
    let plan = Line::try_parse_from(words).unwrap().args.plan()?;
    Ok((plan.connections, plan.threads))
}

#[test]
fn each_thread_has_a_connection_and_each_connection_a_stream() {
    for (options, connections, threads) in [
        ("", 2, 1),
        ("--streams 1", 1, 1),
        ("--threads 4", 4, 4),
        ("--threads 4 --connections 6", 6, 4),
        ("--threads 1 --connections 1", 1, 1),
    ] {
        assert_eq!(shared(options), Ok((connections, threads)), "{options}");
    }
    for (options, told) in [
        ("--threads 4 --connections 3", "--threads 4 needs as many --connections, not 3"),
        ("--connections 9 --streams 8", "--connections 9 needs as many --streams, not 8"),
        ("--threads 9 --streams 8", "--threads 9 needs as many --connections, not 8"),
    ] {
        assert_eq!(shared(options), Err(told.to_owned()), "{options}");
    }
}
