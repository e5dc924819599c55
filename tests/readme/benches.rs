//! What benches/README.md has one type is taken by the bench that it is for, and an option that would do nothing is refused.

use clap::Parser;
use clap::error::ErrorKind;

use super::text::read;

#[allow(dead_code, reason = "only whether they are taken counts here")]
#[path = "../../benches/hotpath/options.rs"]
mod hotpath;
#[allow(dead_code, reason = "only whether they are taken counts here")]
#[path = "../../benches/scale/options.rs"]
mod scale;
#[allow(dead_code, reason = "only whether they are taken counts here")]
#[path = "../../benches/soak/options.rs"]
mod soak;
#[path = "../../benches/support/values.rs"]
mod values;

fn parsed<T: Parser>(arguments: &str) -> Result<(), ErrorKind> {
    let arguments = ["bench", "--bench"].into_iter().chain(arguments.split_whitespace());
    T::try_parse_from(arguments).map(drop).map_err(|error| error.kind())
}

#[test]
fn each_bench_takes_the_options_that_are_told_of_it() {
    let (text, mut seen) = (read("benches/README.md"), 0);
    for command in text.split('`').filter_map(|code| code.strip_prefix("make bench")) {
        let (bench, arguments) = command.split_once("ARGS=").unwrap_or((command, ""));
        let arguments = arguments.trim_matches('"');
        let taken = match bench.trim() {
            "" => parsed::<hotpath::Options>(arguments),
            "-scale" => parsed::<scale::Options>(arguments),
            "-soak" => parsed::<soak::Options>(arguments),
            // The options of criterion.
            "-micro" => Ok(()),
            // Those of `bouncer loadtest`, which README has.
            "-loadtest" if arguments.is_empty() => Ok(()),
            _ => panic!("an unchecked command: make bench{command}"),
        };
        assert_eq!(taken, Ok(()), "make bench{command}");
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn hotpath_refuses_what_another_way_of_measuring_means() {
    let ways = ["", "--paced", "--envoy", "--hold"];
    // Where each option means something.
    for (option, meant) in [
        ("--rounds 3", ["", "--paced", "--envoy"].as_slice()),
        ("--requests 3", &["", "--paced", "--hold"]),
        ("--streams 3", &["", "--paced", "--hold"]),
        ("--connections 3", &["", "--paced", "--hold"]),
        ("--servers lazy", &[""]),
        ("--max-ratio 1.1", &[""]),
        ("--max-token-ratio 1.1", &[""]),
        ("--json", &[""]),
        ("--seconds 3", &["--paced"]),
        ("--rate 3", &["--paced"]),
        ("--max-p99-ratio 1.1", &["--paced"]),
    ] {
        for way in ways {
            let taken = parsed::<hotpath::Options>(&format!("{way} {option}"));
            assert_eq!(taken.is_ok(), meant.contains(&way), "{way} {option}: {taken:?}");
        }
    }
    for both in ["--paced --envoy", "--paced --hold", "--envoy --hold", "--paced --rate 3 --requests 3"] {
        assert_eq!(parsed::<hotpath::Options>(both), Err(ErrorKind::ArgumentConflict), "{both}");
    }
    for nothing in ["--requests 0", "--paced --rate 0", "--paced --seconds NaN", "--rounds 0"] {
        assert_eq!(parsed::<hotpath::Options>(nothing), Err(ErrorKind::ValueValidation), "{nothing}");
    }
}

#[test]
fn options_are_well_formed_and_help_is_told() {
    use clap::CommandFactory as _;
    hotpath::Options::command().debug_assert();
    scale::Options::command().debug_assert();
    soak::Options::command().debug_assert();
    for help in [
        parsed::<hotpath::Options>("--help"),
        parsed::<scale::Options>("--help"),
        parsed::<soak::Options>("--help"),
    ] {
        assert_eq!(help, Err(ErrorKind::DisplayHelp));
    }
}
