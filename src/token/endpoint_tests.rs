//! Calls against a server that says whatever a case needs.
