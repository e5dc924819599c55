//! What happened to credentials, for the record: one JSON object an event, to files or stdout.
