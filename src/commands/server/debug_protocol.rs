//! DEBUG PROTOCOL: an example of every type a reply can have, for tests of clients.

use crate::commands::Ctx;

const BIG_NUMBER: &str = "1234567999999999999999999999999999999";

/// Answers with the type that argument 2 names.
pub fn reply(ctx: &mut Ctx) {
    let (name, out) = (ctx.arg(2).to_ascii_lowercase(), &mut *ctx.out);
    match name.as_slice() {
        b"string" => out.bulk(b"Hello World"),
        b"integer" => out.int(12345),
        b"double" => out.double_text(b"3.141"),
        b"bignum" => out.big_number(BIG_NUMBER),
        b"null" => out.null(),
        b"array" => {
            out.array(3);
            (0..3).for_each(|n| out.int(n));
        }
        b"set" => {
            out.set(3);
            (0..3).for_each(|n| out.int(n));
        }
        b"map" => {
            out.map(3);
            for n in 0..3 {
                out.int(n);
                out.boolean(n == 1);
            }
        }
        b"attrib" => {
            if out.resp3() {
                out.attribute(1);
                out.bulk(b"key-popularity");
                out.array(2);
                out.bulk(b"key:123");
                out.int(90);
            }
            // An attribute stands before a reply and is not a reply itself.
            out.bulk(b"Some real reply following the attribute");
        }
        b"push" if !out.resp3() => ctx.error("ERR RESP2 is not supported by this command"),
        b"push" => {
            out.push(2);
            out.bulk(b"server-cpu-usage");
            out.int(42);
            // Nor is a push.
            out.bulk(b"Some real reply following the push reply");
        }
        b"verbatim" => out.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => out.boolean(true),
        b"false" => out.boolean(false),
        _ => ctx.error(
            "ERR Wrong protocol type name. Please use one of the following: \
             string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
        ),
    }
}
