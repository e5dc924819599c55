//! Which addresses a request may reach.

use super::*;
