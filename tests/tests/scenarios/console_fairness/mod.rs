//! What one company asks of the console costs the others nothing, and what is asked twice at once is done once.

mod database; // its connections
mod retries; // retries of many
mod twice; // the same again at the same moment
