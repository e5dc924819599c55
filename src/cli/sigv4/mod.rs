//! `bouncer sigv4`: what is signed of a request, for who has a 403 of AWS before him.

mod answer;
mod causes;
mod compare;
mod curl;
mod explain;
mod input;
mod report;
mod request;
mod shell;
mod told;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::ConfigFile;

/// The commands about signatures.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the canonical request and the string to sign of a request, and the line in which an answer of AWS differs.
    ///
    /// Nothing is sent and no secret is needed or shown. Exits 1 where a line differs or bouncer would not sign.
    #[command(after_help = EXAMPLES)]
    Explain(Box<ExplainArgs>),
}

const EXAMPLES: &str = "\
Examples:
  bouncer sigv4 explain --provider bedrock --request request.json --answer 403.json
  bouncer sigv4 explain --curl \"$(cat request.sh)\" --region us-east-1 --service bedrock

The request as JSON; only method, and url or host and path, must be there:
  {\"method\": \"POST\",
   \"url\": \"https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1:0/converse\",
   \"headers\": {\"content-type\": \"application/json\"},
   \"body\": \"{}\"}            or body_base64, or body_sha256

The answer is the body of AWS's 403, in JSON, XML, or inside a log line.";

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The request as JSON; - is standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "curl", conflicts_with = "curl")]
    request: Option<PathBuf>,
    /// The request as a curl command. It is not run; a body in a file (@FILE) is read.
    #[arg(long, value_name = "COMMAND")]
    curl: Option<String>,
    /// The body of AWS's answer, to compare with; - is standard input.
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// The entry whose aws.host, aws.region and aws.service are taken.
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
    /// The host that reaches AWS, instead of the entry's.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The region, instead of the entry's.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The service, instead of the entry's.
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// When it was signed, as 20260101T000000Z; else x-amz-date of the request, else that of the answer, else now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    time: Option<crate::base::UnixTime>,
}

/// Runs the command.
pub(super) fn run(command: &Command) -> ExitCode {
    match command {
        Command::Explain(args) => explain::run(args),
    }
}

fn time(text: &str) -> Result<crate::base::UnixTime, String> {
    told::unix(text).ok_or_else(|| "a time like 20260101T000000Z is wanted".to_owned())
}
