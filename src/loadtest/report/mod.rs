//! A run told: as text for a terminal, as JSON for programs, as one HTML file for people.
//!
//! All three tell a [`super::Summary`] and the limits that it missed.

mod chart;
mod figures;
mod html;
mod json;
mod scale;
mod text;
mod words;

pub use html::html;
pub use json::json;
pub use text::{Ink, text};
