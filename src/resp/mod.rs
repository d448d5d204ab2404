//! The wire: a borrowing request parser, and a reply writer for RESP2 and RESP3.

pub mod encode;
pub mod output;
pub mod request;
pub mod status;
