//! Values of options.

/// A count.
///
/// # Errors
/// When it is no number, or 0.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        number => number.map_err(|error| format!("{error}")),
    }
}

/// A rate or a time.
///
/// # Errors
/// When it is no number, or not above 0.
pub(crate) fn above_zero(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if f64::is_finite(number) && number > 0.0 => Ok(number),
        _ => Err("must be a number above 0".to_owned()),
    }
}
