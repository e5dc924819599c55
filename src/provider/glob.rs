//! Literal text in which `*` stands for any run of characters. Nothing else is special.

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);
