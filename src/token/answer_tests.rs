//! Answers of every shape.
