//! The log: one event, one line, on stderr. Other crates are heard from `warn` up only, whatever `RUST_LOG` asks for:
//! what they say below may hold URLs and headers.

use std::fmt::{self, Debug, Write as _};
use std::io::{IsTerminal, Write as _};

use tracing::field::{Field, Visit};
use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::escape::{Style, push};

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-11-24T03:35:26.000000Z  INFO bouncer::serve: message name=value`.
    #[default]
    Text,
    /// A JSON object: `time`, `level`, `target`, `message`, and the event's fields beside them.
    Json,
}

/// Sends the process's events to stderr, those that `RUST_LOG` names, else from `info` up. Colour on a terminal only.
///
/// # Errors
/// The process has a log already.
pub fn init(format: LogFormat) -> Result<(), SetGlobalDefaultError> {
    #[allow(clippy::disallowed_methods, reason = "RUST_LOG belongs to the log, not to the configuration")]
    let directives = std::env::var(EnvFilter::DEFAULT_ENV).ok();
    let colour = if may_have_colour(&std::io::stderr()) { Colour::On } else { Colour::Off };
    let understood = directives.as_deref().is_none_or(|text| EnvFilter::try_new(text).is_ok());
    set_global_default(subscriber(format, colour, directives.as_deref(), std::io::stderr))?;
    if !understood {
        tracing::warn!("RUST_LOG is not understood; logging from info up");
    }
    Ok(())
}

/// Whether what is written to `stream` may have colours: it is a terminal, and its reader has not asked for none
/// (`NO_COLOR`, <https://no-color.org>).
#[must_use]
pub fn may_have_colour(stream: &impl IsTerminal) -> bool {
    #[allow(
        clippy::disallowed_methods,
        reason = "how the terminal looks is its user's choice, not the configuration's"
    )]
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !refused
}

/// The same log into another writer, without colour: for tests and for whoever captures lines. `directives` is what
/// `RUST_LOG` would say; where it is not understood, as where it is absent, events from `info` up are written.
pub fn lines<W>(format: LogFormat, directives: Option<&str>, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    subscriber(format, Colour::Off, directives, writer)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    On,
    Off,
}

fn subscriber<W>(format: LogFormat, colour: Colour, directives: Option<&str>, writer: W) -> impl Subscriber
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let asked = directives.and_then(|text| EnvFilter::try_new(text).ok());
    let asked = asked.unwrap_or_else(|| EnvFilter::new("info"));
    let lines = Lines { format, colour, writer };
    tracing_subscriber::registry().with(lines.with_filter(asked.and(filter_fn(may_be_heard))))
}

fn may_be_heard(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::WARN || is_ours(metadata.target())
}

fn is_ours(target: &str) -> bool {
    target.strip_prefix("bouncer").is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Writes each event as one line by one call, so that lines of different threads do not mix.
struct Lines<W> {
    format: LogFormat,
    colour: Colour,
    writer: W,
}

impl<S: Subscriber, W: for<'w> MakeWriter<'w> + 'static> Layer<S> for Lines<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = match self.format {
            LogFormat::Text => text(event, self.colour),
            LogFormat::Json => json(event),
        };
        line.push('\n');
        // There is nobody left to tell that the log is gone.
        let _ = self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes());
    }
}

fn text(event: &Event<'_>, colour: Colour) -> String {
    let metadata = event.metadata();
    let mut line = time();
    let level = metadata.level();
    let _ = match colour {
        Colour::Off => write!(line, " {level:>5} {}:", metadata.target()),
        Colour::On => write!(line, " \x1b[{}m{level:>5}\x1b[0m {}:", paint(*level), metadata.target()),
    };
    let mut fields = Fields { message: String::new(), rest: String::new(), style: Style::Text };
    event.record(&mut fields);
    for part in [fields.message, fields.rest] {
        if !part.is_empty() {
            line.push(' ');
            line.push_str(&part);
        }
    }
    line
}

fn paint(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        _ => 34,
    }
}

fn json(event: &Event<'_>) -> String {
    let metadata = event.metadata();
    let mut fields = Fields { message: String::new(), rest: String::new(), style: Style::Json };
    event.record(&mut fields);
    let mut line = format!(r#"{{"time":"{}","level":"{}","target":""#, time(), metadata.level());
    push(&mut line, metadata.target(), Style::Json);
    let _ = write!(line, r#"","message":"{}"{}}}"#, fields.message, fields.rest);
    line
}

fn time() -> String {
    let mut time = String::with_capacity(160);
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    time
}

/// Collects an event's fields, already escaped.
struct Fields {
    message: String,
    rest: String,
    style: Style,
}

impl Fields {
    fn bare(&mut self, field: &Field, value: impl fmt::Display) {
        self.name(field);
        let _ = write!(self.rest, "{value}");
    }

    fn text(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            // Quotes are for values: a sentence has none around it in either form.
            push(&mut self.message, value, self.style);
            return;
        }
        self.name(field);
        self.rest.push('"');
        push(&mut self.rest, value, self.style);
        self.rest.push('"');
    }

    fn name(&mut self, field: &Field) {
        let name = field.name().trim_start_matches("r#");
        let _ = match self.style {
            // The line's own members are not to be there twice.
            Style::Json if matches!(name, "time" | "level" | "target") => {
                write!(self.rest, r#","event.{name}":"#)
            }
            Style::Json => write!(self.rest, r#","{name}":"#),
            Style::Text if self.rest.is_empty() => write!(self.rest, "{name}="),
            Style::Text => write!(self.rest, " {name}="),
        };
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, &value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity and no NaN.
        if value.is_finite() { self.bare(field, value) } else { self.text(field, &value.to_string()) }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
