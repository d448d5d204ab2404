//! The wire: a borrowing request parser, and a reply writer for RESP2 and RESP3.
//!
//! A request is parsed where it lies; nothing is copied:
//!
//! ```
//! use solod::{config::split_args, resp::{output::Output, request::{RequestLimits, Parser}}};
//!
//! let input = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*1\r\n$4\r\nunfi";
//! let mut parser = Parser::new(split_args);
//! parser.parse(input, 32, RequestLimits { bulk_max: 1 << 20, authenticated: true }).unwrap();
//! assert_eq!(parser.requests(), 2, "the third is unfinished");
//! let args = parser.args(parser.request(0), input);
//! assert_eq!((args.get(0), args.get(1)), (&b"GET"[..], &b"k"[..]));
//!
//! let mut out = Output::default();
//! out.bulk(b"value");
//! assert_eq!(out.take_all(), b"$5\r\nvalue\r\n");
//! ```

pub mod encode;
pub mod output;
pub mod request;
pub mod status;
