//! Keys, whatever they hold. Each file has a few of the commands, and ends in their rows of the table.

pub mod databases;
pub mod existence;
pub mod expiry;
pub mod object;
pub mod renaming;
pub mod walking;
