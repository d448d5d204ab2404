//! FAILOVER: hands the role of the primary over to a replica.

use super::{
    Command, Ctx,
    command::{Group, categories, command, flags::*},
    context::errors,
};
use crate::{data::number, replication::failover::FailoverRequest};

/// The error's text, when the words say nothing that can be asked for.
fn parse(words: &[&[u8]]) -> Result<FailoverRequest, &'static str> {
    let mut request = FailoverRequest::default();
    let mut rest = words;
    while let Some((word, behind)) = rest.split_first() {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        rest = match behind {
            [ms, rest @ ..] if is("timeout") && request.timeout_ms.is_none() => {
                let ms = number::parse_i64(ms).ok_or(errors::NOT_INTEGER)?;
                if ms <= 0 {
                    return Err("ERR FAILOVER timeout must be greater than 0");
                }
                request.timeout_ms = Some(ms);
                rest
            }
            [host, port, rest @ ..] if is("to") && request.target.is_none() => {
                let port = number::parse_i64(port).ok_or(errors::NOT_INTEGER)?;
                request.target = Some((String::from_utf8_lossy(host).into_owned(), port));
                rest
            }
            rest if is("force") && !request.force => {
                request.force = true;
                rest
            }
            _ => return Err(errors::SYNTAX),
        };
    }
    Ok(request)
}

fn failover(ctx: &mut Ctx) {
    if ctx.server.config.cluster_enabled {
        return ctx.error("ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.");
    }
    if ctx.argc() == 2 && ctx.is_word(1, "abort") {
        if ctx.server.replication.failover.is_none() {
            return ctx.error("ERR No failover in progress.");
        }
        ctx.server.abort_failover("Failover manually aborted");
        return ctx.out.ok();
    }
    let words: Vec<&[u8]> = ctx.args.skip(1).iter().collect();
    let request = match parse(&words) {
        Ok(request) => request,
        Err(text) => return ctx.error(text),
    };
    match ctx.server.begin_failover(request) {
        Ok(()) => ctx.out.ok(),
        Err(text) => ctx.error(text),
    }
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("failover", failover, -1, ADMIN | NOSCRIPT | STALE)
    .since(Group::Server, "6.2.0")
    .doc("Hands the primary's role to a replica that has every write, or to the one that is named.", "O(1)")
    .categories(categories::ADMIN | categories::DANGEROUS)
    .args("[TO target:(host port:integer [FORCE])] [ABORT] [TIMEOUT milliseconds:integer]")];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<FailoverRequest, &'static str> {
        super::parse(&words.split_whitespace().map(str::as_bytes).collect::<Vec<_>>())
    }

    #[test]
    fn what_can_be_asked_for() {
        assert_eq!(parse(""), Ok(FailoverRequest::default()));
        let all = FailoverRequest { timeout_ms: Some(5), target: Some(("h".into(), 7)), force: true };
        assert_eq!(parse("TO h 7 FORCE timeout 5"), Ok(all));
        assert_eq!(parse("timeout 0"), Err("ERR FAILOVER timeout must be greater than 0"));
        assert_eq!(parse("timeout x"), Err(errors::NOT_INTEGER));
        for wrong in ["timeout", "to h", "force force", "abort now", "to h 1 to h 2"] {
            assert_eq!(parse(wrong), Err(errors::SYNTAX), "{wrong}");
        }
    }
}
